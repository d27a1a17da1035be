"""The orientations and displacements that samples are seen in."""

import numpy as np
import pytest
import torch

from shiftcli.density.environments import FAR, Environments
from shiftcli.density.orientations import MAX_FRAMES, Frames, uniform_rotations
from shiftcli.density.voxelizer import voxelize
from shiftcli.training.augmentation import Augmentation
from shiftcli.training.config import Configuration
from shiftcli.training.data import collect_samples
from shiftcli.training.sources import load_levels

N = 40


@pytest.fixture(scope="module")
def frames():
    """Made-up frames: two each, the first the heavier."""
    rng = np.random.default_rng(0)
    rotations = np.tile(np.eye(3, dtype=np.float32), (N, MAX_FRAMES, 1, 1))
    weights = np.zeros((N, MAX_FRAMES), dtype=np.float32)
    for k in range(2):
        rotations[:, k] = uniform_rotations(N, rng)
    weights[:, :2] = 0.7, 0.3
    return Frames(rotations, weights)


def augmentation(frames, **values):
    return Augmentation(frames, Configuration(**{"orientation": "euler", **values}))


def rng(seed=0):
    return np.random.default_rng(seed)


ORIENTATIONS = ["frames", "random", "euler"]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("fold", [0, 1, 8])
def test_matrices_are_orthogonal(frames, orientation, fold):
    made = augmentation(frames, orientation=orientation, augmentation=fold)
    items = np.arange(N * made.copies)
    matrices = made.rotations(items, rng())
    assert matrices.dtype == np.float32
    assert matrices.shape == (len(items), 3, 3)
    products = np.einsum("nij,nkj->nik", matrices, matrices)
    np.testing.assert_allclose(products, np.tile(np.eye(3), (len(items), 1, 1)), atol=2e-6)
    determinants = np.linalg.det(matrices)
    np.testing.assert_allclose(np.abs(determinants), 1.0, atol=1e-5)
    if orientation == "euler":
        assert (determinants > 0).all()  # rotations alone, as in the paper
    elif fold != 1:
        assert (determinants > 0).any()
        assert (determinants < 0).any()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_fixed_orientations_stay_and_the_first_is_the_original(frames, orientation):
    made = augmentation(frames, orientation=orientation, augmentation=8)
    assert made.copies == 8
    items = np.arange(8 * N)
    first = made.rotations(items, rng(1))
    assert np.array_equal(first, made.rotations(items, rng(2)))
    again = augmentation(frames, orientation=orientation, augmentation=8)
    assert np.array_equal(first, again.rotations(items, rng(3)))  # after a resume
    by_sample = first.reshape(N, 8, 3, 3)
    original = frames.rotations[:, 0] if orientation == "frames" else np.tile(np.eye(3), (N, 1, 1))
    np.testing.assert_array_equal(by_sample[:, 0], original.astype(np.float32))
    # Eight different ones, and other ones for each sample.
    distances = np.abs(by_sample[:, :, None] - by_sample[:, None]).max(axis=(3, 4))
    assert distances[:, ~np.eye(8, dtype=bool)].min() > 1e-4
    assert np.abs(by_sample[0, 1:] - by_sample[1, 1:]).max(axis=(1, 2)).min() > 1e-4
    # In any order, and any part of them.
    some = np.array([17, 3, 8 * N - 1])
    np.testing.assert_array_equal(made.rotations(some, rng()), first[some])
    other = augmentation(frames, orientation=orientation, augmentation=8, seed=1)
    assert not np.array_equal(first, other.rotations(items, rng(1)))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_one_orientation_is_none(frames, orientation):
    made = augmentation(frames, orientation=orientation, augmentation=1)
    assert made.copies == 1
    original = frames.rotations[:, 0] if orientation == "frames" else np.tile(np.eye(3), (N, 1, 1))
    np.testing.assert_array_equal(made.rotations(np.arange(N), rng()), original)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_fresh_orientations_are_new_each_time(frames, orientation):
    made = augmentation(frames, orientation=orientation, augmentation=0)
    assert (made.copies, made.fixed) == (1, None)
    items = np.arange(N)
    generator = rng()
    first, second = made.rotations(items, generator), made.rotations(items, generator)
    assert np.abs(first - second).max(axis=(1, 2)).min() > 1e-4
    assert np.array_equal(first, made.rotations(items, rng()))


