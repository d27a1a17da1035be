"""Copies of an atom where no file states them: how exactly the positions must agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shiftcli import limits
from shiftcli.structure.checks import odd_shape
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.symmetry import SYMMETRY_TOLERANCE, Symmetry, search_symmetry

#: Largest tolerance (Å) that is taken by itself, and the ones of which a note tells.
COARSEST = 0.1
WIDER = (0.05, 0.1, 0.2)


def find_copies(crystal: Crystal, tolerance: float | None = None) -> Crystal:
    """Take the atoms for copies that agree within a tolerance, and say what was found.

    Parameters
    ----------
    crystal : Crystal
        The crystal; where its file states the symmetry, that stands.
    tolerance : float, optional
        In Å; without it 0.01, or what rounding leaves of coordinates with few decimals.

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
    rounded = tolerance or coordinate_tolerance(cell, crystal.positions)
    if rounded != SYMMETRY_TOLERANCE:
        return _average(crystal, rounded, tolerance is None)
    distinct = len(crystal.sites)
    for wider in WIDER:
        found = search_symmetry(cell, crystal.elements, crystal.positions, wider)
        if found and (fewer := len(np.unique(found.first_copies))) < distinct:
            return crystal.with_warning(
                f"within {wider} Å the atoms obey {found.name}, {fewer} distinct sites instead of "
                f"{distinct}: --symmetry-tolerance {wider} takes them for copies"
            )
    return crystal


def coordinate_tolerance(cell: np.ndarray, positions: np.ndarray) -> float:
    """Tolerance (Å) that fits the decimals of the coordinates, fractional or Cartesian.

    Two copies, each rounded, are up to √3 times the last decimal apart. Two decimals and more are
    looked for in eight atoms and more: rounder numbers may be exact. The finer of two readings
    counts.
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
    return float(np.clip(1.75 * min(steps), SYMMETRY_TOLERANCE, COARSEST))


def _average(crystal: Crystal, tolerance: float, by_decimals: bool) -> Crystal:
    """The crystal with its atoms on the mean places of their copies."""
    cell = crystal.cell
    assert cell is not None  # as the caller saw
    found = search_symmetry(cell, crystal.elements, crystal.positions, tolerance)
    exact = search_symmetry(cell, crystal.elements, crystal.positions, SYMMETRY_TOLERANCE)
    if found is None or (exact and by_decimals and len(exact.rotations) == len(found.rotations)):
        return crystal
    positions = _mean_places(crystal.positions @ np.linalg.inv(cell), cell, found) @ cell
    moved = np.linalg.norm(positions - crystal.positions, axis=1).max()
    sites = len(np.unique(found.first_copies))
    why = "the decimals of the file allow" if by_decimals else "--symmetry-tolerance"
    return replace(crystal, positions=positions, site_ids=found.first_copies).with_warning(
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
