"""A cell with a wrong length is told by its bonds, a right one is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shiftcli.readers import read
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.checks import check
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.strain import find_strain, odd_strain

UREA = Path(__file__).parents[2] / "examples" / "urea.cif"


def stretched(crystal, factors):
    scale = np.diag(factors)
    return replace(crystal, cell=crystal.cell @ scale, positions=crystal.positions @ scale)


@pytest.fixture(scope="module")
def urea():
    (crystal,) = read(UREA)
    return crystal


def test_a_sound_crystal_gets_no_note(urea):
    assert odd_strain(urea, find_bonds(urea)) == ""


@pytest.mark.parametrize(("factors", "axis"), [((1, 1, 1.2), "c"), ((1, 1, 0.85), "c")])
def test_a_scaled_axis_is_named(urea, factors, axis):
    wrong = stretched(urea, factors)
    note = odd_strain(wrong, find_bonds(wrong))
    assert f"near the direction of {axis}" in note
    assert ("longer" in note) == (max(factors) > 1)
    assert note in check(wrong, allow=("overlaps",)).warnings  # C=O of 1.07 Å


def test_benzene_in_other_units_is_too_small_in_its_plane():
    angles = np.radians(60 * np.arange(6))
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    elements, positions = (
        np.array(["C"] * 6 + ["H"] * 6),
        np.concatenate([1.398 * ring, 2.48 * ring]),
    )
    for factor in (1.0, 0.9):
        benzene = Crystal(elements, factor * positions, None, ("",) * 12)
        strain = find_strain(find_bonds(benzene))
        assert strain.is_certain == (factor != 1.0)
        assert abs(strain.tensor[2, 2]) < 1e-6  # no bond says anything across the plane


def test_no_bonds_are_no_strain():
    atoms = Crystal(np.array(["C", "H"]), np.array([[0, 0, 0], [5.0, 0, 0]]), None, ("", ""))
    assert find_strain(find_bonds(atoms)).largest == 0


@pytest.mark.parametrize("factor", [0.97, 1.04])
def test_units_that_are_off_by_some_per_cent_are_told(urea, factor):
    """Urea's bonds are 0.6 % shorter than the mean of their kinds."""
    wrong = stretched(urea, (factor,) * 3)
    note = odd_strain(wrong, find_bonds(wrong))
    assert f"{'longer' if factor > 1 else 'shorter'} than usual in" in note
    slightly = stretched(urea, (1 + (factor - 1) / 3,) * 3)
    assert odd_strain(slightly, find_bonds(slightly)) == ""