def test_euler_angles_are_the_papers(frames):
    """Uniform within ±90° about each of x, y and z."""
    from scipy.spatial.transform import Rotation

    matrices = augmentation(frames).rotations(np.tile(np.arange(N), 50), rng())
    angles = Rotation.from_matrix(matrices.astype(float)).as_euler("xyz", degrees=True)
    assert np.abs(angles).max() <= 90.01
    for column in angles.T:
        assert np.histogram(column, 6, (-90, 90))[0] == pytest.approx(len(angles) / 6, rel=0.2)


def test_frames_are_drawn_by_weight_and_tilted_a_little(frames):
    made = augmentation(frames, orientation="frames", tilt=0.05)
    rows = np.tile(np.arange(N), 60)
    matrices = made.rotations(rows, rng())
    # The rows of the two frames; y may be mirrored.
    cosines = np.einsum("nik,nfik->nfi", matrices, frames.rotations[rows, :2])
    alike = np.abs(cosines).min(axis=2) > 0.9
    assert alike.any(axis=1).mean() > 0.99
    only = alike.sum(axis=1) == 1
    assert np.average(alike[only, 0]) == pytest.approx(0.7, abs=0.05)
    chosen = cosines[np.arange(len(rows)), alike.argmax(axis=1)]
    assert (chosen[:, [0, 2]] > 0.9).all(where=alike.any(axis=1)[:, None])
    assert (chosen[:, 1] < 0).mean() == pytest.approx(0.5, abs=0.05)
    angles = np.arccos(np.clip(np.abs(chosen), 0, 1))[alike.any(axis=1)]
    assert np.sqrt((angles**2).mean()) == pytest.approx(0.05 * 2**0.5, rel=0.1)
    straight = augmentation(frames, orientation="frames", tilt=0.0)
    cosines = np.einsum("nik,nfik->nfi", straight.rotations(rows, rng()), frames.rotations[rows])
    assert np.abs(cosines).min(axis=2).max(axis=1).min() == pytest.approx(1.0, abs=1e-5)


def environments():
    positions = np.full((600, 9, 3), FAR, dtype=np.float32)
    channels = np.full((600, 9), -1, dtype=np.int8)
    positions[:, :5] = np.arange(5, dtype=np.float32)[:, None]
    channels[:, :5] = 1
    return Environments(positions, channels)


def test_no_smear_moves_nothing(frames):
    before = environments()
    generator = rng(4)
    assert augmentation(frames, smear=0.0).displaced(before, generator) is before
    assert generator.random() == rng(4).random()  # and takes no random number


def test_smear_moves_the_atoms_and_the_centre(frames):
    before = environments()
    after = augmentation(frames, smear=0.04).displaced(before, rng())
    assert after.positions.dtype == np.float32
    np.testing.assert_array_equal(after.channels, before.channels)
    moves = (after.positions - before.positions)[:, :5].astype(float)
    # Neighbours are seen from the central atom, which moves as much: √2 · σ, half of it shared.
    assert moves.std() == pytest.approx(0.04 * 2**0.5, rel=0.03)
    assert moves.mean(axis=1).std() == pytest.approx(0.04 * (1 + 1 / 5) ** 0.5, rel=0.05)
    among = moves - moves.mean(axis=1, keepdims=True)
    assert among.std() == pytest.approx(0.04 * (4 / 5) ** 0.5, rel=0.03)
    assert np.abs(moves.mean(axis=(0, 1))).max() < 0.01
    assert after.positions[:, 5:].min() > 0.99 * FAR
    assert (before.positions[:, :5] == np.arange(5)[:, None]).all()
    other = augmentation(frames, smear=0.04).displaced(before, rng(1))
    assert not np.array_equal(after.positions, other.positions)


def test_smeared_padding_stays_out_of_sight(labelled_file, frames):
    crystals = load_levels([labelled_file]).main
    some = collect_samples({0: crystals[0]}, "O").environments
    padded = Environments(
        np.concatenate([some.positions, np.full((len(some), 30, 3), FAR, np.float32)], axis=1),
        np.concatenate([some.channels, np.full((len(some), 30), -1, np.int8)], axis=1),
    )
    after = augmentation(frames, smear=1.0).displaced(padded, rng())
    width = some.positions.shape[1]
    with_padding, without = (
        voxelize(torch.from_numpy(e.positions), torch.from_numpy(e.channels).long())
        for e in (after, Environments(after.positions[:, :width], after.channels[:, :width]))
    )
    torch.testing.assert_close(with_padding, without)


def test_no_samples():
    nothing = collect_samples({}, "N")
    for orientation in ORIENTATIONS:
        for fold in (0, 1, 8):
            made = augmentation(nothing.frames, orientation=orientation, augmentation=fold)
            assert made.rotations(np.array([], dtype=int), rng()).shape == (0, 3, 3)
