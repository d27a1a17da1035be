"""What speaks for a symmetry, where a file's statements leave several or disagree."""

from __future__ import annotations

import numpy as np

from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.checks import MOST_BONDS
from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.structure.molecules import SAME_PLACE, molecules
from shiftcli.structure.neighbours import find_neighbours

#: Shortest contacts (Å) between atoms that are neither bonded nor bonded to the same atom, by
#: number of hydrogens: hydrogen bonds are shorter and are looked for apart.
CONTACT = {0: 2.35, 1: 1.9, 2: 1.8}

#: Contacts (Å) that 98 of 100 published crystals keep between molecules: of two hydrogens, of
#: carbon and hydrogen, of carbon and another heavy atom.
APART = {"HH": 1.85, "CH": 2.2, "C": 2.8}


def is_sound(crystal: Crystal) -> bool:
    """Whether all atoms are bonded as they can be, and no contacts are too short.

    Parameters
    ----------
    crystal : Crystal
        All atoms of a cell. Elements other than H, C, N and O are not judged.
    """
    bonds = find_bonds(crystal)
    hydrogen = crystal.elements == "H"
    most = np.array([MOST_BONDS.get(e, np.inf) for e in crystal.elements.tolist()])
    if (bonds.coordination > np.where(hydrogen, 2, most)).any():
        return False
    known = np.isin(crystal.elements, ELEMENTS)
    if known.all() and (bonds.coordination == 0).any():
        return False
    near = find_neighbours(crystal.cell, crystal.positions, max(CONTACT.values()))
    near = near.where(known[near.first] & known[near.second])
    hydrogens = hydrogen[near.first].astype(int) + hydrogen[near.second]
    shortest = np.choose(hydrogens, [CONTACT[k] for k in range(3)])
    acceptor = np.isin(crystal.elements, ("N", "O"))
    # A hydrogen may be anywhere between two of N and O.
    is_bridge = (hydrogens == 1) & (acceptor[near.first] | acceptor[near.second])
    short = np.flatnonzero((near.distances < shortest) & ~is_bridge)
    joined = [set(near_atoms.tolist()) for near_atoms in bonds.neighbours]
    return all(
        j in joined[i] or joined[i] & joined[j]
        for i, j in zip(near.first[short].tolist(), near.second[short].tolist(), strict=True)
    )


def is_roomy(crystal: Crystal) -> bool:
    """Whether molecules are as far from each other as in nearly all crystals.

    Parameters
    ----------
    crystal : Crystal
        All atoms of a cell that `is_sound`.
    """
    bonds, placed = find_bonds(crystal), np.array(crystal.positions)
    for molecule in molecules(crystal):
        placed[molecule.atoms] = molecule.positions
    near = find_neighbours(crystal.cell, crystal.positions, max(APART.values()))
    offset = abs(placed[near.second] - placed[near.first] - near.vectors).max(axis=1)
    number = bonds.molecules
    near = near.where((number[near.first] != number[near.second]) | (offset > SAME_PLACE))
    pairs = np.array([crystal.elements[near.first], crystal.elements[near.second]])
    hydrogens, carbons = (pairs == "H").sum(axis=0), (pairs == "C").any(axis=0)
    shortest = np.select(
        [hydrogens == 2, carbons & (hydrogens == 1), carbons], list(APART.values()), 0.0
    )
    return bool((near.distances >= shortest).all())
