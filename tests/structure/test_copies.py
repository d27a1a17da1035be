"""Copies of an atom within a tolerance: taken, averaged, or told of."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.structure.copies import coordinate_tolerance, find_copies


@pytest.fixture
def unstated(urea):
    return replace(urea, site_ids=None, operations=())


def shaken(crystal, noise):
    moves = np.random.default_rng(0).normal(0, noise, (len(crystal), 3))
    return replace(crystal, positions=crystal.positions + moves)


def test_what_a_file_states_stands(urea):
    assert find_copies(urea, 0.2) is urea


@pytest.mark.parametrize("noise", [0.004, 0.006])
def test_sites_that_are_parted_by_accident_are_averaged(unstated, noise):
    noisy = shaken(unstated, noise)
    assert len(noisy.sites) > 5
    found = find_copies(noisy)
    assert [site.multiplicity for site in found.sites] == [2, 2, 4, 4, 4]
    assert "symmetry P-42_1m within" in found.warnings[-1]
    assert "Å (noise, or a relaxation that was not finished): 5 distinct" in found.warnings[-1]
    kept = find_copies(noisy, 0.01)
    assert np.array_equal(kept.positions, noisy.positions)


def test_atoms_that_may_be_moved_on_purpose_are_told_of_and_averaged_on_request(unstated):
    noisy = shaken(unstated, 0.02)
    told = find_copies(noisy)
    assert len(told.sites) > 5
    assert "5 distinct sites instead of" in told.warnings[-1]
    assert np.array_equal(told.positions, noisy.positions)
    found = find_copies(noisy, 0.2)
    assert [site.multiplicity for site in found.sites] == [2, 2, 4, 4, 4]
    assert "symmetry P-42_1m within 0.2 Å (--symmetry-tolerance): 5 distinct" in found.warnings[-1]
    # The means are nearer to the crystal that was shaken, and exact copies of each other.
    before, after = (np.linalg.norm(c.positions - unstated.positions) for c in (noisy, found))
    assert after < 0.8 * before
    exact = replace(found, site_ids=None)
    assert [site.multiplicity for site in exact.sites] == [2, 2, 4, 4, 4]


def test_good_crystals_stay_as_they_are(unstated):
    assert find_copies(unstated) is unstated
    molecule = replace(unstated, cell=None)
    assert find_copies(molecule, 0.1) is molecule
    broken = replace(unstated, positions=unstated.positions * np.nan)
    assert find_copies(broken) is broken


@pytest.mark.parametrize(
    ("decimals", "cartesian", "expected"),
    [(5, False, 0.01), (4, False, 0.01), (3, False, 0.01), (2, False, 0.0974), (3, True, 0.01),
     (2, True, 0.0175)],
)  # fmt: skip
def test_the_tolerance_follows_the_decimals(unstated, decimals, cartesian, expected):
    frame = np.eye(3) if cartesian else unstated.cell
    rounded = np.round(unstated.positions @ np.linalg.inv(frame), decimals) @ frame
    found = coordinate_tolerance(unstated.cell, rounded)
    assert found == pytest.approx(expected, rel=0.02)


def test_few_decimals_part_no_sites(unstated):
    """Two decimals of Å leave urea's atoms 0.01 Å and more from each other's images."""
    rounded = replace(unstated, positions=np.round(unstated.positions, 2))
    found = find_copies(rounded)
    assert [site.multiplicity for site in found.sites] == [2, 2, 4, 4, 4]


@pytest.mark.parametrize("seed", range(6))
def test_few_decimals_in_any_frame(unstated, seed):
    """Where no atom lies on a round number, two decimals part copies by more than their own."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    places = (unstated.positions + rng.uniform(0, 4, 3)) @ turn
    rounded = replace(unstated, positions=np.round(places, 2), cell=unstated.cell @ turn)
    found = find_copies(rounded)
    assert [site.multiplicity for site in found.sites] == [2, 2, 4, 4, 4]
    assert "(the decimals of the file allow)" in found.warnings[-1]
