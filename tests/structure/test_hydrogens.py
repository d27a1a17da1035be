"""Bonds to hydrogen: measured, judged, moved."""

import numpy as np
import pytest

from shiftcli.errors import UsageError
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.hydrogens import FLAG, is_xray, measure_bonds, normalise_hydrogens

DIRECTION = np.array([0.48, 0.6, 0.64])


def crystal(carrier="C", length=0.95, **options):
    """One X–H bond across a cell face, and its image under inversion."""
    positions = np.array([[0.1, 3.0, 3.0], [0, 0, 0], [7.9, 5.0, 5.0], [0, 0, 0]])
    positions[1] = positions[0] - length * DIRECTION + [8, 0, 0]
    positions[3] = 8 - positions[1]
    elements = np.array([carrier, "H", carrier, "H"])
    values = {"site_ids": np.array([0, 1, 0, 1]), "labels": ("X1", "H1", "X1", "H1"), **options}
    return Crystal(elements, positions, np.eye(3) * 8, **values)


@pytest.mark.parametrize(
    ("carrier", "xray", "target"), [("C", 0.95, 1.089), ("N", 0.88, 1.015), ("O", 0.82, 0.993)]
)
def test_xray_hydrogens_are_moved_along_their_bond(carrier, xray, target):
    before = crystal(carrier, xray)
    after = normalise_hydrogens(before)
    bonds = measure_bonds(after)
    np.testing.assert_allclose(bonds.length, target, atol=1e-9)
    np.testing.assert_allclose(bonds.vector[0] / target, -DIRECTION, atol=1e-9)
    np.testing.assert_allclose(after.positions[1] + after.positions[3], 8)
    np.testing.assert_array_equal(after.positions[::2], before.positions[::2])
    assert after.flags == {1: (FLAG,)}
    assert after.warnings == (
        f"2 hydrogens moved along their bonds to neutron lengths: {carrier}–H median {xray:.3f} "
        f"({xray:.3f} to {xray:.3f}) to {target} Å",
    )


@pytest.mark.parametrize(
    ("carrier", "length"), [("C", 1.097), ("C", 1.083), ("N", 1.031), ("O", 0.997), ("O", 0.98)]
)
def test_relaxed_and_neutron_hydrogens_stay(carrier, length):
    before = crystal(carrier, length)
    assert not is_xray(measure_bonds(before))
    assert normalise_hydrogens(before) is before


def test_modes():
    assert normalise_hydrogens(crystal(), "keep").warnings == ()
    moved = normalise_hydrogens(crystal(length=1.11), "normalise")
    np.testing.assert_allclose(measure_bonds(moved).length, 1.089)
    with pytest.raises(UsageError, match="auto, keep, normalise, not 'always'"):
        normalise_hydrogens(crystal(), "always")


def test_sites_are_found_before_the_move():
    after = normalise_hydrogens(crystal(site_ids=None))
    assert after.site_ids.tolist() == [0, 1, 0, 1]
    assert [site.multiplicity for site in after.sites] == [2, 2]


def test_shared_other_and_lonely_hydrogens_stay():
    elements = np.array(["O", "H", "O", "C", "H", "B", "H", "H"])
    xy = [[0, 0], [1.2, 0], [2.4, 0], [0, 4], [0.95, 4], [0, 8], [1, 8], [0, 12]]
    positions = np.pad(np.array(xy, dtype=float), ((0, 0), (0, 1)))
    labels = tuple(f"{e}{k}" for k, e in enumerate(elements))
    after = normalise_hydrogens(Crystal(elements, positions, None, labels))
    assert np.flatnonzero((after.positions != positions).any(axis=1)).tolist() == [4]


def test_nothing_to_do_without_hydrogens():
    alone = Crystal(np.array(["C"]), np.zeros((1, 3)), None, ("C1",))
    assert normalise_hydrogens(alone) is alone
    proton = Crystal(np.array(["H"]), np.zeros((1, 3)), None, ("H1",))
    assert normalise_hydrogens(proton, "normalise") is proton
