"""Lengths of bonds to hydrogen: measured, judged, and put right on request.

X-ray diffraction sees electrons, so its hydrogens sit 0.1 Å too close to the atom that
carries them. The networks learn from relaxed geometries and have never seen such bonds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from shiftcli.errors import UsageError
from shiftcli.options import Hydrogens as Hydrogens
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.neighbours import find_neighbours

#: Mean neutron bond lengths in Å (Allen & Bruno, Acta Cryst. B66, 380, 2010).
NEUTRON_LENGTHS = {"C": 1.089, "N": 1.015, "O": 0.993}

#: A hydrogen farther (Å) than this from every heavy atom has no bond to be measured.
LONGEST_BOND = 1.3

#: Median bond lengths (Å) below which a geometry is taken for X-ray: half way between
#: the usual X-ray lengths (0.95, 0.88, 0.82) and those of relaxed structures.
XRAY_BELOW = {"C": 1.04, "N": 0.96, "O": 0.92}

#: A hydrogen whose second heavy atom is closer (Å) than this is shared and is not moved.
SHARED_BELOW = 1.35

#: Flag of the sites whose hydrogens were moved.
FLAG = "hydrogen-normalised"


@dataclass(frozen=True)
class HydrogenBonds:
    """Bonds between hydrogens and the heavy atoms that carry them.

    Attributes
    ----------
    hydrogen : numpy.ndarray
        Index of each bonded hydrogen, shape (bonds,).
    carrier : numpy.ndarray
        Element that carries it, shape (bonds,).
    vector : numpy.ndarray
        From the carrier to the hydrogen in Å, shape (bonds, 3).
    shared : numpy.ndarray
        Whether a second heavy atom is about as close, shape (bonds,).
    """

    hydrogen: np.ndarray
    carrier: np.ndarray
    vector: np.ndarray
    shared: np.ndarray

    @property
    def length(self) -> np.ndarray:
        """Bond lengths in Å, shape (bonds,)."""
        return np.linalg.norm(self.vector, axis=1)

    def median(self, element: str) -> float:
        """Median length in Å of the bonds to an element, NaN where there is none."""
        lengths = self.length[self.carrier == element]
        return float(np.median(lengths)) if len(lengths) else float("nan")


def measure_bonds(crystal: Crystal) -> HydrogenBonds:
    """Find the nearest heavy atom of each hydrogen.

    Parameters
    ----------
    crystal : Crystal
        The crystal; periodic images are looked at.

    Returns
    -------
    HydrogenBonds
        Bonds up to `LONGEST_BOND`; hydrogens without one are left out.
    """
    near = find_neighbours(crystal.cell, crystal.positions, SHARED_BELOW, crystal.where)
    is_hydrogen = crystal.elements == "H"
    near = near.where(is_hydrogen[near.first] & ~is_hydrogen[near.second])
    near = near.where(np.lexsort((near.distances, near.first)))
    hydrogens, first, counts = np.unique(near.first, return_index=True, return_counts=True)
    has_bond = (near.distances[first] < LONGEST_BOND) & (near.distances[first] > 1e-3)
    first = first[has_bond]
    return HydrogenBonds(
        hydrogen=hydrogens[has_bond],
        carrier=crystal.elements[near.second[first]],
        vector=-near.vectors[first],
        shared=counts[has_bond] > 1,
    )


def is_xray(bonds: HydrogenBonds) -> bool:
    """Whether the bonds are as short as X-ray refinement leaves them.

    Parameters
    ----------
    bonds : HydrogenBonds
        The measured bonds.

    Returns
    -------
    bool
        True if the median C–H length is short; without C–H bonds the median N–H or O–H
        length decides.
    """
    for element, limit in XRAY_BELOW.items():
        if np.isfinite(median := bonds.median(element)):
            return median < limit
    return False


def normalise_hydrogens(crystal: Crystal, mode: Hydrogens = "auto") -> Crystal:
    """Move hydrogens along their bonds to neutron lengths.

    Parameters
    ----------
    crystal : Crystal
        The crystal.
    mode : {"keep", "normalise", "auto"}
        Move none, all, or all where the geometry is an X-ray one.

    Returns
    -------
    Crystal
        The crystal itself where nothing was moved; else a copy with a warning that tells
        the number of moved hydrogens and their lengths before, and with the flag
        ``hydrogen-normalised`` on their sites.

    Raises
    ------
    UsageError
        If `mode` is none of the choices.

    Notes
    -----
    Bonds to elements other than C, N and O stay, and so do hydrogens between two heavy
    atoms. Copies of a site move alike because the rule looks at each atom's own bond.
    """
    if mode not in get_args(Hydrogens):
        choices = ", ".join(get_args(Hydrogens))
        raise UsageError(f"hydrogens is one of {choices}, not '{str(mode)[:30]}'")
    if mode == "keep" or not np.isfinite(crystal.positions).all():
        return crystal
    bonds = measure_bonds(crystal)
    if mode == "auto" and not is_xray(bonds):
        return crystal
    target = np.array([NEUTRON_LENGTHS.get(str(e), np.nan) for e in bonds.carrier])
    move = np.isfinite(target) & ~bonds.shared & (abs(target - bonds.length) > 1e-4)
    if not move.any():
        return crystal
    positions = crystal.positions.copy()
    step = bonds.vector * (target / bonds.length - 1.0)[:, None]
    positions[bonds.hydrogen[move]] += step[move]
    moved = np.zeros(len(crystal), dtype=bool)
    moved[bonds.hydrogen[move]] = True
    return _with_moved(crystal, positions, moved).with_warning(_report(bonds, move))


def _with_moved(crystal: Crystal, positions: np.ndarray, moved: np.ndarray) -> Crystal:
    """The crystal with new positions, its sites kept and those of moved atoms flagged."""
    flagged = crystal.with_flag(np.flatnonzero(moved), FLAG)
    # The sites are those before the move: a search must not depend on rounding after it.
    return replace(flagged, positions=positions, site_ids=crystal.site_numbers)


def _report(bonds: HydrogenBonds, move: np.ndarray) -> str:
    parts = []
    for element, target in NEUTRON_LENGTHS.items():
        chosen = move & (bonds.carrier == element)
        if chosen.any():
            lengths = bonds.length[chosen]
            parts.append(
                f"{element}–H median {np.median(lengths):.3f} "
                f"({lengths.min():.3f} to {lengths.max():.3f}) to {target} Å"
            )
    return f"{int(move.sum())} hydrogens moved along their bonds to neutron lengths: " + "; ".join(
        parts
    )
