"""What the picture of a structure needs: molecules in one piece, bonds, the cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.contacts import find_hydrogen_bonds
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import SAME_PLACE, molecules

#: Sharpest angle D–H···A (degrees) of a hydrogen bond that is drawn.
SHARPEST = 110.0


def draw_data(crystal: Crystal) -> dict[str, Any]:
    """Places and bonds of the atoms of a crystal, or of an isolated molecule.

    ``positions`` in Å, molecules whole and their centres in the cell; ``bonds`` as pairs of atoms;
    ``stubs`` as an atom and the half way to a neighbour that is drawn elsewhere, where a molecule
    has no end; ``molecules``, a number for each atom; ``contacts``, hydrogen bonds as a hydrogen,
    an acceptor and the cell that the acceptor is in, counted from that of where it is drawn;
    ``cell`` as lattice vectors, or None.
    """
    bonds = find_bonds(crystal)
    placed = np.empty((len(crystal), 3))
    numbers = np.empty(len(crystal), dtype=int)
    for number, molecule in enumerate(molecules(crystal)):
        placed[molecule.atoms] = molecule.positions
        numbers[molecule.atoms] = number
    pairs, stubs = [], []
    for atom, (near, ways) in enumerate(zip(bonds.neighbours, bonds.vectors, strict=True)):
        for partner, way in zip(near.tolist(), ways, strict=True):
            if np.linalg.norm(placed[partner] - placed[atom] - way) > SAME_PLACE:
                stubs.append([atom, *_rounded(way / 2)])
            elif atom < partner:
                pairs.append([atom, partner])
    return {
        "positions": [_rounded(place) for place in placed],
        "bonds": pairs,
        "stubs": stubs,
        "molecules": numbers.tolist(),
        "contacts": _contacts(crystal, bonds, placed),
        "cell": None if crystal.cell is None else [_rounded(v) for v in crystal.cell],
    }


def _contacts(crystal: Crystal, bonds: Bonds, placed: np.ndarray) -> list[list[int]]:
    """Hydrogen bonds that are bent by less than `SHARPEST`."""
    near, carriers = find_hydrogen_bonds(crystal, bonds)
    inverse = None if crystal.cell is None else np.linalg.inv(crystal.cell)
    found = []
    for h, a, way, carrier in zip(
        near.first.tolist(), near.second.tolist(), near.vectors, carriers.tolist(), strict=True
    ):
        back = placed[carrier] - placed[h]
        if inverse is not None:
            back -= np.rint(back @ inverse) @ crystal.cell
        cosine = back @ way / np.linalg.norm(back) / np.linalg.norm(way)
        if cosine > np.cos(np.radians(SHARPEST)):
            continue
        moved = placed[h] + way - placed[a]
        cell = [0, 0, 0] if inverse is None else np.rint(moved @ inverse).astype(int).tolist()
        found.append([h, a, *cell])
    return found


def _rounded(vector: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in vector]
