"""The orientations and displacements that a network sees its samples in."""

from __future__ import annotations

import numpy as np

from shiftcli.density.environments import Environments
from shiftcli.density.orientations import (
    MAX_FRAMES,
    Frames,
    euler_rotations,
    small_rotations,
    uniform_rotations,
)
from shiftcli.training.config import Configuration

#: Beside the run's seed, that of orientations which stay the same in all epochs.
_FIXED = 1906


class Augmentation:
    """Turns and displaces samples as a configuration says.

    `frames` are the local frames of all training samples; ``orientation``, ``augmentation``,
    ``tilt``, ``smear`` and ``seed`` are read. `copies` are the orientations of each sample in an
    epoch.
    """

    def __init__(self, frames: Frames, configuration: Configuration) -> None:
        self.frames, self.configuration = frames, configuration
        self.copies = max(configuration.augmentation, 1)
        self.fixed: np.ndarray | None = None
        if configuration.augmentation:
            self.fixed = self._fix(np.random.default_rng((configuration.seed, _FIXED)))

    def _fix(self, rng: np.random.Generator) -> np.ndarray:
        """Orientations of all samples for the whole run, shape (n, copies, 3, 3)."""
        rows = np.arange(len(self.frames))
        first = np.broadcast_to(np.eye(3, dtype=np.float32), (len(rows), 3, 3))
        if self.configuration.orientation == "frames":
            first = self.frames.rotations[:, 0]  # the heaviest, as it is
        further = [self._draw(rows, rng) for _ in range(self.copies - 1)]
        return np.stack([first, *further], axis=1)

    def rotations(self, items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Orientations of some items of an epoch, orthogonal matrices, float32, shape (b, 3, 3).

        An item, shape (b,), is sample · `copies` + number of the orientation; `rng` is for
        orientations that are new each time.
        """
        rows, number = np.divmod(items, self.copies)
        if self.fixed is not None:
            return self.fixed[rows, number]
        return self._draw(rows, rng)

    def _draw(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A new orientation for each sample."""
        count = len(rows)
        if self.configuration.orientation == "random":
            return uniform_rotations(count, rng).astype(np.float32)
        if self.configuration.orientation == "euler":
            return euler_rotations(count + 1, rng)[1:].astype(np.float32)
        cumulative = np.cumsum(self.frames.weights[rows], axis=1)
        chosen = (rng.random((count, 1)) > cumulative).sum(axis=1).clip(max=MAX_FRAMES - 1)
        chosen = np.where(self.frames.weights[rows, chosen] > 0, chosen, 0)
        matrices = self.frames.rotations[rows, chosen].astype(np.float64)
        matrices = small_rotations(count, self.configuration.tilt, rng) @ matrices
        matrices[:, 1] *= rng.choice([-1.0, 1.0], size=(count, 1))
        return matrices.astype(np.float32)

    def displaced(self, environments: Environments, rng: np.random.Generator) -> Environments:
        """Environments whose atoms, the central one too, are moved at random."""
        sigma = self.configuration.smear
        if not sigma:
            return environments
        shape = environments.positions.shape
        moves = rng.standard_normal(shape, dtype=np.float32)
        moves -= rng.standard_normal((shape[0], 1, 3), dtype=np.float32)
        return Environments(environments.positions + sigma * moves, environments.channels)
