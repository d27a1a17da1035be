"""Near copies are one family, other packings and conformers are not."""

import numpy as np
from nmr_molecules import amino_alcohol, crystal_of, rewrite

from shiftcli.nmr.families import TOLERANCE, difference, find_families, fingerprint

LABELS, PLACES = amino_alcohol()


def test_the_way_of_writing_does_not_matter():
    crystal = crystal_of(LABELS, PLACES)
    own = fingerprint(crystal)
    for seed in range(4):
        assert difference(own, fingerprint(rewrite(crystal, seed)[0])) < 1e-6


def test_near_copies_and_others():
    crystal = crystal_of(LABELS, PLACES)
    rng = np.random.default_rng(1)
    near = crystal_of(LABELS, PLACES + 0.02 * rng.normal(size=PLACES.shape))
    packed = crystal_of(LABELS, PLACES, size=8.0)
    turned = crystal_of(LABELS, PLACES[:, [1, 2, 0]], size=8.0)
    prints = [fingerprint(c) for c in (crystal, packed, near, turned)]
    assert difference(prints[0], prints[2]) < TOLERANCE / 2
    assert difference(prints[0], prints[1]) > TOLERANCE
    numbers = find_families(prints)
    assert numbers[:3] == [0, 1, 0]
    assert find_families(prints, tolerance=0.0) == [0, 1, 2, 3]


def test_other_molecules_are_never_alike():
    one, other = (
        fingerprint(crystal_of(LABELS, PLACES)),
        fingerprint(crystal_of(["C1"], PLACES[:1])),
    )
    assert difference(one, other) == float("inf")
