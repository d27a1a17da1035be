"""Which atoms are bonded, and the groups that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftcli.structure.crystal import ELEMENTS, LONGEST_BOND, Crystal, periodic_images


@dataclass(frozen=True, eq=False)
class Bonds:
    """The covalent bonds of a crystal, across the walls of its cell.

    Attributes
    ----------
    elements : numpy.ndarray
        Chemical symbols, shape (n,).
    neighbours : tuple of numpy.ndarray
        For each atom the indices of the atoms bonded to it, nearest first; an atom whose
        images are bonded several times stands there as often.
    vectors : tuple of numpy.ndarray
        For each atom the ways in Å to those neighbours, shape (bonds, 3); they lead out of
        the cell where the bond does.
    """

    elements: np.ndarray
    neighbours: tuple[np.ndarray, ...]
    vectors: tuple[np.ndarray, ...]

    @property
    def coordination(self) -> np.ndarray:
        """Bonds of each atom, shape (n,)."""
        return np.array([len(near) for near in self.neighbours], dtype=int)

    def count(self, element: str) -> np.ndarray:
        """Bonds of each atom to atoms of one element, shape (n,)."""
        counts = [np.count_nonzero(self.elements[near] == element) for near in self.neighbours]
        return np.array(counts, dtype=int)


def find_bonds(crystal: Crystal) -> Bonds:
    """Find the bonds between H, C, N and O.

    Parameters
    ----------
    crystal : Crystal
        The crystal, or an isolated molecule.

    Returns
    -------
    Bonds
        Atoms closer than `crystal.LONGEST_BOND` are bonded. Atoms of other elements
        have no bonds, for one length for all of them would join neighbours of neighbours.
    """
    from scipy.spatial import cKDTree

    known = np.flatnonzero(np.isin(crystal.elements, ELEMENTS))
    neighbours = [np.empty(0, dtype=int)] * len(crystal)
    vectors = [np.empty((0, 3))] * len(crystal)
    if not len(known):
        return Bonds(crystal.elements, tuple(neighbours), tuple(vectors))
    positions = crystal.positions[known]
    reach = max(LONGEST_BOND["heavy"], LONGEST_BOND["hydrogen"])
    points, origin = periodic_images(crystal.cell, positions, reach)
    near = cKDTree(points).query_ball_point(positions, reach)
    first = np.repeat(np.arange(len(known)), [len(hits) for hits in near])
    image = np.concatenate([np.asarray(hits, dtype=int) for hits in near])
    away = points[image] - positions[first]
    distance = np.linalg.norm(away, axis=1)
    hydrogen = crystal.elements[known] == "H"
    with_hydrogen = hydrogen[first] | hydrogen[origin[image]]
    longest = np.where(with_hydrogen, LONGEST_BOND["hydrogen"], LONGEST_BOND["heavy"])
    bonded = np.flatnonzero((distance > 1e-9) & (distance < longest))
    ordered = bonded[np.lexsort((distance[bonded], first[bonded]))]
    starts = np.searchsorted(first[ordered], np.arange(1, len(known)))
    parts = np.split(known[origin[image[ordered]]], starts)
    ways = np.split(away[ordered], starts)
    for atom, partners, way in zip(known, parts, ways, strict=True):
        neighbours[atom], vectors[atom] = partners, way
    return Bonds(crystal.elements, tuple(neighbours), tuple(vectors))


def rotors(bonds: Bonds, centre: str) -> list[tuple[int, np.ndarray]]:
    """Find CH3 or NH3 groups, whose hydrogens exchange faster than NMR can see.

    Parameters
    ----------
    bonds : Bonds
        From `find_bonds`.
    centre : {"C", "N"}
        Element that carries exactly three hydrogens.

    Returns
    -------
    list of (int, numpy.ndarray)
        Index of each such atom and those of its hydrogens, shape (3,).
    """
    carriers = np.flatnonzero((bonds.elements == centre) & (bonds.count("H") == 3))
    return [
        (int(k), bonds.neighbours[k][bonds.elements[bonds.neighbours[k]] == "H"]) for k in carriers
    ]
