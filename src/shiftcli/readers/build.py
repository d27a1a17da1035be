"""From what a file says of a structure to all atoms of its cell: the one maker of crystals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, StructureError
from shiftcli.readers.atoms import ISOLATED, AtomTable, distinct, listed, refuse_too_many
from shiftcli.readers.copies import count_once
from shiftcli.readers.disorder import FULL, expand_disordered, is_disordered, keep_major
from shiftcli.readers.formula import (
    compare,
    counts,
    parse_formula,
    same_heavy_atoms,
    units_in_cell,
)
from shiftcli.readers.sources import safe_text
from shiftcli.readers.symmetry import IDENTITY, LISTED, Symmetry, fits_cell
from shiftcli.structure.checks import odd_shape
from shiftcli.structure.crystal import Crystal

#: Space for each atom (Å³) from which a cell is odd; organic crystals have 8 to 12.
ROOMY = 100.0

#: Around a molecule without a cell, so large that no image is near.
_BOX = 1e5 * np.eye(3)

#: Space for each atom (Å³) up to which a cell of unknown symmetry counts as complete: a centre
#: of inversion would leave at least 16.
DENSE = 16.0


@dataclass(frozen=True)
class _Expansion:
    """All atoms that one candidate symmetry makes."""

    symmetry: Symmetry
    table: AtomTable
    images: np.ndarray
    site: np.ndarray
    warning: str

    @property
    def counts(self) -> dict[str, int]:
        return counts(self.table.elements[self.site].tolist())


def build_crystal(table: AtomTable, disorder: str = "major") -> Crystal:
    """Make a crystal of what a file says: the only way to one.

    Parameters
    ----------
    table : AtomTable
        The atom sites, cell, symmetry and formula.
    disorder : {"major", "error"}
        Keep the major component of disorder, or refuse.

    Returns
    -------
    Crystal

    Raises
    ------
    ReadError
        If there are no atoms, a coordinate or the cell cannot be used, the disorder cannot be
        resolved or is not wanted, the cell does not fit the symmetry, no symmetry is stated and
        the sites are not all of the cell, or something is larger than `shiftcli.limits` allows.
    """
    if len(table) == 0:
        raise ReadError("no atoms", where=table.where)
    refuse_too_many(len(table), table.where)
    if table.cell is not None:
        _refuse_bad_cell(table.cell, table.where)
    _refuse_bad_positions(table)
    try:
        if table.whole:
            table = count_once(table)
            return _with_distinct_labels(_make_crystal(table, table.coordinates))
        labels, repeated = distinct(table.labels)
        table = replace(table, labels=labels).with_warning(repeated)
        return _build_molecule(table, disorder) if table.cell is None else _build(table, disorder)
    except StructureError as error:  # atoms on a heap, or more images than can be made
        raise ReadError(error.message, where=table.where, hint=error.hint) from error


def _make_crystal(
    table: AtomTable, positions: np.ndarray, site: np.ndarray | None = None, **others: Any
) -> Crystal:
    """The crystal of some positions in Å, and the row of the table behind each of them."""
    site = np.arange(len(table)) if site is None else site
    refuse_too_many(len(site), table.where)
    warnings = table.warnings
    if table.cell is None:
        warnings = (ISOLATED, *warnings)
    else:
        fractional = positions @ np.linalg.inv(table.cell)
        # Atoms that drifted over many cells would make every search for images slow.
        if fractional.min() < -1.0 or fractional.max() > 2.0:
            positions = (fractional - np.floor(fractional)) @ table.cell

    def of_atoms(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[site]

    return Crystal(
        elements=table.elements[site],
        positions=positions,
        cell=table.cell,
        labels=tuple(safe_text(table.labels[k], 20) for k in site.tolist()),
        source=table.source,
        name=table.name,
        warnings=warnings,
        shieldings=of_atoms(table.shieldings),
        baseline=of_atoms(table.baseline),
        level=table.level,
        info=table.info,
        **others,
    )


def _refuse_bad_cell(cell: np.ndarray, where: str) -> None:
    """Raise `ReadError` for a cell that is not finite, has no volume, or an odd shape."""
    if not np.isfinite(cell).all():
        raise ReadError("the unit cell is not finite", where=where)
    if problem := odd_shape(cell):
        raise ReadError(problem, where=where)


def _refuse_bad_positions(table: AtomTable) -> None:
    bad = ~np.isfinite(table.coordinates).all(axis=1)
    if bad.any():
        label = safe_text(table.labels[int(np.argmax(bad))], 20)
        raise ReadError(f"atom {label} has a coordinate that is not a number", where=table.where)
    far = abs(table.coordinates).max(axis=1) > limits.COORDINATE
    if far.any():
        label = safe_text(table.labels[int(np.argmax(far))], 20)
        distance = abs(table.coordinates).max()
        raise ReadError(f"atom {label} is {distance:.2g} Å away", where=table.where)


def _with_distinct_labels(crystal: Crystal) -> Crystal:
    """Tell sites of the same label apart; the copies of one site may share theirs."""
    if len(set(crystal.labels)) == len(crystal):
        return crystal
    names, repeated = distinct([site.label for site in crystal.sites])
    if not repeated:
        return crystal
    labels = list(crystal.labels)
    for name, site in zip(names, crystal.sites, strict=True):
        for k in site.atoms if name != site.label else ():
            labels[k] = name
    return replace(crystal, labels=tuple(labels)).with_warning(repeated)


def _build_molecule(table: AtomTable, disorder: str) -> Crystal:
    boxed = replace(table, coordinates=table.coordinates @ np.linalg.inv(_BOX))
    kept = _major_component(boxed, _BOX, disorder)
    return _make_crystal(kept, kept.coordinates @ _BOX)


def _build(table: AtomTable, disorder: str) -> Crystal:
    """Resolve disorder, apply the symmetry, and compare with the formula."""
    cell = table.cell
    assert cell is not None  # as the caller saw
    table = replace(table, coordinates=table.coordinates - np.floor(table.coordinates))
    table = _major_component(table, cell, disorder)
    unit, z = parse_formula(table.formula), table.z
    if table.formula and not unit:
        table = table.with_warning(f"formula '{safe_text(table.formula, 40)}' not understood")
    expected = {e: n * z for e, n in unit.items()} if 0 < z < limits.ATOMS else {}
    chosen, warnings = _expand(table, cell, expected)
    if unit and not z > 0:
        z = units_in_cell(unit, chosen.counts)
        expected = {e: n * z for e, n in unit.items()} if z else {}
    warnings += _odd_contents(chosen, cell, table.formula if unit else "", z, expected)
    stated = len(chosen.symmetry) > 1 and not chosen.warning
    return _make_crystal(
        chosen.table.with_warning(*warnings),
        chosen.images @ cell,
        chosen.site,
        site_ids=chosen.site if stated else None,
        operations=chosen.symmetry.triplets if stated else (),
        expected=expected,
    )


def _odd_contents(
    chosen: _Expansion, cell: np.ndarray, formula: str, z: float, expected: dict[str, float]
) -> list[str]:
    """Warnings about a cell that holds something else than the file says."""
    warnings = []
    if formula and not expected:
        warnings.append(
            f"Z is not given, and no number of formula units {safe_text(formula, 40)} makes "
            f"the {len(chosen.site)} atoms in the cell"
        )
    if expected and (text := compare(formula, z, expected, chosen.counts)):
        warnings.append(text)
    volume = abs(np.linalg.det(cell)) / len(chosen.site)
    if volume > ROOMY:
        warnings.append(
            f"{volume:.0f} Å³ for each atom: the cell is mostly empty, or atoms are missing"
        )
    return warnings + ([chosen.warning] if chosen.warning else [])


def _major_component(table: AtomTable, cell: np.ndarray, disorder: str) -> AtomTable:
    disordered = is_disordered(table)
    if not disordered.any():
        return table
    first = int(np.argmax(disordered))
    if disorder == "error":
        raise ReadError(
            f"disorder at {int(disordered.sum())} of {len(table)} atom sites, "
            f"first at {safe_text(table.labels[first], 20)}",
            where=table.where,
            hint="--disorder major keeps the major component",
        )
    keep = keep_major(table, cell)
    if not keep.any():
        raise ReadError("disorder: no atom site is half occupied", where=table.where)
    labels = np.array(table.labels, dtype=object)
    dropped, partial = labels[~keep], labels[keep & (table.occupancies < FULL)]
    warnings = [
        f"disorder: {len(names)} {what}: {listed(names)}"
        for what, names in (
            ("minor sites left out", dropped), ("partly occupied sites taken as full", partial),
        )
        if len(names)
    ]  # fmt: skip
    return table.take(keep).with_warning(*warnings)


def _expand(
    rows: AtomTable, cell: np.ndarray, expected: dict[str, float]
) -> tuple[_Expansion, list[str]]:
    """Atoms of the first symmetry that makes formula × Z, else of the first, and warnings."""
    candidates, where = rows.symmetries, rows.where
    fitting = [s for s in candidates if fits_cell(s, cell)]
    if candidates and not fitting:
        raise ReadError(
            f"the cell does not obey its symmetry ({candidates[0].origin})", where=where,
            hint="check the cell and the space group",
        )  # fmt: skip
    # Made one by one: a candidate that is not needed may be one that cannot be expanded.
    expansions = (
        _Expansion(s, once, *expand_disordered(once, cell, s, where))
        for s in (fitting or [IDENTITY])
        for once in [count_once(rows, s)]
    )
    expansion = next(expansions)
    if expected and not same_heavy_atoms(expected, expansion.counts):
        others = (e for e in expansions if same_heavy_atoms(expected, e.counts))
        expansion = next(others, expansion)
    room = abs(np.linalg.det(cell)) / len(expansion.site)
    is_whole = same_heavy_atoms(expected, expansion.counts) if expected else room < DENSE
    if not candidates and not is_whole:
        raise ReadError(
            f"no symmetry operations, and {len(rows)} atom sites are not the whole cell"
            + (f" (formula × Z: {sum(expected.values()):g} atoms)" if expected else ""),
            where=where,
            hint="add the symmetry operations or the space group",
        )
    warnings = []
    if not candidates:
        warnings.append("no symmetry is stated: taken as P 1")
    elif expansion.symmetry.origin != LISTED:
        warnings.append(f"symmetry taken from {expansion.symmetry.origin}")
    return expansion, warnings
