"""Short descriptions of crystals, by which a copy of one is found among many."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from shiftcli import limits
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.symmetry import SYMMETRY_TOLERANCE

#: Lattice vectors whose lengths describe a lattice: those that bound a Voronoi cell.
_VECTORS = 7

#: Lengths of two descriptions of one lattice differ by less than this fraction.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Fingerprint:
    """What two copies of a crystal share however they are written."""

    name: str  #: Name of the structure; empty where it has none but its place in the file (``#3``).
    formula: str  #: Atoms of the primitive cell by element; of the molecule where there is no cell.
    #: The seven shortest lattice vectors in Å, ascending; empty without a cell. Unlike the edges of
    #: a reduced cell they change little when the cell does.
    lengths: tuple[float, ...]

    @property
    def composition(self) -> tuple[tuple[str, int], ...]:
        """The formula by its smallest whole numbers."""
        parts = [re.fullmatch(r"([A-Za-z]*)(\d{1,9})", part) for part in self.formula.split()]
        counts = [(part[1], int(part[2])) for part in parts if part]
        common = math.gcd(*(count for _, count in counts))
        return tuple((element, count // max(common, 1)) for element, count in counts)

    def matches(self, other: Fingerprint) -> bool:
        """Whether both are of one crystal.

        The same name and composition (displaced atoms of a centred cell leave the cell primitive,
        with twice the formula), or the same formula and lattice to 1 %.
        """
        if self.name and self.name == other.name and self.composition == other.composition:
            return True
        if self.formula != other.formula or not (self.lengths and other.lengths):
            return False
        return bool(np.allclose(self.lengths, other.lengths, rtol=_TOLERANCE, atol=0.0))


def fingerprint(crystal: Crystal) -> Fingerprint:
    """Describe a crystal so that a copy in another setting or cell is found.

    Parameters
    ----------
    crystal : Crystal
        A crystal, or a molecule, which is found again by its name alone.
    """
    cell = crystal.cell
    name = "" if crystal.name.startswith("#") else crystal.name
    if cell is None:
        return Fingerprint(name, _formula(crystal.elements), ())
    elements = crystal.elements
    if len(crystal) <= limits.SYMMETRY_SEARCH_ATOMS:
        cell, elements = _primitive(cell, crystal.positions, elements)
    steps = np.array(list(product((-2, -1, 0, 1, 2), repeat=3)))
    lengths = np.sort(np.linalg.norm(steps @ _reduced(cell), axis=1))
    # The first is no vector at all; each other stands there twice, forth and back.
    shortest = tuple(round(float(x), 3) for x in lengths[1 : 2 * _VECTORS : 2])
    return Fingerprint(name, _formula(elements), shortest)


def _formula(elements: np.ndarray) -> str:
    symbols, counts = np.unique(elements, return_counts=True)
    return " ".join(f"{e}{n}" for e, n in zip(symbols, counts, strict=True))


def _primitive(
    cell: np.ndarray, positions: np.ndarray, elements: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cell and elements of the primitive cell; the cell itself where spglib finds none."""
    import spglib

    symbols, numbers = np.unique(elements, return_inverse=True)
    with warnings.catch_warnings():
        # spglib announces its next interface at every call.
        warnings.simplefilter("ignore")
        # spglib's stubs ask for lists; arrays will do.
        atoms: Any = (cell, positions @ np.linalg.inv(cell), numbers + 1)
        found = spglib.find_primitive(atoms, symprec=SYMMETRY_TOLERANCE)
    if found is None:
        return cell, elements
    return np.asarray(found[0]), symbols[np.asarray(found[2]) - 1]


def _reduced(cell: np.ndarray) -> np.ndarray:
    import spglib

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = spglib.niggli_reduce(cell)
    return cell if found is None else found
