"""Local frames, random rotations and the symmetries of the cube."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.transform import Rotation

from shiftcli.density.environments import FAR, Environments
from shiftcli.density.orientations import (
    MAX_FRAMES,
    apply_octahedral,
    euler_rotations,
    local_frames,
    octahedral_symmetries,
    small_rotations,
    uniform_rotations,
)
from shiftcli.density.voxelizer import voxelize
from shiftcli.structure.crystal import ELEMENTS

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3)


def polar(length: float, degrees: float, azimuth: float = 0.0) -> list[float]:
    a, b = math.radians(degrees), math.radians(azimuth)
    return [
        length * math.sin(a) * math.cos(b),
        length * math.sin(a) * math.sin(b),
        length * math.cos(a),
    ]


def environment(elements: str, positions, padding: int = 0) -> Environments:
    """One environment about the origin, in the order that `surroundings` gives."""
    positions = np.asarray(positions, dtype=float).reshape(-1, 3)
    channels = np.array([ELEMENTS.index(e) for e in elements], dtype=int)
    order = np.lexsort((np.linalg.norm(positions, axis=1), channels))
    padded = np.full((1, len(order) + padding, 3), FAR, dtype=np.float32)
    kinds = np.full((1, len(order) + padding), -1, dtype=np.int8)
    padded[0, : len(order)], kinds[0, : len(order)] = positions[order], channels[order]
    return Environments(padded, kinds)


def around(elements: str, positions, centre: int) -> Environments:
    """The environment of one atom of a molecule."""
    positions = np.asarray(positions, dtype=float)
    others = [k for k in range(len(positions)) if k != centre]
    return environment("".join(elements[k] for k in others), positions[others] - positions[centre])


RING = [[1.395 * math.cos(k * math.pi / 3), 1.395 * math.sin(k * math.pi / 3), 0] for k in range(6)]
BENZENE = ("C" * 6 + "H" * 6, np.array([*RING, *(np.array(RING) * 2.485 / 1.395)]))
WATER = ("OHH", np.array([[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]]))
ACETONITRILE = (
    "NCCHHH",
    np.array(
        [[0, 0, 0], [0, 0, 1.157], [0, 0, 2.618]]
        + [[1.03 * math.cos(a), 1.03 * math.sin(a), 2.99] for a in (0.0, 2.0944, 4.18879)]
    ),
)
CO2 = ("COO", np.array([[0, 0, 0], [0, 0, 1.16], [0, 0, -1.16]]))

MOLECULES = {
    "water O": around(*WATER, 0),
    "water H": around(*WATER, 1),
    "methane C": environment("HHHH", 1.09 * TETRAHEDRON),
    "methane H": around("CHHHH", np.concatenate([np.zeros((1, 3)), 1.09 * TETRAHEDRON]), 1),
    "benzene C": around(*BENZENE, 0),
    "benzene H": around(*BENZENE, 6),
    "nitrile N": around(*ACETONITRILE, 0),
    "nitrile C": around(*ACETONITRILE, 1),
    "CO2 C": around(*CO2, 0),
    "CO2 O": around(*CO2, 1),
    "single atom": environment("", [], padding=2),
    "two atoms": environment("C", [[0.3, -0.4, 0.9]]),
}


def generic(seed: int, count: int = 14) -> Environments:
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    length = np.concatenate([[1.09, 1.41, 1.47], rng.uniform(1.8, 5.0, count - 3)])
    elements = "HCN" + "".join(rng.choice(ELEMENTS, count - 3))
    return environment(elements, directions * length[:, None])


def turn(environments: Environments, rotation: np.ndarray) -> Environments:
    turned = environments.positions.astype(float) @ rotation.T
    return Environments(turned.astype(np.float32), environments.channels)


def mean_density(environments: Environments) -> torch.Tensor:
    """Density averaged over the frames of one environment, as a prediction sees them."""
    frames = local_frames(environments)
    used = np.flatnonzero(frames.weights[0])
    positions = np.einsum("kij,mj->kmi", frames.rotations[0, used], environments.positions[0])
    channels = np.repeat(environments.channels, len(used), axis=0).astype(np.int64)
    volume = voxelize(
        torch.from_numpy(positions.astype(np.float32)), torch.from_numpy(channels), grids=(6.0,)
    )
    return torch.einsum("k,kcxyz->cxyz", torch.from_numpy(frames.weights[0, used]), volume)


@pytest.mark.parametrize("name", MOLECULES)
def test_frames_are_orthonormal_and_right_handed_and_weights_sum_to_one(name):
    frames = local_frames(MOLECULES[name])
    assert frames.rotations.shape == (1, MAX_FRAMES, 3, 3)
    assert frames.weights.shape == (1, MAX_FRAMES)
    weights = frames.weights[0]
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(weights) <= 0).all()
    assert weights[-1] >= 0
    for matrix in frames.rotations[0][weights > 0].astype(float):
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", MOLECULES)
def test_rotating_a_molecule_leaves_its_turned_density_alone(name):
    original = mean_density(MOLECULES[name])
    for rotation in Rotation.random(3, np.random.default_rng(1)).as_matrix():
        turned = mean_density(turn(MOLECULES[name], rotation))
        np.testing.assert_allclose(turned, original, atol=2e-5)


@pytest.mark.parametrize("seed", range(6))
def test_rotating_an_environment_rotates_its_frames(seed):
    environments = generic(seed)
    original = local_frames(environments)
    for rotation in Rotation.random(4, np.random.default_rng(seed)).as_matrix():
        turned = turn(environments, rotation)
        frames = local_frames(turned)
        np.testing.assert_allclose(frames.weights, original.weights, atol=1e-4)
        for k in np.flatnonzero(original.weights[0] > 1e-3):
            np.testing.assert_allclose(
                frames.rotations[0, k] @ turned.positions[0].T,
                original.rotations[0, k] @ environments.positions[0].T,
                atol=2e-5,
            )


def test_frames_do_not_depend_on_padding_or_company():
    both = Environments.concatenate([generic(0), MOLECULES["water O"]])
    together = local_frames(both)
    for row, alone in enumerate([local_frames(generic(0)), local_frames(MOLECULES["water O"])]):
        np.testing.assert_array_equal(together.weights[row], alone.weights[0])
        own = alone.weights[0] > 0
        np.testing.assert_array_equal(together.rotations[row][own], alone.rotations[0][own])


def test_no_environments_have_no_frames():
    assert len(local_frames(Environments.concatenate([]))) == 0


def axes(name: str) -> tuple[np.ndarray, np.ndarray]:
    frames = local_frames(MOLECULES[name])
    used = frames.weights[0] > 1e-6
    return frames.rotations[0][used].astype(float), frames.weights[0][used]


def test_water_oxygen_has_two_frames_in_the_molecular_plane():
    matrices, weights = axes("water O")
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(np.abs(matrices[:, 1]), [[0, 0, 1]] * 2, atol=1e-6)
    along = np.array([0.757, 0.586, 0]) / math.hypot(0.757, 0.586)
    np.testing.assert_allclose(sorted(matrices[:, 2, 0]), [-along[0], along[0]], atol=1e-6)


def test_aromatic_proton_has_z_along_its_bond_and_two_frames():
    matrices, weights = axes("benzene H")
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=1e-5)
    np.testing.assert_allclose(matrices[:, 2], [[-1, 0, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(sorted(matrices[:, 0, 1]), [-1, 1], atol=1e-6)


def test_aromatic_carbon_prefers_its_bonded_carbons_to_the_closer_proton():
    matrices, weights = axes("benzene C")
    assert len(weights) == 2
    for matrix in matrices:
        np.testing.assert_allclose(matrix[2, 0], -0.5, atol=1e-5)
        np.testing.assert_allclose(abs(matrix[1, 2]), 1.0, atol=1e-6)


def test_collinear_nitrile_takes_x_from_the_methyl_protons():
    matrices, weights = axes("nitrile N")
    np.testing.assert_allclose(weights, [1 / 3] * 3, atol=1e-4)
    np.testing.assert_allclose(matrices[:, 2], [[0, 0, 1]] * 3, atol=1e-6)
    angles = np.sort(np.arctan2(matrices[:, 0, 1], matrices[:, 0, 0]) % (2 * math.pi))
    np.testing.assert_allclose(np.diff(angles), [2.0944, 2.0944], atol=1e-3)


def test_carbon_dioxide_has_a_frame_for_each_direction():
    matrices, weights = axes("CO2 C")
    np.testing.assert_allclose(weights, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(sorted(matrices[:, 2, 2]), [-1, 1], atol=1e-6)
    assert len(axes("CO2 O")[1]) == 1


def test_a_single_atom_keeps_the_axes_it_came_with():
    matrices, weights = axes("single atom")
    np.testing.assert_array_equal(weights, [1.0])
    np.testing.assert_array_equal(matrices[0], np.eye(3))


def crossing_z(t: float) -> Environments:
    """Two bonded heavy atoms whose distances cross at t = 0."""
    return environment(
        "CNOHC",
        [polar(1.40 + t, 0), polar(1.40 - t, 118), polar(2.6, 65, 70), [2, -2, 0.4], [-2, -2, 2]],
    )


def crossing_x(t: float) -> Environments:
    """A proton whose candidates for x cross at t = 0, one of them bonded to its carbon."""
    return environment(
        "CCNH",
        [polar(1.09, 0), polar(2.15 + t, 35, 10), polar(2.15 - t, 35, 130), polar(2.6, 80, 200)],
    )


def crossing_bonded(t: float) -> Environments:
    """Three bonded heavy atoms that pass each other one after the other."""
    return environment(
        "CNOH",
        [polar(1.40 + t, 0), polar(1.43, 115), polar(1.38 - t / 2, 115, 170), polar(2.1, 50, 80)],
    )


def bending(t: float) -> Environments:
    """N≡C–C bent by t·100 degrees through the collinear geometry, with neighbours aside."""
    return environment(
        "CCHO", [polar(1.157, 0), polar(2.6, 100 * t), polar(3.4, 70, 90), polar(3.5, 120, 200)]
    )


def opening(t: float, third: float = 3.5) -> Environments:
    """Two atoms bonded to the centre, opened to 180° at t = 0 and beyond."""
    return environment(
        "OCHN",
        [polar(1.16, 0), polar(1.30, 180 + 160 * t), polar(2.9, 80, 90), polar(third, 100, 210)],
    )


def largest_steps(path, low: float, high: float, count: int) -> float:
    """Largest change between neighbouring points of a path of the frames' weighted mean."""
    frames = local_frames(
        Environments.concatenate([path(t) for t in np.linspace(low, high, count)])
    )
    w, r = frames.weights.astype(float), frames.rotations.astype(float)
    # The second moments tell frames apart whose axes cancel in the mean.
    moments = np.concatenate(
        [
            np.einsum("nk,nkij->nij", w, r).reshape(count, -1),
            np.einsum("nk,nkij,nklm->nijlm", w, r, r).reshape(count, -1),
        ],
        axis=1,
    )
    assert np.abs(moments[0] - moments[-1]).max() > 0.3, "the frames must change on the way"
    return float(np.abs(np.diff(moments, axis=0)).max())


