"""The periodic surroundings of each distinct site, as padded arrays.

Reads a `Crystal`, knows nothing of grids or networks but how far they can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftcli import limits
from shiftcli.errors import StructureError
from shiftcli.structure.crystal import ELEMENTS, Crystal, Site, periodic_images

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

#: How far (Å) the surroundings reach: half the space diagonal of the 14 Å grid and the
#: distance at which the density of one atom falls below the resolution of float16.
RADIUS = 7.0 * 3**0.5 + 2.4

#: Coordinate (Å) of padding entries: so far away that no kernel sees it.
FAR = 1.0e4

#: Sites whose neighbours are looked up at once; bounds the memory of large cells.
_SITES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Environments:
    """Neighbours of several atoms, each relative to its atom, padded to one length.

    Attributes
    ----------
    positions : numpy.ndarray
        Coordinates of the neighbours relative to the central atom in Å, float32, shape
        (n, m, 3); entries beyond an environment's own are `FAR`.
    channels : numpy.ndarray
        Element of each neighbour as its index in `ELEMENTS`, int8, shape (n, m), sorted
        ascending in each row; -1 for padding, which stands at the end.
    """

    positions: np.ndarray
    channels: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, rows: slice | np.ndarray) -> Environments:
        return Environments(self.positions[rows], self.channels[rows])

    @staticmethod
    def concatenate(parts: Sequence[Environments]) -> Environments:
        """Join sets of environments, padding all to the longest."""
        width = max((part.positions.shape[1] for part in parts), default=0)
        total = sum(len(part) for part in parts)
        positions = np.full((total, width, 3), FAR, dtype=np.float32)
        channels = np.full((total, width), -1, dtype=np.int8)
        start = 0
        for part in parts:
            stop, own = start + len(part), part.positions.shape[1]
            positions[start:stop, :own] = part.positions
            channels[start:stop, :own] = part.channels
            start = stop
        return Environments(positions, channels)


def surroundings(crystal: Crystal, sites: Sequence[Site], radius: float = RADIUS) -> Environments:
    """Collect all periodic images within a radius of each site.

    Parameters
    ----------
    crystal : Crystal
        The crystal; atoms of elements other than H, C, N, O are not seen.
    sites : sequence of Site
        The sites to describe; the first copy of each stands for all.
    radius : float
        Cut-off in Å.

    Returns
    -------
    Environments
        One row a site. The central atom itself is left out (facts of the published code),
        its own periodic images are not.

    Raises
    ------
    StructureError
        If a site has more neighbours than `shiftcli.limits` allows.

    Notes
    -----
    Cost grows with the number of sites times the neighbours of one, not with the square
    of the atoms: the images come from `periodic_images`, the search is a k-d tree's.
    """
    from scipy.spatial import cKDTree

    channel_of = {element: k for k, element in enumerate(ELEMENTS)}
    kinds = np.array([channel_of.get(e, -1) for e in crystal.elements.tolist()])
    points, origin = periodic_images(crystal.cell, crystal.positions, radius)
    known = kinds[origin] >= 0
    points, kinds = points[known], kinds[origin[known]]
    tree = cKDTree(points)
    centres = crystal.positions[[site.atoms[0] for site in sites]].reshape(-1, 3)
    # Counted before they are listed: every atom may be a neighbour of every other.
    counts = np.asarray(tree.query_ball_point(centres, radius, return_length=True))
    if counts.max(initial=0) > limits.IMAGES_OF_SITE:
        raise StructureError(
            f"atom {sites[int(counts.argmax())].label} has {counts.max()} neighbours within "
            f"{radius:.1f} Å; at most {limits.IMAGES_OF_SITE} are seen",
            where=crystal.where,
            hint="the cell is far denser than any crystal",
        )
    parts = [
        _pad(centres[k : k + _SITES_AT_ONCE], points, kinds, tree, radius)
        for k in range(0, len(centres), _SITES_AT_ONCE)
    ]
    return Environments.concatenate(parts)


def _pad(
    centres: np.ndarray, points: np.ndarray, kinds: np.ndarray, tree: cKDTree, radius: float
) -> Environments:
    """Neighbours of some centres as one padded block, sorted by element in each row."""
    hits = tree.query_ball_point(centres, radius)
    counts = np.array([len(h) for h in hits])
    row = np.repeat(np.arange(len(centres)), counts)
    image = np.concatenate([np.asarray(h, dtype=int) for h in hits])
    vectors = points[image] - centres[row]
    distance = np.linalg.norm(vectors, axis=1)
    keep = distance > 1e-6
    row, image, vectors, distance = row[keep], image[keep], vectors[keep], distance[keep]
    order = np.lexsort((distance, kinds[image], row))
    row, image, vectors = row[order], image[order], vectors[order]
    counts = np.bincount(row, minlength=len(centres))
    column = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    positions = np.full((len(centres), int(counts.max(initial=1)), 3), FAR, dtype=np.float32)
    channels = np.full(positions.shape[:2], -1, dtype=np.int8)
    positions[row, column] = vectors
    channels[row, column] = kinds[image]
    return Environments(positions, channels)
