"""How an environment is turned before it meets the grid.

Three ways: random rotations (the paper's Euler angles, or uniform ones), the 48
symmetries of the cube, which act on a finished voxel grid, and local frames, which turn
each environment into axes of its own and make the prediction rotationally invariant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from shiftcli.density.environments import Environments
from shiftcli.structure.crystal import ELEMENTS

#: A symmetry of the cube: how it permutes the axes, and which it then reverses.
Symmetry = tuple[tuple[int, ...], tuple[int, ...]]

#: Reflection of a local frame's y axis.
MIRROR_Y: Symmetry = ((0, 1, 2), (1,))

#: Names of the orientations that a prediction can average over.
ORIENTATIONS = ("frames", "octahedral", "random")

#: A heavy atom closer than this (Å) counts as bonded.
BOND_LENGTH = 1.75

#: Candidates this much (Å) farther than the nearest one still give a frame: where the
#: nearest is a bonded heavy atom, and where it is not.
_TIE_BONDED, _TIE_LOOSE = 0.12, 0.25

#: Added to the distance of atoms that are not bonded heavy ones, so that those come last.
_NOT_BONDED = 1.0

#: Added to the distance of a candidate for x, growing as it becomes collinear with z.
_COLLINEAR, _COLLINEAR_SINE = 8.0, 0.35

#: Neighbours looked at, and frames kept at most: four equal neighbours have twelve.
_NEIGHBOURS, MAX_FRAMES = 32, 12


@dataclass(frozen=True, eq=False)
class Frames:
    """Local frames of several environments."""

    rotations: np.ndarray  #: Rows are the axes x, y, z of each frame, float32, shape (n, 12, 3, 3).
    #: Weight of each frame, float32, shape (n, 12), descending, summing to 1 in each row.
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, rows: np.ndarray) -> Frames:
        return Frames(self.rotations[rows], self.weights[rows])

    @staticmethod
    def concatenate(parts: Sequence[Frames]) -> Frames:
        """Join frames of several sets of environments."""
        nothing = np.empty((0, MAX_FRAMES, 3, 3), np.float32), np.empty((0, MAX_FRAMES), np.float32)
        rotations, weights = zip(nothing, *((p.rotations, p.weights) for p in parts), strict=True)
        return Frames(np.concatenate(rotations), np.concatenate(weights))


def euler_rotations(count: int, rng: np.random.Generator) -> np.ndarray:
    """Rotations of the paper: the identity, then random Euler angles, shape (count, 3, 3).

    The angles are uniform in [−π/2, π/2] about each of x, y and z.
    """
    angles = rng.uniform(-math.pi / 2, math.pi / 2, size=(count, 3))
    angles[0] = 0.0
    return _rotations_about_axes(angles)


def uniform_rotations(count: int, rng: np.random.Generator) -> np.ndarray:
    """Orthogonal matrices uniform over all orientations, half of them with a reflection.

    Their shape is (count, 3, 3).
    """
    from scipy.spatial.transform import Rotation

    matrices = Rotation.random(count, rng).as_matrix()
    matrices[:, 1] *= rng.choice([-1.0, 1.0], size=(count, 1))
    return matrices


def small_rotations(count: int, angle: float, rng: np.random.Generator) -> np.ndarray:
    """Random rotations about x, y and z by normally distributed angles, shape (count, 3, 3).

    `angle` is the standard deviation of each in radians.
    """
    return _rotations_about_axes(rng.normal(0.0, angle, size=(count, 3)))


def _rotations_about_axes(angles: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", angles).as_matrix()


def octahedral_symmetries() -> list[Symmetry]:
    """The 48 symmetries of the cube as axis permutations and flips.

    Returns
    -------
    list of (permutation, flips)
        `permutation` orders the three spatial axes, `flips` names those then reversed; the
        identity comes first.
    """
    from itertools import permutations

    flips = [tuple(a for a in range(3) if mask >> a & 1) for mask in range(8)]
    return [(p, f) for f in flips for p in permutations(range(3))]


def apply_octahedral(volume: torch.Tensor, symmetry: Symmetry) -> torch.Tensor:
    """Apply one of `octahedral_symmetries` to voxel grids, without voxelizing again.

    Densities, shape (n, channels, 16, 16, 16), become those of the turned or reflected
    environments.
    """
    permutation, flips = symmetry
    turned = volume.permute(0, 1, *(2 + a for a in permutation))
    return turned.flip([2 + a for a in flips]) if flips else turned


def local_frames(environments: Environments) -> Frames:
    """Axes that each environment defines by itself.

    z points to the nearest bonded heavy atom (the nearest atom where there is none), x to
    the nearest other bonded heavy atom that is not collinear with it, else to the nearest
    other atom. Candidates nearly as near also give frames, with a weight that falls
    smoothly to zero, so that no frame appears or vanishes suddenly as distances change.

    Parameters
    ----------
    environments : Environments
        The environments to orient.

    Returns
    -------
    Frames
        Up to 12 frames for each environment.
    """
    n = len(environments)
    vectors, distance, heavy = _nearest(environments)
    bonded = heavy & (distance < BOND_LENGTH)
    z_weight = _tie_weights(np.where(bonded, distance, distance + _NOT_BONDED), bonded)
    candidates = min(4, vectors.shape[1])
    chosen = np.argsort(-z_weight, axis=1, kind="stable")[:, :candidates].ravel()
    rows = np.repeat(np.arange(n), candidates)
    z = vectors[rows, chosen] / distance[rows, chosen, None]
    frames, x_weight = _frames_about(z, chosen, vectors[rows], distance[rows], bonded[rows])
    each = candidates * x_weight.shape[1]
    joined = (x_weight * z_weight[rows, chosen, None]).reshape(n, each)
    best = np.argsort(-joined, axis=1, kind="stable")[:, :MAX_FRAMES]
    rotations, weights = np.zeros((n, MAX_FRAMES, 3, 3)), np.zeros((n, MAX_FRAMES))
    kept = best.shape[1]
    weights[:, :kept] = np.take_along_axis(joined, best, axis=1)
    matrices = frames.reshape(n, each, 3, 3)
    rotations[:, :kept] = np.take_along_axis(matrices, best[..., None, None], axis=1)
    lonely = weights.sum(axis=1) == 0
    rotations[lonely, 0], weights[lonely, 0] = np.eye(3), 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    return Frames(rotations.astype(np.float32), weights.astype(np.float32))


def _nearest(environments: Environments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, distances and heaviness of the nearest neighbours, nearest first."""
    distance = np.linalg.norm(environments.positions.astype(np.float64), axis=2)
    distance[environments.channels < 0] = np.inf
    count = min(_NEIGHBOURS, distance.shape[1])
    if count < distance.shape[1]:
        near = np.argpartition(distance, count - 1, axis=1)[:, :count]
    else:
        near = np.broadcast_to(np.arange(count), (len(distance), count))
    order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1, kind="stable")
    near = np.take_along_axis(near, order, axis=1)
    vectors = np.take_along_axis(environments.positions, near[..., None], axis=1)
    channels = np.take_along_axis(environments.channels, near, axis=1)
    heavy = channels > ELEMENTS.index("H")
    return vectors.astype(np.float64), np.take_along_axis(distance, near, axis=1), heavy


