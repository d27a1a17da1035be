"""Families of near copies: candidates that differ by less than the networks can see.

Structures are compared by the surroundings of their atoms: the sorted distances to the nearest
heavy atoms, averaged over the atoms of one place in the molecule. That does not depend on cell,
origin, order of atoms or handedness.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from shiftcli.nmr.labels import find_skeletons, graph_places
from shiftcli.structure.crystal import Crystal

#: Largest root mean square difference (Å) of distances about any atom between near copies.
#: Of 25 published crystals and distorted copies (``tests/nmr/test_ranking_published.py``), copies
#: rattled by 0.04 Å have 0.02 to 0.04, with hydrogens moved by 0.05 Å 0.02 to 0.03 and by 0.10 Å
#: 0.04 to 0.07, cells strained by 2 % 0.03 to 0.07 and by 3 % with rigid molecules 0.06 to 0.15;
#: groups turned about a bond 0.02 (methyl) to 0.5.
TOLERANCE = 0.15

#: The same for shieldings that were calculated and not predicted, which see smaller differences:
#: structures that are the same but for rounding.
TOLERANCE_STATED = 0.01

#: Distances about the atoms of each place in the molecules, in Å, shape (k,) each.
Fingerprint = Mapping[Hashable, np.ndarray]


def fingerprint(crystal: Crystal) -> Fingerprint:
    """The surroundings of the atoms of a crystal.

    By place in the molecule and element, sorted distances in Å to heavy atoms, shape (k,).
    """
    around = {k: own for skeleton in find_skeletons(crystal) for k, own in skeleton.around.items()}
    found: dict[Hashable, list[np.ndarray]] = {}
    for atom, place in graph_places(crystal).items():
        found.setdefault(place, []).append(around[atom])
    return {place: np.mean(own, axis=0) for place, own in found.items()}


def difference(one: Fingerprint, other: Fingerprint) -> float:
    """The largest root mean square difference (Å) of distances about a place in the molecule.

    Infinite where the molecules differ.
    """
    if one.keys() != other.keys():
        return float("inf")
    if not one:
        return 0.0
    return max(float(np.sqrt(((one[k] - other[k]) ** 2).mean())) for k in one)


def find_families(fingerprints: Sequence[Fingerprint], tolerance: float = TOLERANCE) -> list[int]:
    """Number of the family of each structure, from 0: near copies of the first one in it.

    Structures are taken in the order given, the best first; a `tolerance` (Å) of 0 makes each a
    family of its own.
    """
    firsts: list[Fingerprint] = []
    numbers = []
    for own in fingerprints:
        near = (k for k, first in enumerate(firsts) if tolerance > difference(own, first))
        number = next(near, len(firsts))
        if number == len(firsts):
            firsts.append(own)
        numbers.append(number)
    return numbers
