"""What the picture of a structure needs: molecules in one piece, bonds, the cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.crystal import Crystal

#: Two places closer than this (Å) are the same.
_SAME = 0.01


def draw_data(crystal: Crystal) -> dict[str, Any]:
    """Places and bonds of a crystal's atoms.

    Parameters
    ----------
    crystal : Crystal
        The crystal, or an isolated molecule.

    Returns
    -------
    dict
        ``positions`` in Å, molecules whole and their centres in the cell; ``bonds`` as pairs
        of atoms; ``stubs`` as an atom and the half way to a neighbour that is drawn elsewhere,
        where a molecule has no end; ``cell`` as lattice vectors, or None.
    """
    bonds = find_bonds(crystal)
    placed = whole_molecules(crystal, bonds)
    pairs, stubs = [], []
    for atom, (near, ways) in enumerate(zip(bonds.neighbours, bonds.vectors, strict=True)):
        for partner, way in zip(near.tolist(), ways, strict=True):
            if np.linalg.norm(placed[partner] - placed[atom] - way) > _SAME:
                stubs.append([atom, *_rounded(way / 2)])
            elif atom < partner:
                pairs.append([atom, partner])
    return {
        "positions": [_rounded(place) for place in placed],
        "bonds": pairs,
        "stubs": stubs,
        "cell": None if crystal.cell is None else [_rounded(v) for v in crystal.cell],
    }


def whole_molecules(crystal: Crystal, bonds: Bonds) -> np.ndarray:
    """Move atoms by lattice vectors so that molecules are in one piece.

    Parameters
    ----------
    crystal : Crystal
        The crystal.
    bonds : Bonds
        Its bonds.

    Returns
    -------
    numpy.ndarray
        Positions in Å, shape (n, 3); the centre of each molecule is in the cell.
    """
    placed = crystal.positions.copy()
    is_placed = np.zeros(len(crystal), dtype=bool)
    for start in range(len(crystal)):
        if is_placed[start]:
            continue
        is_placed[start] = True
        molecule = [start]
        for atom in molecule:  # grows as neighbours are found
            for partner, way in zip(
                bonds.neighbours[atom].tolist(), bonds.vectors[atom], strict=True
            ):
                if not is_placed[partner]:
                    is_placed[partner] = True
                    placed[partner] = placed[atom] + way
                    molecule.append(partner)
        if crystal.cell is not None:
            centre = placed[molecule].mean(axis=0) @ np.linalg.inv(crystal.cell)
            # A little less than the centre, so that rounding does not send a molecule on a
            # wall of the cell to the other one.
            placed[molecule] -= np.floor(centre + 1e-6) @ crystal.cell
    return placed


def _rounded(vector: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in vector]