def _tie_weights(distance: np.ndarray, bonded: np.ndarray) -> np.ndarray:
    """Weight 1 for the nearest candidate, falling to 0 at the tie distance beyond it."""
    if distance.shape[1] == 0:
        return distance
    tie = np.where(bonded, _TIE_BONDED, _TIE_LOOSE)
    with np.errstate(invalid="ignore"):  # inf − inf where there is no candidate at all
        excess = (distance - distance.min(axis=1, keepdims=True)) / tie
    excess = np.where(np.isfinite(excess), np.clip(excess, 0.0, 1.0), 1.0)
    return np.cos(0.5 * np.pi * excess) ** 2 * (excess < 1.0)


def _frames_about(
    z: np.ndarray,
    chosen: np.ndarray,
    vectors: np.ndarray,
    distance: np.ndarray,
    bonded: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Frames with a given z, shape (n, 4, 3, 3), and their weights, shape (n, 4)."""
    n = len(z)
    z = np.nan_to_num(z)
    along = np.einsum("nmk,nk->nm", vectors, z)
    across = vectors - along[..., None] * z[:, None, :]
    sine = np.linalg.norm(across, axis=2) / distance
    collinear = np.clip(1.0 - sine / _COLLINEAR_SINE, 0.0, 1.0)
    effective = distance + _NOT_BONDED * ~bonded + _COLLINEAR * collinear
    effective[np.arange(n), chosen] = np.inf
    effective[sine < 1e-3] = np.inf
    weight = _tie_weights(effective, bonded)
    best = np.argsort(-weight, axis=1, kind="stable")[:, :4]
    x = np.take_along_axis(across, best[..., None], axis=1)
    length = np.linalg.norm(x, axis=2, keepdims=True)
    weight = np.take_along_axis(weight, best, axis=1)
    x = np.divide(x, length, out=np.zeros_like(x), where=length > 0)
    # Nothing off the axis: any perpendicular serves, the environment is axially symmetric.
    bare = weight.sum(axis=1) == 0
    if bare.any():
        helper = np.eye(3)[np.argmin(np.abs(z[bare]), axis=1)]
        perpendicular = np.cross(z[bare], helper)
        norm = np.linalg.norm(perpendicular, axis=1, keepdims=True)
        x[bare, 0] = perpendicular / np.where(norm > 0, norm, 1.0)
        weight[bare, 0] = (norm[:, 0] > 0).astype(float)
    zs = np.broadcast_to(z[:, None, :], x.shape)
    return np.stack([x, np.cross(zs, x), zs], axis=2), weight