@pytest.mark.parametrize("path", [crossing_z, crossing_x, crossing_bonded, bending, opening])
def test_no_frame_appears_or_vanishes_suddenly(path):
    coarse = largest_steps(path, -0.3, 0.31, 601)
    fine = largest_steps(path, -0.3, 0.31, 6001)
    # Steps ten times smaller change ten times less; a jump would stay what it is.
    assert fine < 0.15 * coarse
    assert fine < 0.05


def test_third_atom_within_the_wider_tie_has_no_jumps():
    assert largest_steps(lambda t: opening(t, third=3.1), -0.1, 0.0, 4001) < 0.02


def test_quaternary_carbon_has_no_jumps():
    aside = np.random.default_rng(1).normal(size=(6, 3)) * 0.3 + 3.0 * np.eye(3)[[0, 1, 2, 0, 1, 2]]

    def path(t):
        lengths = np.array([1.53 + t, 1.535, 1.54, 1.545])[:, None]
        return environment("C" * 10, np.concatenate([TETRAHEDRON * lengths, aside]))

    assert largest_steps(path, -0.2, 0.2, 4001) < 0.01


def test_euler_rotations_start_with_the_identity_and_keep_to_half_pi():
    matrices = euler_rotations(4001, np.random.default_rng(0))
    np.testing.assert_array_equal(matrices[0], np.eye(3))
    # R = Rz(c)·Ry(b)·Rx(a)
    a = np.arctan2(matrices[:, 2, 1], matrices[:, 2, 2])
    b = -np.arcsin(matrices[:, 2, 0])
    c = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    for angle in (a, b, c):
        assert np.abs(angle).max() <= math.pi / 2 + 1e-9
        assert stats.kstest(angle[1:], stats.uniform(-math.pi / 2, math.pi).cdf).pvalue > 1e-3
    assert abs(np.corrcoef([a[1:], b[1:], c[1:]])[np.triu_indices(3, 1)]).max() < 0.06
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0)


