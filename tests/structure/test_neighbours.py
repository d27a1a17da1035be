"""The search for neighbours, and the periodic images behind it."""

import numpy as np
import pytest

from shiftcli.structure import neighbours
from shiftcli.structure.neighbours import NeighbourSearch, find_neighbours, periodic_images


def pairs(near):
    return list(zip(near.first.tolist(), near.second.tolist(), strict=True))


def test_neighbours_across_the_cell_face_and_with_itself():
    positions = np.array([[0.1, 3, 3], [5.8, 3, 3]])
    near = find_neighbours(np.eye(3) * 6, positions, 0.6)
    assert pairs(near) == [(0, 1), (1, 0)]
    assert near.vectors == pytest.approx(np.array([[-0.3, 0, 0], [0.3, 0, 0]]))
    assert near.distances == pytest.approx([0.3, 0.3])
    assert pairs(find_neighbours(None, positions, 0.6)) == []
    thin = find_neighbours(np.diag([0.5, 3, 3]), np.zeros((1, 3)), 0.6)
    assert pairs(thin) == [(0, 0), (0, 0)]


def test_two_atoms_in_one_place_are_neighbours_an_atom_is_not_its_own():
    assert pairs(find_neighbours(np.eye(3) * 6, np.zeros((2, 3)), 0.6)) == [(0, 1), (1, 0)]
    assert pairs(find_neighbours(None, np.zeros((0, 3)), 0.6)) == []


def test_periodic_images_of_a_skewed_cell_against_a_plain_search():
    generator = np.random.default_rng(0)
    cell = np.array([[4.0, 0, 0], [3.0, 3.5, 0], [-2.0, 2.5, 5.0]])
    positions = generator.uniform(-2, 2, (4, 3)) @ cell
    points, origin = periodic_images(cell, positions, 6.0)
    near = sorted((k, *p) for k, p in zip(origin, np.round(points, 6).tolist(), strict=True)
                  if np.linalg.norm(positions - p, axis=1).min() < 6.0)  # fmt: skip
    shifts = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3), axis=-1).reshape(-1, 3) @ cell
    expected = []
    for k, position in enumerate(positions):
        images = position + shifts
        distance = np.linalg.norm(images[:, None] - positions, axis=2).min(axis=1)
        expected += [(k, *p) for p in np.round(images[distance < 6.0], 6).tolist()]
    np.testing.assert_allclose(np.array(near), np.array(sorted(expected)), atol=2e-6)


def test_without_a_cell_there_are_no_images():
    points, origin = periodic_images(None, np.eye(3), 5.0)
    assert len(points) == 3
    assert origin.tolist() == [0, 1, 2]


def test_a_small_crystal_is_searched_without_a_tree_and_alike(monkeypatch):
    generator = np.random.default_rng(1)
    cell = np.array([[5.0, 0, 0], [1.0, 6.0, 0], [-2.0, 0.5, 7.0]])
    positions = generator.uniform(0, 1, (9, 3)) @ cell
    own = np.arange(9)
    small = NeighbourSearch(cell, positions, 8.0)
    by_distances = small.around(positions, own), small.count(positions)
    assert "_tree" not in vars(small)
    monkeypatch.setattr(neighbours, "_FEW", 0)
    large = NeighbourSearch(cell, positions, 8.0)
    near = large.around(positions, own)
    assert "_tree" in vars(large)
    assert pairs(near) == pairs(by_distances[0])
    np.testing.assert_array_equal(near.vectors, by_distances[0].vectors)
    np.testing.assert_array_equal(large.count(positions), by_distances[1])
