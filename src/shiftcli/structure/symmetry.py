"""Which atoms of a cell are copies of each other: spglib's search for the space group."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from shiftcli import limits

#: Distance (Å) within which two atoms count as copies under a symmetry operation.
SYMMETRY_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Symmetry:
    """What spglib says of a cell."""

    name: str  #: Short Hermann–Mauguin symbol, such as ``P2_1/c``.
    #: For each atom the index of the first one that it is a copy of, shape (n,).
    first_copies: np.ndarray
    #: The operations in fractional coordinates, shape (m, 3, 3) and (m, 3).
    rotations: np.ndarray
    translations: np.ndarray


def find_equivalent_atoms(
    cell: np.ndarray | None, elements: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """For each atom of a cell the index of the first one that it is a copy of by the space group.

    `cell` has lattice vectors as rows in Å, shape (3, 3); with None every atom is distinct.
    `positions` are in Å, shape (n, 3). The search is spglib's, with `SYMMETRY_TOLERANCE`; cells of
    more than `shiftcli.limits.SYMMETRY_SEARCH_ATOMS` atoms are taken as they are.
    """
    n = len(elements)
    if cell is None or n > limits.SYMMETRY_SEARCH_ATOMS:
        return np.arange(n)
    found = search_symmetry(cell, elements, positions, SYMMETRY_TOLERANCE)
    return np.arange(n) if found is None else found.first_copies.copy()


def search_symmetry(
    cell: np.ndarray, elements: np.ndarray, positions: np.ndarray, tolerance: float
) -> Symmetry | None:
    """The space group of a cell within a tolerance in Å; None where spglib finds nothing."""
    numbers = np.unique(elements, return_inverse=True)[1] + 1
    fractional = positions @ np.linalg.inv(cell)
    return _search(
        cell.astype(float).tobytes(), fractional.tobytes(), numbers.astype(np.int64).tobytes(),
        tolerance,
    )  # fmt: skip


# Checks and corrections make copies of a crystal whose atoms have not moved: the search, which
# takes seconds for a large cell, need not be made for each.
@lru_cache(maxsize=8)
def _search(cell: bytes, positions: bytes, kinds: bytes, tolerance: float) -> Symmetry | None:
    import spglib

    lattice = np.frombuffer(cell).reshape(3, 3)
    fractional = np.frombuffer(positions).reshape(-1, 3)
    numbers = np.frombuffer(kinds, dtype=np.int64)
    with warnings.catch_warnings():
        # spglib announces its next interface at every call; as an error it would hide the answer.
        warnings.simplefilter("ignore")
        try:
            found = spglib.get_symmetry_dataset(
                (lattice, fractional, numbers),  # type: ignore[arg-type]  # arrays will do
                symprec=tolerance,
            )
        except Exception:  # spglib's own errors differ between its versions
            found = None
    if found is None:
        return None
    return Symmetry(
        str(found.international),
        np.asarray(found.equivalent_atoms),
        np.asarray(found.rotations),
        np.asarray(found.translations),
    )
