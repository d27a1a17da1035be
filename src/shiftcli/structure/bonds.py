"""Which atoms are bonded, and the groups that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.structure.neighbours import find_neighbours

#: Longest bonds (Å) between H, C, N and O, by the number of hydrogens.
LONGEST_BOND = (1.75, 1.2, 0.9)

#: A hydrogen is bonded to its nearest heavy atom up to this distance (Å): it may be shared.
LONGEST_SHARED = 1.35

#: Bonds to other elements are longer than the sum of the covalent radii by up to this (Å): the
#: rule of the Cambridge Structural Database, and less for hydrogens.
_BEYOND_RADII, _BEYOND_HYDROGEN = 0.4, 0.2


@dataclass(frozen=True, eq=False)
class Bonds:
    """The covalent bonds of a crystal, across the walls of its cell."""

    elements: np.ndarray  #: Chemical symbols, shape (n,).
    #: For each atom the indices of the atoms bonded to it, nearest first; an atom whose images are
    #: bonded several times stands there as often.
    neighbours: tuple[np.ndarray, ...]
    #: For each atom the ways in Å to those neighbours, shape (bonds, 3); they lead out of the cell
    #: where the bond does.
    vectors: tuple[np.ndarray, ...]

    @property
    def coordination(self) -> np.ndarray:
        """Bonds of each atom, shape (n,)."""
        return np.array([len(near) for near in self.neighbours], dtype=int)

    @cached_property
    def molecules(self) -> np.ndarray:
        """Number of the molecule that each atom is in, from 0 by first atoms, shape (n,)."""
        numbers = [-1] * len(self.elements)
        count = 0
        for start in range(len(numbers)):
            waiting = [start] if numbers[start] < 0 else []
            count += len(waiting)
            while waiting:
                atom = waiting.pop()
                numbers[atom] = count - 1
                waiting += [k for k in self.neighbours[atom].tolist() if numbers[k] < 0]
        return np.array(numbers, dtype=int)

    def count(self, *elements: str) -> np.ndarray:
        """Bonds of each atom to atoms of some elements, shape (n,)."""
        counts = [np.isin(self.elements[near], elements).sum() for near in self.neighbours]
        return np.array(counts, dtype=int)


def find_bonds(crystal: Crystal) -> Bonds:
    """Find the bonds of a crystal, or of isolated molecules.

    Atoms closer than `longest_bonds` are bonded, and a hydrogen to its nearest heavy atom within
    `LONGEST_SHARED`. They are found once for crystals of the same atoms in the same places.
    `StructureError` if the atoms are on a heap, see `shiftcli.limits`.
    """
    cell = None if crystal.cell is None else crystal.cell.astype(float).tobytes()
    positions = crystal.positions.astype(float).tobytes()
    return _search(tuple(crystal.elements.tolist()), positions, cell, crystal.where)


# As of a crystal's symmetry: readers, checks, networks and rankings ask for the bonds one after
# the other, most of them of copies that have one more warning.
@lru_cache(maxsize=8)
def _search(symbols: tuple[str, ...], places: bytes, lattice: bytes | None, where: str) -> Bonds:
    elements = np.array(symbols, dtype="<U2")
    if not symbols:
        return Bonds(elements, (), ())
    cell = None if lattice is None else np.frombuffer(lattice).reshape(3, 3)
    found, kinds = np.unique(elements, return_inverse=True)
    longest = longest_bonds(found)
    reach = max(LONGEST_SHARED, longest.max(initial=0))
    near = find_neighbours(cell, np.frombuffer(places).reshape(-1, 3), reach, where)
    near = near.where(np.lexsort((near.distances, near.first)))
    distances = near.distances
    bonded = distances < longest[kinds[near.first], kinds[near.second]]
    bonded |= _is_nearest(elements == "H", near.first, near.second, distances)
    near = near.where(bonded & (distances > 1e-9))
    ends = np.searchsorted(near.first, np.arange(1, len(elements)))
    return Bonds(elements, tuple(np.split(near.second, ends)), tuple(np.split(near.vectors, ends)))


def longest_bonds(symbols: np.ndarray) -> np.ndarray:
    """The table of bond lengths.

    Parameters
    ----------
    symbols : numpy.ndarray
        k chemical symbols.

    Returns
    -------
    numpy.ndarray
        Longest bond in Å between each two of them, shape (k, k): `LONGEST_BOND` between H, C,
        N and O, which no contact in a crystal comes near; the sum of the covalent radii of
        Cordero et al. (Dalton Trans. 2832 (2008)) and 0.4 Å, with hydrogen 0.2 Å, otherwise.
    """
    import gemmi

    is_known, is_hydrogen = np.isin(symbols, ELEMENTS), symbols == "H"
    radii = np.array([gemmi.Element(str(symbol)).covalent_r for symbol in symbols], dtype=float)
    hydrogens = is_hydrogen[:, None].astype(int) + is_hydrogen
    beyond = np.where(hydrogens > 0, _BEYOND_HYDROGEN, _BEYOND_RADII)
    by_radii = radii[:, None] + radii + beyond
    return np.where(is_known[:, None] & is_known, np.array(LONGEST_BOND)[hydrogens], by_radii)


def _is_nearest(
    is_hydrogen: np.ndarray, first: np.ndarray, second: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    """Pairs of a hydrogen and its nearest heavy atom within `LONGEST_SHARED`, both ways."""
    mixed = is_hydrogen[first] != is_hydrogen[second]
    hydrogen = np.where(is_hydrogen[first], first, second)
    nearest = np.full(len(is_hydrogen), LONGEST_SHARED)
    np.minimum.at(nearest, hydrogen[mixed], distances[mixed])
    return mixed & (distances < np.minimum(nearest[hydrogen] + 1e-6, LONGEST_SHARED))


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
