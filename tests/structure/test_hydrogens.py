"""Bonds to hydrogen: measured, judged, moved."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import UsageError
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.hydrogens import (
    FLAG,
    NEUTRON_LENGTHS,
    is_xray,
    measure_bonds,
    normalise_hydrogens,
)

DIRECTION = np.array([0.48, 0.6, 0.64])


def crystal(carrier="C", length=0.95, **options):
    """One X–H bond across a cell face, and its image under inversion."""
    positions = np.array([[0.1, 3.0, 3.0], [0, 0, 0], [7.9, 5.0, 5.0], [0, 0, 0]])
    positions[1] = positions[0] - length * DIRECTION + [8, 0, 0]
    positions[3] = 8 - positions[1]
    elements = np.array([carrier, "H", carrier, "H"])
    values = {"site_ids": np.array([0, 1, 0, 1]), "labels": ("X1", "H1", "X1", "H1"), **options}
    return Crystal(elements, positions, np.eye(3) * 8, **values)


@pytest.mark.parametrize(("carrier", "xray"), [("C", 0.95), ("N", 0.88), ("O", 0.82)])
def test_neutron_lengths_along_the_bond(carrier, xray):
    before, target = crystal(carrier, xray), NEUTRON_LENGTHS[carrier]
    after = normalise_hydrogens(before, "neutron")
    bonds = measure_bonds(after)
    np.testing.assert_allclose(bonds.length, target, atol=1e-9)
    np.testing.assert_allclose(bonds.vector[0] / target, -DIRECTION, atol=1e-9)
    np.testing.assert_allclose(after.positions[1] + after.positions[3], 8)
    np.testing.assert_array_equal(after.positions[::2], before.positions[::2])
    np.testing.assert_allclose(after.moved, [0, target - xray, 0, target - xray], atol=1e-9)
    assert after.flags == {1: (FLAG,)}
    assert after.warnings == (
        f"2 hydrogens moved along their bonds to mean neutron lengths: {carrier}–H from "
        f"{xray:.3f} to {target:.3f} Å",
    )


@pytest.mark.parametrize(
    ("carrier", "length"), [("C", 1.097), ("C", 1.083), ("N", 1.031), ("O", 0.997), ("O", 0.98)]
)
def test_relaxed_and_neutron_hydrogens_stay(carrier, length):
    before = crystal(carrier, length)
    assert not is_xray(measure_bonds(before)).any()
    assert normalise_hydrogens(before) is before


def test_modes():
    kept = normalise_hydrogens(crystal(), "keep")
    assert kept.warnings == ()
    assert kept.moved is None
    moved = normalise_hydrogens(crystal(length=1.11), "neutron")
    np.testing.assert_allclose(measure_bonds(moved).length, 1.089)
    with pytest.raises(UsageError, match="auto, neutron, keep, not 'always'"):
        normalise_hydrogens(crystal(), "always")


@pytest.mark.parametrize(
    ("name", "centre", "length"),
    [("CH4", "C", 1.101), ("CH3OH", "C", 1.099), ("C2H4", "C", 1.09), ("C2H2", "C", 1.067),
     ("NH3", "N", 1.021), ("H2O", "O", 0.977)],
)  # fmt: skip
def test_lengths_follow_the_kind_of_atom(name, centre, length):
    from ase.build import molecule

    atoms = molecule(name)
    elements = np.array(atoms.get_chemical_symbols())
    made = Crystal(elements, atoms.positions, None, tuple(elements))
    bonds = measure_bonds(made)
    shrunk = atoms.positions.copy()
    shrunk[bonds.hydrogen] -= bonds.vector * 0.15
    after = measure_bonds(normalise_hydrogens(replace(made, positions=shrunk)))
    np.testing.assert_allclose(after.length[after.carrier == centre], length, atol=1e-9)


@pytest.mark.parametrize(("apart", "length"), [(2.5, 1.048), (2.575, 1.024), (2.75, 0.996)])
def test_lengths_follow_the_hydrogen_bond(apart, length):
    """Two waters: the nearer the acceptor ahead, the longer the bond; behind it changes nothing."""
    positions = np.array([[0, 0, 0], [0.82, 0, 0], [-0.27, 0.77, 0], [apart, 0, 0],
                          [apart + 0.27, 0.77, 0], [apart + 0.27, -0.77, 0]])  # fmt: skip
    pair = Crystal(np.array(list("OHHOHH")), positions, None, ("O1", "H1", "H2", "O2", "H3", "H4"))
    after = measure_bonds(normalise_hydrogens(pair)).length
    assert after[0] == pytest.approx(length, abs=2e-3)
    np.testing.assert_allclose(after[1:], 0.977)


def test_kinds_are_judged_apart_and_no_bond_is_shortened():
    """Relaxed C–H, X-ray O–H, and among the latter a long one of a strong hydrogen bond."""
    elements = np.array(["C", "H", "H", "H", "O", "H", "O", "H", "O", "H"])
    positions = np.array(
        [[0, 0, 0], [-0.37, 1.03, 0], [-0.37, -0.51, 0.89], [-0.37, -0.51, -0.89], [1.42, 0, 0],
         [1.7, 0.77, 0], [5, 5, 5], [5.82, 5, 5], [9, 5, 5], [10.05, 5, 5]]
    )  # fmt: skip
    labels = tuple(f"{e}{k}" for k, e in enumerate(elements))
    after = normalise_hydrogens(Crystal(elements, positions, None, labels))
    assert np.flatnonzero(after.moved).tolist() == [5, 7]
    assert after.site_ids.tolist() == list(range(10))


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
    assert normalise_hydrogens(proton, "neutron") is proton