def test_uniform_rotations_are_uniform_and_half_of_them_reflect():
    matrices = uniform_rotations(4000, np.random.default_rng(0))
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (4000, 3, 3)), atol=1e-12
    )
    reflects = np.linalg.det(matrices) < 0
    assert abs(reflects.mean() - 0.5) < 5 * 0.5 / math.sqrt(4000)
    # Archimedes: each Cartesian component of a uniform unit vector is uniform in [−1, 1].
    for i in range(3):
        for j in range(3):
            assert stats.kstest(matrices[:, i, j], stats.uniform(-1, 2).cdf).pvalue > 1e-4
    proper = np.where(reflects[:, None, None], -matrices, matrices)
    angle = np.arccos(np.clip((np.trace(proper, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angle, lambda x: (x - np.sin(x)) / math.pi).pvalue > 1e-4


def test_small_rotations_have_the_spread_asked_for():
    matrices = small_rotations(4000, 0.12, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0)
    angles = Rotation.from_matrix(matrices).as_rotvec()
    np.testing.assert_allclose(angles.std(axis=0), 0.12, rtol=0.06)
    np.testing.assert_allclose(small_rotations(2, 0.0, np.random.default_rng(0)), [np.eye(3)] * 2)


def test_same_seed_gives_the_same_rotations():
    for make in (euler_rotations, uniform_rotations):
        one, two, other = (make(5, np.random.default_rng(s)) for s in (7, 7, 8))
        np.testing.assert_array_equal(one, two)
        assert np.abs(one - other).max() > 0.1


def as_matrix(symmetry) -> np.ndarray:
    """Row a of the matrix picks coordinate permutation[a], negative where a is flipped."""
    permutation, flips = symmetry
    matrix = np.eye(3)[list(permutation)]
    matrix[list(flips)] *= -1
    return matrix


def test_the_cube_has_48_distinct_symmetries_identity_first():
    symmetries = octahedral_symmetries()
    assert len(symmetries) == 48
    np.testing.assert_array_equal(as_matrix(symmetries[0]), np.eye(3))
    assert len({as_matrix(s).tobytes() for s in symmetries}) == 48
    assert sum(np.linalg.det(as_matrix(s)) > 0 for s in symmetries) == 24
    volume = torch.arange(4.0**3).view(1, 1, 4, 4, 4)
    images = {tuple(apply_octahedral(volume, s).flatten().tolist()) for s in symmetries}
    assert len(images) == 48
    assert torch.equal(apply_octahedral(volume, symmetries[0]), volume)


@pytest.mark.parametrize("symmetry", octahedral_symmetries(), ids=str)
def test_symmetry_of_a_voxel_grid_equals_voxelizing_the_turned_coordinates(symmetry):
    rng = np.random.default_rng(0)
    positions = torch.tensor(rng.uniform(-2.5, 2.5, size=(2, 4, 3)), dtype=torch.float32)
    channels = torch.tensor([[0, 1, 1, 3], [0, 2, 2, -1]])
    matrix = torch.tensor(as_matrix(symmetry), dtype=torch.float32)
    grids = (4.0, 10.0)
    turned = apply_octahedral(voxelize(positions, channels, grids=grids), symmetry)
    expected = voxelize(positions @ matrix.T, channels, grids=grids)
    assert turned.shape == expected.shape
    np.testing.assert_allclose(turned, expected, atol=1e-6)
