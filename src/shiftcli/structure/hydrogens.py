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
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.neighbours import find_neighbours

#: Mean neutron bond lengths in Å (Allen & Bruno, Acta Cryst. B66, 380, 2010).
NEUTRON_LENGTHS = {"C": 1.089, "N": 1.015, "O": 0.993}

#: Mean lengths (Å) in the 400 published relaxed crystals: to carbon by the number of its bonds,
#: to CH3 apart; to oxygen, nitrogen and ammonium by the distance of donor and acceptor.
CARBON_LENGTHS = {4: 1.101, 3: 1.090, 2: 1.067}
METHYL_LENGTH = 1.099
DONOR_LENGTHS = {
    "O": ((2.45, 2.525, 2.575, 2.625, 2.675, 2.75, 2.85, 2.95, 3.1, 3.4),
          (1.060, 1.041, 1.024, 1.012, 1.003, 0.996, 0.988, 0.983, 0.980, 0.977)),
    "N": ((2.575, 2.65, 2.75, 2.85, 2.95, 3.1, 3.4),
          (1.075, 1.050, 1.042, 1.036, 1.031, 1.025, 1.021)),
    "ammonium": ((2.675, 2.75, 2.85, 2.95, 3.1), (1.074, 1.060, 1.045, 1.038, 1.036)),
}  # fmt: skip

#: An acceptor farther (Å) than this from the donor changes nothing.
_FARTHEST_ACCEPTOR = 3.6

#: A hydrogen farther (Å) than this from every heavy atom has no bond to be measured.
LONGEST_BOND = 1.3

#: Median bond lengths (Å) to an element below which they are taken for X-ray ones: half way
#: between the usual X-ray lengths (0.95, 0.88, 0.82) and those of relaxed structures.
XRAY_BELOW = {"C": 1.04, "N": 0.96, "O": 0.92}

#: A hydrogen whose second heavy atom is closer (Å) than this is shared and is not moved.
SHARED_BELOW = 1.35

#: Flag of the sites whose hydrogens were moved.
FLAG = "hydrogen-normalised"


@dataclass(frozen=True)
class HydrogenBonds:
    """Bonds between hydrogens and the heavy atoms that carry them."""

    hydrogen: np.ndarray  #: Index of each bonded hydrogen, shape (bonds,).
    heavy: np.ndarray  #: Index of the atom that carries it, shape (bonds,).
    carrier: np.ndarray  #: Element of that atom, shape (bonds,).
    vector: np.ndarray  #: From the carrier to the hydrogen in Å, shape (bonds, 3).
    shared: np.ndarray  #: Whether a second heavy atom is about as close, shape (bonds,).

    @property
    def length(self) -> np.ndarray:
        """Bond lengths in Å, shape (bonds,)."""
        return np.linalg.norm(self.vector, axis=1)

    def median(self, element: str) -> float:
        """Median length in Å of the bonds to an element, NaN where there is none."""
        lengths = self.length[self.carrier == element]
        return float(np.median(lengths)) if len(lengths) else float("nan")


