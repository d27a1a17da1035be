"""From what a file says of a structure to all atoms of its cell: the one maker of crystals."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, StructureError
from shiftcli.readers.atoms import ISOLATED, AtomTable, distinct, refuse_too_many
from shiftcli.readers.choice import Contents, choose_symmetry
from shiftcli.readers.copies import count_once
from shiftcli.readers.disorder import is_disordered, keep_major_component
from shiftcli.readers.formula import compare, mass, parse_formula, same_heavy_atoms, units_in_cell
from shiftcli.readers.occupancies import refuse_above_one, refuse_lost_atoms
from shiftcli.readers.sources import safe_text
from shiftcli.readers.symmetry import METRIC_ROUNDING, metric_misfit
from shiftcli.structure.checks import odd_shape, odd_space
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.numbering import label_by_molecule

#: Relative difference up to which two volumes, or densities, are the same.
SAME_VOLUME = 0.005

#: g/cm³ of one dalton in one Å³.
DALTON_PER_A3 = 1.66054

#: Around a molecule without a cell, so large that no image is near.
_BOX = 1e5 * np.eye(3)


def build_crystal(table: AtomTable, disorder: str = "major") -> Crystal:
    """Make a crystal of what a file says: the only way to one.

    Parameters
    ----------
    table : AtomTable
        The atom sites, cell, symmetry and formula.
    disorder : {"major", "error"}
        Keep the major component of disorder, or refuse.

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
        refuse_above_one(table)
        table = replace(table, occupancies=np.minimum(table.occupancies, 1.0))
        if table.whole:
            table = count_once(table)
            crystal = _make_crystal(table, table.coordinates)
            crystal = crystal if table.numbered else _with_distinct_labels(crystal)
        else:
            labels, repeated = distinct(table.labels)
            table = replace(table, labels=labels).with_warning(repeated)
            build = _build_molecule if table.cell is None else _build
            crystal = build(table, disorder)
        return label_by_molecule(crystal) if table.numbered else crystal
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
        space = abs(np.linalg.det(table.cell)) / len(site)
        if problem := odd_space(table.elements, space):
            warnings += (problem,)

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
    names, repeated = distinct([crystal.labels[site.atoms[0]] for site in crystal.sites])
    if not repeated:
        return crystal
    labels = list(crystal.labels)
    for name, site in zip(names, crystal.sites, strict=True):
        for k in site.atoms if name != crystal.labels[site.atoms[0]] else ():
            labels[k] = name
    return replace(crystal, labels=tuple(labels)).with_warning(repeated)


def _build_molecule(table: AtomTable, disorder: str) -> Crystal:
    boxed = replace(table, coordinates=table.coordinates @ np.linalg.inv(_BOX), cell=_BOX)
    kept = keep_major_component(boxed, disorder)
    return _make_crystal(replace(kept, cell=None), kept.coordinates @ _BOX)


def _build(table: AtomTable, disorder: str) -> Crystal:
    """Apply the symmetry, resolve disorder, and compare with what else the file says."""
    assert table.cell is not None  # as the caller saw
    table = replace(table, coordinates=table.coordinates - np.floor(table.coordinates))
    unit, z = parse_formula(table.formula), table.z
    if table.formula and not unit:
        table = table.with_warning(f"formula '{safe_text(table.formula, 40)}' not understood")
    expected = {e: n * z for e, n in unit.items()} if 0 < z < limits.ATOMS else {}
    chosen, notes = choose_symmetry(table, Contents(unit, expected, disorder))
    if unit and not z > 0:
        z = units_in_cell(unit, chosen.counts)
        expected = {e: n * z for e, n in unit.items()} if z else {}
    if is_disordered(chosen.given).any():
        refuse_lost_atoms(chosen.given, chosen.symmetry, chosen.counts, expected)
    misfit = metric_misfit(chosen.symmetry, table.cell)
    if misfit > METRIC_ROUNDING:
        notes.append(f"the cell obeys its symmetry only within {100 * misfit:.1f} %: is it right?")
    notes += _odd_contents(table.formula if unit else "", z, expected, chosen.counts)
    notes += _odd_volume(table, chosen.counts, bool(unit), expected)
    stated = len(chosen.symmetry) > 1 and not chosen.warning
    return _make_crystal(
        chosen.table.with_warning(*notes, chosen.warning),
        chosen.images @ table.cell,
        chosen.site,
        site_ids=chosen.site if stated else None,
        operations=chosen.symmetry.triplets if stated else (),
        expected=expected,
    )


def _odd_contents(
    formula: str, z: float, expected: dict[str, float], found: dict[str, int]
) -> list[str]:
    """Notes about a cell that holds something else than the formula says."""
    if formula and not expected:
        return [
            f"Z is not given, and no number of formula units {safe_text(formula, 40)} makes "
            f"the {sum(found.values())} atoms in the cell"
        ]
    return [compare(formula, z, expected, found)] if expected else []


def _odd_volume(
    table: AtomTable, found: dict[str, int], has_formula: bool, expected: dict[str, float]
) -> list[str]:
    """Notes about a volume or density that is not the cell's; refused with a wrong formula."""
    assert table.cell is not None
    volume = abs(np.linalg.det(table.cell))
    atoms = expected or found
    density = mass(atoms) / volume * DALTON_PER_A3
    # Deuterium is counted as hydrogen.
    has_isotopes = re.search(r"\b[DT]\d*\b", table.formula) is not None
    notes = [
        f"the file says {what} {stated:g} {unit}, its cell has {own:.5g}"
        for what, stated, own, unit in (
            ("a volume of", table.volume, volume, "Å³"),
            ("a density of", table.density if not has_isotopes else np.nan, density, "g/cm³"),
        )
        if abs(stated / own - 1.0) > SAME_VOLUME
    ]
    if notes and has_formula and not (expected and same_heavy_atoms(expected, found)):
        raise ReadError(
            f"{notes[0]}, and the atoms are not those of the formula", where=table.where,
            hint="check the cell and the symmetry",
        )  # fmt: skip
    return notes
