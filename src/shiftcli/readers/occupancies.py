"""Occupancies: what they mean, and whether the atoms that are kept are those of the formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from shiftcli.errors import ReadError
from shiftcli.readers.atoms import AtomTable
from shiftcli.readers.disorder import FULL, fragments
from shiftcli.readers.formula import same_heavy_atoms, units_in_cell
from shiftcli.readers.sources import safe_text
from shiftcli.readers.symmetry import Symmetry, multiplicities

#: Occupancies above this are no rounding.
_TOO_MUCH = 1.01


def refuse_above_one(table: AtomTable) -> None:
    """Raise `ReadError` for a site that holds more than an atom."""
    if (table.occupancies > _TOO_MUCH).any():
        k = int(np.argmax(table.occupancies))
        raise ReadError(
            f"atom {safe_text(table.labels[k], 20)}: occupancy {table.occupancies[k]:g}, above 1",
            where=table.where,
        )


def take_as_full(
    table: AtomTable,
    symmetry: Symmetry,
    unit: Mapping[str, float],
    expected: Mapping[str, float],
) -> AtomTable:
    """Understand occupancies that include the multiplicity of special positions.

    Where each occupancy is the share of the operations that make copies of the site, and the
    formula, if there is one, asks for fully occupied sites, they are 1, with a warning; else the
    table itself comes back. `unit` and `expected` are atoms of a formula unit, and of the cell;
    empty where unknown.
    """
    if (table.occupancies >= FULL).all():
        return table
    copies = multiplicities(table.coordinates, table.cell, symmetry)
    if (abs(table.occupancies - copies / len(symmetry)) > 0.01).any():
        return table
    found: Counter[str] = Counter()
    for element, n in zip(table.elements.tolist(), copies.tolist(), strict=True):
        found[element] += n
    if expected and not same_heavy_atoms(expected, found):
        return table
    if unit and not expected and not units_in_cell(unit, found):
        return table
    return replace(table, occupancies=np.ones(len(table))).with_warning(
        "occupancies include the multiplicity of special positions: taken as full"
    )


def refuse_lost_atoms(
    given: AtomTable, symmetry: Symmetry, found: Mapping[str, int], expected: Mapping[str, float]
) -> None:
    """Refuse a cell from which the choice of a component took a part of a molecule.

    Parameters
    ----------
    given : AtomTable
        The sites before the choice.
    symmetry : Symmetry
        The operations.
    found : mapping of str to int
        Atoms of the cell after it.
    expected : mapping of str to float
        Atoms of the cell by formula and Z, empty where unknown.

    Raises
    ------
    ReadError
        If the cell holds other atoms than the formula says where the occupancies add up to it,
        or fewer than they add up to. Molecules that are partly there as a whole, as solvents
        are, may be left out or taken as full.
    """
    names = {*expected, *found}
    if expected and all(abs(expected.get(e, 0) - found.get(e, 0)) < 0.5 for e in names):
        return
    copies = multiplicities(given.coordinates, given.cell, symmetry)
    guest = np.zeros(len(given), dtype=bool)
    for members in fragments(given):
        guest[members] = (given.occupancies[members] < FULL).all()
    there: Counter[str] = Counter()
    for element, share in zip(given.elements, copies * given.occupancies, strict=True):
        there[str(element)] += share
    adds_up = bool(expected) and all(abs(expected.get(e, 0) - there[e]) < 0.5 for e in names)
    lost = {}
    for element in sorted(set(given.elements.tolist())):
        mine = given.elements == element
        slack = float(copies[mine & guest].sum())
        # Guests may be there or not: between none and all of their atoms.
        low, high = there[element] - slack - 0.5, there[element] + slack + 0.5
        n = found.get(element, 0)
        if n < low or (adds_up and n > high):
            lost[element] = f"{n} {element} instead of {there[element]:.4g}"
    if lost:
        raise ReadError(
            f"disorder that cannot be resolved: the cell would hold {', '.join(lost.values())}",
            where=given.where,
            hint="leave one component in the file",
        )
