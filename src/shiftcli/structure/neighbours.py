"""Which atoms are near each other, across the walls of the cell: the one search for all.

The search is SciPy's k-d tree over the periodic images; a small crystal needs none. ASE's is
fifty times slower; matscipy's and vesin's are five times faster, which would save 0.4 ms of a
crystal of 100 atoms, but cannot count the pairs of a hostile structure before they list them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shiftcli import limits
from shiftcli.errors import StructureError

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

#: Up to so many pairs of a centre and an image all distances are made: that takes some
#: milliseconds, and SciPy need not be imported, which takes a fifth of a second.
_FEW = 1_000_000

#: An image of an atom closer to it than this (Å) is the atom itself.
_SELF = 1e-6


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Pairs of a centre and an atom, or an image of it, that are near each other."""

    #: The centre of each pair as its position among the centres, ascending, shape (pairs,).
    first: np.ndarray
    second: np.ndarray  #: The atom, shape (pairs,).
    vectors: np.ndarray  #: From the first to that image of the second in Å, shape (pairs, 3).

    @property
    def distances(self) -> np.ndarray:
        """Distances in Å, shape (pairs,)."""
        return np.linalg.norm(self.vectors, axis=1)

    def where(self, keep: np.ndarray) -> Neighbours:
        """The pairs where `keep`, or an order of them."""
        return Neighbours(self.first[keep], self.second[keep], self.vectors[keep])


class NeighbourSearch:
    """Finds the atoms about places in a cell.

    `cell` has lattice vectors as rows in Å, shape (3, 3), None for an isolated molecule;
    `positions` are in Å, shape (n, 3); `reach` is how far (Å) to look; `only`, shape (n,), whether
    each atom may be found. The images are those within reach of all. `StructureError` if there
    would be more periodic images than `shiftcli.limits` allows.
    """

    def __init__(
        self,
        cell: np.ndarray | None,
        positions: np.ndarray,
        reach: float,
        only: np.ndarray | None = None,
    ) -> None:
        self.reach = reach
        self._points, self._origin = periodic_images(cell, positions, reach)
        if only is not None:
            kept = only[self._origin]
            self._points, self._origin = self._points[kept], self._origin[kept]

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self._points)

    def _is_small(self, centres: np.ndarray) -> bool:
        return len(centres) * len(self._points) <= _FEW

    def _pairs(self, centres: np.ndarray) -> np.ndarray:
        """Whether each point is near each centre, shape (centres, points), by all distances."""
        squares = np.zeros((len(centres), len(self._points)))
        for axis in range(3):
            squares += np.subtract.outer(centres[:, axis], self._points[:, axis]) ** 2
        return squares <= self.reach**2

    def count(self, centres: np.ndarray) -> np.ndarray:
        """Atoms about each of some places, an atom at the place itself included.

        To be asked before `around`: their number may grow with the square of the atoms.
        """
        if self._is_small(centres):
            return np.count_nonzero(self._pairs(centres), axis=1)
        return np.asarray(self._tree.query_ball_point(centres, self.reach, return_length=True))

    def nearest(self, centres: np.ndarray, k: int = 1) -> np.ndarray:
        """Distances in Å to the k nearest atoms of each place, shape (m, k), infinite beyond."""
        kth = np.arange(1, k + 1)
        found = self._tree.query(centres, k=kth, distance_upper_bound=self.reach)
        return np.asarray(found[0])

    def around(self, centres: np.ndarray, own: np.ndarray) -> Neighbours:
        """The atoms about each of some atoms; its images are among them, itself it is not.

        Parameters
        ----------
        centres : numpy.ndarray
            Coordinates in Å, shape (m, 3), in the atoms' bounding parallelepiped.
        own : numpy.ndarray
            Indices of the centres among the atoms, shape (m,).
        """
        if self._is_small(centres):
            first, image = self._pairs(centres).nonzero()
        else:
            hits = self._tree.query_ball_point(centres, self.reach, return_sorted=True)
            counts = [len(h) for h in hits]
            image = np.fromiter((k for h in hits for k in h), dtype=int, count=sum(counts))
            first = np.repeat(np.arange(len(centres)), counts)
        vectors = self._points[image] - centres[first]
        found = Neighbours(first, self._origin[image], vectors)
        return found.where((found.distances > _SELF) | (found.second != own[first]))


def find_neighbours(
    cell: np.ndarray | None, positions: np.ndarray, reach: float, where: str = ""
) -> Neighbours:
    """All pairs of atoms within about the length of a bond, each from both sides.

    Parameters
    ----------
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); None for an isolated molecule.
    positions : numpy.ndarray
        Coordinates in Å, shape (n, 3).
    reach : float
        Distance in Å.
    where : str
        File and block, for messages.

    Returns
    -------
    Neighbours
        An atom and its own image are a pair, two atoms in one place are, too.

    Raises
    ------
    StructureError
        If more atoms crowd about one, or in all, than `shiftcli.limits` allows.
    """
    if not len(positions):
        return Neighbours(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3)))
    search = NeighbourSearch(cell, positions, reach)
    counts = search.count(positions)
    if counts.max(initial=0) > limits.CROWD or counts.sum() > limits.PAIRS:
        raise StructureError(
            f"up to {counts.max()} atoms within {reach:.1f} Å of each other: no structure",
            where=where,
            hint="disorder, or several structures in one?",
        )
    return search.around(positions, np.arange(len(positions)))


def periodic_images(
    cell: np.ndarray | None, positions: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """All periodic images of a cell's atoms within reach of its atoms.

    Parameters
    ----------
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); with None there are no images.
    positions : numpy.ndarray
        Cartesian coordinates in Å, shape (n, 3).
    radius : float
        Every image closer than this (Å) to any point of the atoms' bounding
        parallelepiped is found.

    Returns
    -------
    points : numpy.ndarray
        Coordinates of the images in Å, shape (m, 3), the atoms themselves among them.
    origin : numpy.ndarray
        Index of the atom each image is a copy of, shape (m,).

    Raises
    ------
    StructureError
        If there would be more images than `shiftcli.limits` allows: the cell is needle-like
        or very skewed.
    """
    if cell is None:
        return positions, np.arange(len(positions))
    inverse = np.linalg.inv(cell)
    fractional = positions @ inverse
    # The distance between lattice planes along axis a is 1 / |column a of the inverse|.
    reach = radius * np.linalg.norm(inverse, axis=0)
    low, high = fractional.min(axis=0) - reach, fractional.max(axis=0) + reach
    estimate = len(positions) * np.prod(high - low)
    if not estimate < limits.IMAGES:
        raise StructureError(
            f"{len(positions)} atoms have {estimate:.2g} periodic images within {radius:.1f} Å; "
            f"at most {limits.IMAGES} are made",
            hint="write the structure in its reduced (Niggli) cell",
        )
    points, origin = fractional, np.arange(len(positions))
    for axis in range(3):
        first = np.ceil(low[axis] - points[:, axis]).astype(int)
        last = np.floor(high[axis] - points[:, axis]).astype(int)
        counts = last - first + 1
        copies = np.repeat(np.arange(len(points)), counts)
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        points, origin = points[copies], origin[copies]
        points[:, axis] += first[copies] + step
    return points @ cell, origin
