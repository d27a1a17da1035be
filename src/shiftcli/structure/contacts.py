"""Distances that chemistry asks for: hydrogen bonds, and atoms of other elements."""

from __future__ import annotations

import numpy as np

from shiftcli.structure.bonds import Bonds
from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.structure.neighbours import Neighbours, NeighbourSearch, find_neighbours

#: H···A beyond this (Å) is not looked at: no bond, or one that no longer matters.
LONGEST_CONTACT = 2.4

#: How far (Å) other elements are looked for: farther ones do not move a shielding.
FARTHEST = 10.0


def find_hydrogen_bonds(crystal: Crystal, bonds: Bonds) -> tuple[Neighbours, np.ndarray]:
    """Pairs of a hydrogen and an acceptor up to `LONGEST_CONTACT`; donors, acceptors are N and O.

    From each hydrogen to the acceptor, and the atom that carries the hydrogen of each pair.
    """
    elements = bonds.elements
    polar = np.isin(elements, ("N", "O"))
    carrier = np.array([near[0] if len(near) else -1 for near in bonds.neighbours], dtype=int)
    donated = (elements == "H") & (carrier >= 0)
    donated[donated] = polar[carrier[donated]]
    near = find_neighbours(crystal.cell, crystal.positions, LONGEST_CONTACT, crystal.where)
    near = near.where(donated[near.first] & polar[near.second])
    # The carrier is the nearest; its own images are acceptors all the same.
    shortest = np.full(len(crystal), np.inf)
    np.minimum.at(shortest, near.first, near.distances)
    near = near.where(near.distances > shortest[near.first] + 1e-6)
    return near, carrier[near.first]


def hydrogen_bonds(crystal: Crystal, bonds: Bonds) -> np.ndarray:
    """Length H···A in Å of the shortest hydrogen bond that each atom takes part in, shape (n,).

    Of donor, hydrogen and acceptor alike; infinite for atoms without one up to `LONGEST_CONTACT`.
    """
    near, carriers = find_hydrogen_bonds(crystal, bonds)
    found = np.full(len(crystal), np.inf)
    for atoms in (near.first, near.second, carriers):
        np.minimum.at(found, atoms, near.distances)
    return found


def distances_to_others(crystal: Crystal) -> np.ndarray:
    """Distance in Å of each atom to the nearest one that is not H, C, N or O, shape (n,).

    Infinite where there is none within `FARTHEST`, 0 for such an atom.
    """
    others = ~np.isin(crystal.elements, ELEMENTS)
    if not others.any():
        return np.full(len(crystal), np.inf)
    search = NeighbourSearch(crystal.cell, crystal.positions, FARTHEST, only=others)
    return search.nearest(crystal.positions)[:, 0]
