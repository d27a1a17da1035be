"""The periodic surroundings of each distinct site, as padded arrays.

Reads a `Crystal`, knows nothing of grids or networks but how far they can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shiftcli import limits
from shiftcli.errors import StructureError
from shiftcli.structure.crystal import ELEMENTS, Crystal, Site
from shiftcli.structure.neighbours import NeighbourSearch

#: How far (Å) the surroundings reach: half the space diagonal of the 14 Å grid and the
#: distance at which the density of one atom falls below the resolution of float16.
RADIUS = 7.0 * 3**0.5 + 2.4

#: Coordinate (Å) of padding entries: so far away that no kernel sees it.
FAR = 1.0e4

#: Sites whose neighbours are looked up at once; bounds the memory of large cells.
_SITES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Environments:
    """Neighbours of several atoms, each relative to its atom, padded to one length."""

    #: Coordinates of the neighbours relative to the central atom in Å, float32, shape (n, m, 3);
    #: entries beyond an environment's own are `FAR`.
    positions: np.ndarray
    #: Element of each neighbour as its index in `ELEMENTS`, int8, shape (n, m), sorted ascending in
    #: each row; -1 for padding, which stands at the end.
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
    of the atoms, see `structure.neighbours`.
    """
    known = np.flatnonzero(np.isin(crystal.elements, ELEMENTS))
    elements = crystal.elements[known]
    kinds = np.select([elements == element for element in ELEMENTS], range(len(ELEMENTS)))
    search = NeighbourSearch(crystal.cell, crystal.positions[known], radius)
    own = np.searchsorted(known, [site.atoms[0] for site in sites])
    centres = crystal.positions[known[own]].reshape(-1, 3)
    counts = search.count(centres)
    if counts.max(initial=0) > limits.IMAGES_OF_SITE:
        raise StructureError(
            f"atom {sites[int(counts.argmax())].label} has {counts.max()} neighbours within "
            f"{radius:.1f} Å; at most {limits.IMAGES_OF_SITE} are seen",
            where=crystal.where,
            hint="the cell is far denser than any crystal",
        )
    parts = [
        _pad(search, centres[k : k + _SITES_AT_ONCE], own[k : k + _SITES_AT_ONCE], kinds)
        for k in range(0, len(centres), _SITES_AT_ONCE)
    ]
    return Environments.concatenate(parts)


def _pad(
    search: NeighbourSearch, centres: np.ndarray, own: np.ndarray, kinds: np.ndarray
) -> Environments:
    """Neighbours of some centres as one padded block, sorted by element in each row."""
    near = search.around(centres, own)
    # One sort of one number is an order of magnitude faster than three of three.
    rank = near.first * len(ELEMENTS) + kinds[near.second]
    near = near.where(np.argsort(rank * (2 * search.reach) + near.distances))
    row = near.first
    counts = np.bincount(row, minlength=len(centres))
    column = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    positions = np.full((len(centres), int(counts.max(initial=1)), 3), FAR, dtype=np.float32)
    channels = np.full(positions.shape[:2], -1, dtype=np.int8)
    positions[row, column] = near.vectors
    channels[row, column] = kinds[near.second]
    return Environments(positions, channels)
