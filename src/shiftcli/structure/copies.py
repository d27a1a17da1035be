"""Copies of an atom where no file states them: how exactly the positions must agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shiftcli import limits
from shiftcli.structure.checks import odd_shape
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.numbering import label_by_molecule
from shiftcli.structure.symmetry import SYMMETRY_TOLERANCE, Symmetry, search_symmetry

#: Largest tolerance (Å) that is taken by itself, and wider ones that are looked at.
COARSEST = 0.1
WIDER = (0.05, 0.1, 0.2)

#: Two copies, each rounded, are up to √3 times the last decimal apart.
_ROUNDING = 1.75

#: Root mean square (Å) of the ways to the means of copies up to which a crystal has their symmetry,
#: and noise or an unfinished relaxation parts them: 0.001–0.004 in 13 published crystals, whose
#: calculated 1H shieldings of such copies are 0.01–0.03 ppm apart; 0.026 and more, 1 ppm and more
#: where atoms were moved on purpose.
ACCIDENTAL = 0.015


def find_copies(crystal: Crystal, tolerance: float | None = None) -> Crystal:
    """Take the atoms for copies that agree within a tolerance, and say what was found.

    Parameters
    ----------
    crystal : Crystal
        The crystal; where its file states the symmetry, that stands.
    tolerance : float, optional
        In Å; without it 0.01, or what rounding leaves of coordinates with few decimals, or more
        where atoms are parted by no more than `ACCIDENTAL`.

    Returns
    -------
    Crystal
        With a tolerance other than 0.01 copies are averaged, so that their sites are alike, and
        a note names the space group. With 0.01 atoms stay where they are, and a note tells if a
        wider tolerance would find more copies.
    """
    cell, n = crystal.cell, len(crystal)
    if crystal.site_ids is not None or cell is None or not 0 < n <= limits.SYMMETRY_SEARCH_ATOMS:
        return crystal
    if not (np.isfinite(cell).all() and np.isfinite(crystal.positions).all()) or odd_shape(cell):
        return crystal  # the checks will say so

    def within(distance: float) -> Symmetry | None:
        return search_symmetry(cell, crystal.elements, crystal.positions, distance)

    if tolerance not in (None, SYMMETRY_TOLERANCE):
        found = within(tolerance)
        return _average(crystal, found, tolerance, "--symmetry-tolerance") if found else crystal
    best, hint, rounded = crystal, "", coordinate_tolerance(cell, crystal.positions)
    for wider in sorted({*WIDER, rounded} - {SYMMETRY_TOLERANCE}):
        found, sites = within(wider), len(best.sites)
        if found is None or (fewer := len(np.unique(found.first_copies))) >= sites:
            continue
        why = "noise, or a relaxation that was not finished"
        if rounded != SYMMETRY_TOLERANCE:
            why = "the decimals of the file allow"
        averaged = _average(crystal, found, wider, why)
        ways = np.linalg.norm(averaged.positions - crystal.positions, axis=1)
        by_chance = max(ACCIDENTAL, rounded / _ROUNDING / 2)
        if tolerance is None and (wider == rounded or np.sqrt((ways**2).mean()) <= by_chance):
            best, hint = averaged, ""
        else:
            hint = hint or (
                f"within {wider} Å the atoms obey {found.name}, {fewer} distinct sites instead of "
                f"{sites}: --symmetry-tolerance {wider} takes them for copies"
            )
    return best.with_warning(hint) if hint else best


def coordinate_tolerance(cell: np.ndarray, positions: np.ndarray) -> float:
    """Tolerance (Å) that fits the decimals of the coordinates, fractional or Cartesian.

    Two decimals and more are looked for in eight atoms and more: rounder numbers may be exact. The
    finer of two readings counts.
    """
    if len(positions) < 8:
        return SYMMETRY_TOLERANCE
    lengths = np.linalg.norm(cell, axis=1)
    steps = []
    for values, size in ((positions @ np.linalg.inv(cell), lengths.max()), (positions, 1.0)):
        fitting = [
            step
            for step in (1e-2, 1e-3)
            if abs(values / step - np.round(values / step)).max() < 1e-4
        ]
        steps += [size * step for step in fitting[:1]]
    if not steps:
        return SYMMETRY_TOLERANCE
    return float(np.clip(_ROUNDING * min(steps), SYMMETRY_TOLERANCE, COARSEST))


def _average(crystal: Crystal, found: Symmetry, tolerance: float, why: str) -> Crystal:
    """The crystal with its atoms on the mean places of their copies."""
    cell = crystal.cell
    assert cell is not None  # as the caller saw
    positions = _mean_places(crystal.positions @ np.linalg.inv(cell), cell, found) @ cell
    moved = np.linalg.norm(positions - crystal.positions, axis=1).max()
    sites = len(np.unique(found.first_copies))
    averaged = replace(crystal, positions=positions, site_ids=found.first_copies)
    averaged = label_by_molecule(averaged) if crystal.numbered else averaged
    return averaged.with_warning(
        f"symmetry {found.name} within {tolerance:.2g} Å ({why}): {sites} distinct sites, atoms "
        f"moved by up to {moved:.3f} Å to the means of their copies"
    )


def _mean_places(fractional: np.ndarray, cell: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """Fractional coordinates, each the mean of all images that fall on it, shape (n, 3)."""
    sums, counts = np.zeros_like(fractional), np.zeros(len(fractional))
    for first in np.unique(symmetry.first_copies):
        copies = np.flatnonzero(symmetry.first_copies == first)
        for rotation, translation in zip(symmetry.rotations, symmetry.translations, strict=True):
            images = fractional[copies] @ rotation.T + translation
            offsets = images[:, None] - fractional[copies]
            offsets -= np.round(offsets)
            nearest = np.linalg.norm(offsets @ cell, axis=2).argmin(axis=1)
            np.add.at(sums, copies[nearest], offsets[np.arange(len(copies)), nearest])
            np.add.at(counts, copies[nearest], 1)
    return fractional + sums / np.maximum(counts, 1)[:, None]