def measure_bonds(crystal: Crystal) -> HydrogenBonds:
    """Find the nearest heavy atom of each hydrogen, across the walls of the cell.

    Up to `LONGEST_BOND`; hydrogens without a bond are left out.
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
        heavy=near.second[first],
        carrier=crystal.elements[near.second[first]],
        vector=-near.vectors[first],
        shared=counts[has_bond] > 1,
    )


def is_xray(bonds: HydrogenBonds) -> np.ndarray:
    """Which bonds, shape (bonds,), are of a kind as short as X-ray refinement leaves it.

    All bonds to an element whose median length is short: C–H, N–H and O–H are judged apart.
    """
    short = [e for e, limit in XRAY_BELOW.items() if bonds.median(e) < limit]
    return np.isin(bonds.carrier, short)


def relaxed_lengths(crystal: Crystal, bonds: HydrogenBonds) -> np.ndarray:
    """Lengths in Å that bonds of a crystal would have if it were relaxed, shape (bonds,).

    NaN for bonds to other elements than C, N and O.
    """
    around = find_bonds(crystal)
    coordination, hydrogens = around.coordination[bonds.heavy], around.count("H")[bonds.heavy]
    lengths = np.where(bonds.carrier == "C", CARBON_LENGTHS[4], np.nan)
    for number, length in CARBON_LENGTHS.items():
        lengths[(bonds.carrier == "C") & (coordination == number)] = length
    lengths[(bonds.carrier == "C") & (coordination == 4) & (hydrogens == 3)] = METHYL_LENGTH
    apart = _acceptor_distances(crystal, bonds)
    is_ammonium = (bonds.carrier == "N") & (coordination == 4)
    for kind, (distances, means) in DONOR_LENGTHS.items():
        chosen = is_ammonium if kind == "ammonium" else (bonds.carrier == kind) & ~is_ammonium
        lengths[chosen] = np.interp(apart[chosen], distances, means)
    return lengths


def _acceptor_distances(crystal: Crystal, bonds: HydrogenBonds) -> np.ndarray:
    """Distance (Å) of donor and nearest acceptor of each bond, infinite where there is none."""
    near = find_neighbours(crystal.cell, crystal.positions, _FARTHEST_ACCEPTOR, crystal.where)
    near = near.where(np.isin(crystal.elements[near.second], ("N", "O")))
    distances = np.full(len(bonds.hydrogen), np.inf)
    for k, (donor, way) in enumerate(zip(bonds.heavy, bonds.vector, strict=True)):
        own = near.vectors[slice(*np.searchsorted(near.first, (donor, donor + 1)))]
        beyond = own - way
        lengths = np.linalg.norm(beyond, axis=1)
        is_ahead = beyond @ way > 0.5 * lengths * np.linalg.norm(way)  # within 60 degrees
        if is_ahead.any():
            nearest = np.argmin(np.where(is_ahead, lengths, np.inf))
            distances[k] = np.linalg.norm(own[nearest])
    return distances


def normalise_hydrogens(crystal: Crystal, mode: Hydrogens = "auto") -> Crystal:
    """Move hydrogens along their bonds to the lengths that the networks know.

    Parameters
    ----------
    crystal : Crystal
        The crystal.
    mode : {"auto", "neutron", "keep"}
        Lengthen those of X-ray length to `relaxed_lengths`; move all to the mean neutron
        lengths `NEUTRON_LENGTHS`; move none.

    Returns
    -------
    Crystal
        The crystal itself where nothing was moved; else a copy with `moved`, with a warning
        that tells the number of moved hydrogens and their lengths before and after, and with
        the flag ``hydrogen-normalised`` on their sites.

    Raises
    ------
    UsageError
        If `mode` is none of the choices.

    Notes
    -----
    Bonds to elements other than C, N and O stay, and so do hydrogens between two heavy
    atoms. ``auto`` never shortens a bond: in a strong hydrogen bond it may well be long.
    Copies of a site move alike because the rule looks at each atom's own surroundings.
    """
    if mode not in get_args(Hydrogens):
        choices = ", ".join(get_args(Hydrogens))
        raise UsageError(f"hydrogens is one of {choices}, not '{str(mode)[:30]}'")
    if mode == "keep" or not np.isfinite(crystal.positions).all():
        return crystal
    bonds = measure_bonds(crystal)
    if mode == "neutron":
        target = np.array([NEUTRON_LENGTHS.get(str(e), np.nan) for e in bonds.carrier])
        move = abs(target - bonds.length) > 1e-4
    elif (move := is_xray(bonds)).any():
        target = relaxed_lengths(crystal, bonds)
        move &= target - bonds.length > 1e-4
    else:
        return crystal
    move &= np.isfinite(target) & ~bonds.shared
    if not move.any():
        return crystal
    step = np.zeros(len(crystal))
    step[bonds.hydrogen[move]] = (target - bonds.length)[move]
    positions = crystal.positions.copy()
    ways = bonds.vector[move] / bonds.length[move, None]
    positions[bonds.hydrogen[move]] += ways * (target - bonds.length)[move, None]
    flagged = crystal.with_flag(bonds.hydrogen[move], FLAG).with_warning(
        _report(bonds, move, target, mode)
    )
    # The sites are those before the move: a search must not depend on rounding after it.
    return replace(flagged, positions=positions, site_ids=crystal.site_numbers, moved=step)


def _report(bonds: HydrogenBonds, move: np.ndarray, target: np.ndarray, mode: str) -> str:
    parts = []
    for element in NEUTRON_LENGTHS:
        chosen = move & (bonds.carrier == element)
        if chosen.any():
            before, after = _span(bonds.length[chosen]), _span(target[chosen])
            parts.append(f"{element}–H from {before} to {after} Å")
    lengths = "mean neutron lengths" if mode == "neutron" else "the lengths of relaxed crystals"
    return f"{int(move.sum())} hydrogens moved along their bonds to {lengths}: {'; '.join(parts)}"


def _span(lengths: np.ndarray) -> str:
    """Smallest and largest of some lengths, once where they are the same."""
    low, high = f"{lengths.min():.3f}", f"{lengths.max():.3f}"
    return low if low == high else f"{low}–{high}"
