"""What the picture of a structure needs: molecules in one piece, bonds, the cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import SAME_PLACE, molecules


def draw_data(crystal: Crystal) -> dict[str, Any]:
    """Places and bonds of the atoms of a crystal, or of an isolated molecule.

    ``positions`` in Å, molecules whole and their centres in the cell; ``bonds`` as pairs of atoms;
    ``stubs`` as an atom and the half way to a neighbour that is drawn elsewhere, where a molecule
    has no end; ``cell`` as lattice vectors, or None.
    """
    bonds = find_bonds(crystal)
    placed = np.empty((len(crystal), 3))
    for molecule in molecules(crystal, bonds):
        placed[molecule.atoms] = molecule.positions
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
        "cell": None if crystal.cell is None else [_rounded(v) for v in crystal.cell],
    }


def _rounded(vector: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in vector]
