"""Surroundings against a brute-force loop over lattice translations in float64."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import numpy as np
import pytest

from shiftcli.density.environments import FAR, RADIUS, Environments, surroundings
from shiftcli.structure.crystal import ELEMENTS, Crystal, Site

CELLS = {
    "3 Å cube": np.diag([3.0, 3.0, 3.0]),
    "flat plate": np.diag([17.0, 3.2, 4.1]),
    "monoclinic": np.array([[7.0, 0.0, 0.0], [0.0, 5.0, 0.0], [-3.9, 0.0, 8.0]]),
    "very oblique": np.array([[6.0, 0.0, 0.0], [7.5, 4.0, 0.0], [-8.0, 5.0, 4.5]]),
    "left-handed": np.array([[0.0, 5.5, 0.0], [6.0, 1.0, 0.0], [1.0, -2.0, 7.0]]),
}


def make_crystal(cell, elements, positions) -> Crystal:
    labels = tuple(f"{e}{k}" for k, e in enumerate(elements))
    return Crystal(np.array(list(elements)), np.asarray(positions, dtype=float), cell, labels)


def every_site(crystal: Crystal) -> list[Site]:
    return [
        Site(crystal.labels[k], str(crystal.elements[k]), np.array([k]))
        for k in range(len(crystal))
    ]


def random_crystal(cell, count=4, seed=0, spread=1.0) -> Crystal:
    rng = np.random.default_rng(seed)
    elements = rng.choice(ELEMENTS, size=count)
    return make_crystal(cell, elements, (rng.random((count, 3)) * spread - 0.3) @ cell)


def brute_force(crystal: Crystal, centre: int, radius: float, shells: int):
    """Neighbours of one atom from all translations up to `shells` along each axis."""
    channels, vectors = [], []
    for n in itertools.product(range(-shells, shells + 1), repeat=3):
        shift = n @ crystal.cell
        for k, element in enumerate(crystal.elements):
            vector = crystal.positions[k] + shift - crystal.positions[centre]
            if n == (0, 0, 0) and k == centre:
                continue
            if np.sqrt((vector**2).sum()) < radius:
                assert max(map(abs, n)) < shells, "the brute force itself is too short"
                channels.append(ELEMENTS.index(element))
                vectors.append(vector)
    return np.array(channels), np.array(vectors)


def assert_same_neighbours(environments: Environments, row: int, channels, vectors) -> None:
    own = environments.channels[row] >= 0
    assert own.sum() == len(channels)
    found_channels, found = environments.channels[row][own], environments.positions[row][own]
    distance = np.linalg.norm(found[:, None].astype(float) - vectors[None], axis=2)
    partner = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 1e-5
    assert len(set(partner.tolist())) == len(channels)
    np.testing.assert_array_equal(found_channels, channels[partner])


@pytest.mark.parametrize("name", CELLS)
def test_equals_a_brute_force_loop_over_images(name):
    crystal = random_crystal(CELLS[name], count=3, seed=3)
    environments = surroundings(crystal, every_site(crystal), radius=5.3)
    for row in range(3):
        assert_same_neighbours(environments, row, *brute_force(crystal, row, 5.3, shells=6))


def test_full_radius_in_a_cube_of_3_angstrom():
    crystal = make_crystal(CELLS["3 Å cube"], "C", [[0.4, 0.1, 2.0]])
    environments = surroundings(crystal, every_site(crystal))
    assert_same_neighbours(environments, 0, *brute_force(crystal, 0, RADIUS, shells=6))


def test_atoms_that_lie_many_cells_apart_still_find_each_other():
    cell = CELLS["monoclinic"]
    crystal = random_crystal(cell, count=3, seed=5)
    shifts = np.array([[0, 0, 0], [3, -2, 1], [-1, 4, 0]])
    scattered = make_crystal(cell, crystal.elements, crystal.positions + shifts @ cell)
    environments = surroundings(scattered, every_site(scattered), radius=4.5)
    for row in range(3):
        assert_same_neighbours(environments, row, *brute_force(crystal, row, 4.5, shells=5))


def test_the_central_atom_is_left_out_but_its_own_images_are_kept():
    crystal = make_crystal(CELLS["3 Å cube"], "O", [[1.0, 1.0, 1.0]])
    environments = surroundings(crystal, every_site(crystal), radius=4.3)
    distance = np.linalg.norm(environments.positions[0], axis=1)
    expected = [3.0] * 6 + [18**0.5] * 12
    np.testing.assert_allclose(np.sort(distance), expected, rtol=1e-6)
    assert (environments.channels == ELEMENTS.index("O")).all()


def test_only_the_first_copy_of_a_site_is_described():
    crystal = random_crystal(CELLS["monoclinic"], count=4, seed=1)
    site = Site("X", str(crystal.elements[2]), np.array([2, 0]))
    environments = surroundings(crystal, [site], radius=4.0)
    assert len(environments) == 1
    assert_same_neighbours(environments, 0, *brute_force(crystal, 2, 4.0, shells=4))


def test_a_molecule_without_a_cell_sees_itself_once():
    positions = np.array([[0.0, 0.0, 0.0], [1.1, 0.0, 0.0], [-0.6, 0.9, 0.0], [0.0, 0.0, 30.0]])
    crystal = make_crystal(None, "CHHO", positions)
    environments = surroundings(crystal, every_site(crystal))
    assert (environments.channels >= 0).sum(axis=1).tolist() == [2, 2, 2, 0]
    np.testing.assert_allclose(environments.positions[1, 0], [-1.7, 0.9, 0.0], rtol=1e-6)
    np.testing.assert_allclose(environments.positions[1, 1], [-1.1, 0.0, 0.0], rtol=1e-6)


def test_channels_ascend_and_padding_stands_at_the_end():
    crystal = random_crystal(np.diag([9.0, 9.0, 9.0]), count=12, seed=2)
    environments = surroundings(crystal, every_site(crystal), radius=3.5)
    counts = (environments.channels >= 0).sum(axis=1)
    assert len(set(counts.tolist())) > 1, "the example must need padding"
    assert environments.channels.shape[1] == counts.max()
    assert environments.positions.dtype == np.float32
    assert environments.channels.dtype == np.int8
    for row, count in enumerate(counts):
        assert (np.diff(environments.channels[row, :count]) >= 0).all()
        assert (environments.channels[row, count:] == -1).all()
        assert (environments.positions[row, count:] == FAR).all()
        assert (np.abs(environments.positions[row, :count]) < 3.5).all()


def test_other_elements_are_not_seen():
    cell = np.diag([8.0, 8.0, 8.0])
    positions = np.array([[0.0, 0.0, 0.0], [1.2, 0.0, 0.0], [0.0, 1.8, 0.0]])
    crystal = make_crystal(cell, ["C", "H", "Cl"], positions)
    environments = surroundings(crystal, every_site(crystal)[:1], radius=3.0)
    assert environments.channels.tolist() == [[0]]
    np.testing.assert_allclose(environments.positions[0, 0], [1.2, 0.0, 0.0], rtol=1e-6)


def test_no_sites_make_no_environments():
    assert len(surroundings(random_crystal(CELLS["monoclinic"]), [])) == 0


def test_concatenate_pads_to_the_longest_and_keeps_the_order():
    crystal = random_crystal(np.diag([9.0, 9.0, 9.0]), count=6, seed=4)
    sites = every_site(crystal)
    together = surroundings(crystal, sites, radius=5.0)
    joined = Environments.concatenate([surroundings(crystal, [s], radius=5.0) for s in sites])
    np.testing.assert_array_equal(joined.positions, together.positions)
    np.testing.assert_array_equal(joined.channels, together.channels)
    np.testing.assert_array_equal(joined[2:4].channels, together.channels[2:4])


def test_more_sites_than_are_looked_up_at_once():
    positions = np.stack(np.meshgrid(*[np.arange(7) * 1.5] * 3), axis=-1).reshape(-1, 3)
    crystal = make_crystal(None, ["C"] * 343, positions)
    environments = surroundings(crystal, every_site(crystal), radius=1.6)
    inside = (positions > 0).sum(axis=1) + (positions < 9).sum(axis=1)
    np.testing.assert_array_equal((environments.channels >= 0).sum(axis=1), inside)


def test_a_few_sites_of_a_cell_of_20000_atoms_are_quick_and_small():
    rng = np.random.default_rng(0)
    cell = np.diag([58.0, 58.0, 58.0])
    crystal = make_crystal(cell, rng.choice(ELEMENTS, size=20_000), rng.random((20_000, 3)) * 58)
    sites = [Site("X", "C", np.array([k])) for k in (0, 7000, 13000, 19999)]
    started = time.process_time()
    tracemalloc.start()
    environments = surroundings(crystal, sites)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All pairs would take 3 GB and half a minute.
    assert time.process_time() - started < 5.0
    assert peak < 200e6
    density = 20_000 / 58**3
    expected = density * 4 / 3 * np.pi * RADIUS**3
    counts = (environments.channels >= 0).sum(axis=1)
    np.testing.assert_allclose(counts, expected, rtol=0.15)


def test_surroundings_of_urea_by_numbers(urea):
    """What the networks see of a crystal must not change with whoever searches for it."""
    seen = surroundings(urea, urea.sites)
    found = {
        site.label: (
            site.multiplicity,
            *(int((row == channel).sum()) for channel in range(4)),
            float((np.linalg.norm(places[row >= 0].astype(float), axis=1) ** -6.0).sum()),
        )
        for site, places, row in zip(urea.sites, seen.positions, seen.channels, strict=True)
    }
    assert found == {
        "C1": (2, 714, 178, 348, 174, pytest.approx(0.664113, abs=2e-6)),
        "O1": (2, 706, 174, 368, 166, pytest.approx(0.348694, abs=2e-6)),
        "N1": (4, 702, 174, 346, 184, pytest.approx(2.126865, abs=2e-6)),
        "H1": (4, 700, 179, 351, 176, pytest.approx(1.046622, abs=2e-6)),
        "H2": (4, 700, 178, 351, 177, pytest.approx(1.073594, abs=2e-6)),
    }
