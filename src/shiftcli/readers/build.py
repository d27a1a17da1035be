"""From atom sites and symmetry to all atoms of the cell, for CIF, PDB and magres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, StructureError
from shiftcli.readers.atoms import listed, make_crystal, refuse_bad_cell, refuse_too_many
from shiftcli.readers.disorder import Rows, expand_disordered, is_disordered, keep_major
from shiftcli.readers.formula import (
    compare,
    counts,
    parse_formula,
    same_heavy_atoms,
    units_in_cell,
)
from shiftcli.readers.sources import safe_text
from shiftcli.readers.symmetry import Symmetry, fits_cell
from shiftcli.structure.crystal import Crystal

#: Space for each atom (Å³) from which a cell is odd; organic crystals have 8 to 12.
ROOMY = 100.0

#: Around a molecule without a cell, so large that no image is near.
_BOX = 1e5 * np.eye(3)

#: Space for each atom (Å³) up to which a cell of unknown symmetry counts as complete: a centre
#: of inversion would leave at least 16.
DENSE = 16.0

_P1 = Symmetry(np.eye(3)[None], np.zeros((1, 3)), "no operations")


@dataclass(frozen=True)
class _Expansion:
    """All atoms that one candidate symmetry makes."""

    symmetry: Symmetry
    images: np.ndarray
    site: np.ndarray
    warning: str
    elements: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        return counts(self.elements[self.site].tolist())


def build_crystal(
    rows: Rows,
    cell: np.ndarray | None,
    candidates: list[Symmetry],
    *,
    formula: str = "",
    z: float = float("nan"),
    disorder: str = "major",
    source: str,
    name: str,
    where: str,
    warnings: Sequence[str] = (),
) -> Crystal:
    """Resolve disorder, apply the symmetry, and compare with the formula.

    Parameters
    ----------
    rows : Rows
        The atom sites.
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); None for an isolated molecule, whose
        rows then hold Cartesian coordinates.
    candidates : list of Symmetry
        What the file says about its symmetry, the most trusted first; may be empty.
    formula : str
        Formula of one unit as the file has it, or empty.
    z : float
        Formula units in the cell, NaN where not given.
    disorder : {"major", "error"}
        Keep the major component, or refuse.
    source, name, where : str
        File, structure, and both, for messages.
    warnings : sequence of str
        Warnings so far.

    Returns
    -------
    Crystal

    Raises
    ------
    ReadError
        If the disorder cannot be resolved or is not wanted, the cell does not fit the
        symmetry, no symmetry is stated and the sites are not all of the cell, or something
        is larger than `shiftcli.limits` allows.
    """
    warnings = list(warnings)
    if len(rows) == 0:
        raise ReadError("no atoms", where=where)
    refuse_too_many(len(rows), where)
    try:
        return _build(rows, cell, candidates, formula, z, disorder, source, name, where, warnings)
    except StructureError as error:  # atoms on a heap, or more images than can be made
        raise ReadError(error.message, where=where, hint=error.hint) from error


def _build(
    rows: Rows,
    cell: np.ndarray | None,
    candidates: list[Symmetry],
    formula: str,
    z: float,
    disorder: str,
    source: str,
    name: str,
    where: str,
    warnings: list[str],
) -> Crystal:
    if cell is None:
        rows = _major_component(_boxed(rows), _BOX, disorder, where, warnings)
        return make_crystal(
            rows.elements, rows.fractional @ _BOX, None, rows.labels,
            source=source, name=name, warnings=warnings,
        )  # fmt: skip
    refuse_bad_cell(cell, where)
    rows = replace(rows, fractional=rows.fractional - np.floor(rows.fractional))
    rows = _major_component(rows, cell, disorder, where, warnings)
    unit = parse_formula(formula)
    if formula and not unit:
        warnings.append(f"formula '{safe_text(formula, 40)}' not understood")
    expected = {e: n * z for e, n in unit.items()} if 0 < z < limits.ATOMS else {}
    chosen = _expand(rows, cell, candidates, expected, where, warnings)
    if unit and not z > 0:
        z = units_in_cell(unit, chosen.counts)
        expected = {e: n * z for e, n in unit.items()} if z else {}
    warnings += _odd_contents(chosen, cell, formula if unit else "", z, expected)
    stated = len(chosen.symmetry) > 1 and not chosen.warning
    return make_crystal(
        rows.elements[chosen.site],
        chosen.images @ cell,
        cell,
        [rows.labels[k] for k in chosen.site],
        site_ids=chosen.site if stated else None,
        operations=chosen.symmetry.triplets if stated else (),
        shieldings=None if rows.shieldings is None else rows.shieldings[chosen.site],
        expected=expected,
        source=source,
        name=name,
        warnings=warnings,
    )


def _boxed(rows: Rows) -> Rows:
    """Rows of Cartesian coordinates as fractions of the box around a molecule."""
    return replace(rows, fractional=rows.fractional @ np.linalg.inv(_BOX))


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


def _major_component(
    rows: Rows, cell: np.ndarray, disorder: str, where: str, warnings: list[str]
) -> Rows:
    disordered = is_disordered(rows)
    if not disordered.any():
        return rows
    first = int(np.argmax(disordered))
    if disorder == "error":
        raise ReadError(
            f"disorder at {int(disordered.sum())} of {len(rows)} atom sites, "
            f"first at {safe_text(rows.labels[first], 20)}",
            where=where,
            hint="--disorder major keeps the major component",
        )
    keep = keep_major(rows, cell)
    if not keep.any():
        raise ReadError("disorder: no atom site is half occupied", where=where)
    dropped = [label for label, k in zip(rows.labels, keep, strict=True) if not k]
    partial = [
        label
        for label, k, o in zip(rows.labels, keep, rows.occupancies, strict=True)
        if k and o < 0.99
    ]
    if dropped:
        warnings.append(f"disorder: {len(dropped)} minor sites left out: {listed(dropped)}")
    if partial:
        warnings.append(
            f"disorder: {len(partial)} partly occupied sites taken as full: {listed(partial)}"
        )
    return rows.take(keep)


def _expand(
    rows: Rows,
    cell: np.ndarray,
    candidates: list[Symmetry],
    expected: dict[str, float],
    where: str,
    warnings: list[str],
) -> _Expansion:
    """Atoms of the first candidate that makes formula × Z, else of the first."""
    fitting = [s for s in candidates if fits_cell(s, cell)]
    if candidates and not fitting:
        raise ReadError(
            f"the cell does not obey its symmetry ({candidates[0].origin})", where=where,
            hint="check the cell and the space group",
        )  # fmt: skip
    # Made one by one: a candidate that is not needed may be one that cannot be expanded.
    expansions = (
        _Expansion(s, *expand_disordered(rows, cell, s, where), rows.elements)
        for s in (fitting or [_P1])
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
    if not candidates:
        warnings.append("no symmetry is stated: taken as P 1")
    elif expansion.symmetry.origin != "the file's operations":
        warnings.append(f"symmetry taken from {expansion.symmetry.origin}")
    return expansion
