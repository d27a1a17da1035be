"""Labelled crystals become the samples that a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from shiftcli.density.environments import Environments, surroundings
from shiftcli.density.orientations import Frames, local_frames
from shiftcli.errors import TrainingError
from shiftcli.structure.crystal import Crystal
from shiftcli.training.atoms import collect_atoms
from shiftcli.training.config import Configuration

#: Every eighth family of crystals validates, from the first on.
VALIDATION_STEP = 8

#: 1H training labels outside these shieldings (ppm) are dropped (paper, "Data").
H_RANGE = (0.0, 40.0)

#: However rare its kind, a sample is not repeated more often than this in an epoch.
MOST_REPEATS = 8.0

#: Seed of the order in which training crystals are taken where only some are wanted.
_SUBSET_SEED = 2019


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled atoms of one nucleus."""

    environments: Environments  #: Their surroundings, n of them.
    frames: Frames  #: Their local frames.
    targets: np.ndarray  #: Shieldings in ppm, averaged over symmetry copies, shape (n,).
    weights: np.ndarray  #: Multiplicities, shape (n,).
    #: Number of the crystal of each, and of its family, shape (n,).
    crystals: np.ndarray
    families: np.ndarray
    #: A second prediction that came with the data, in ppm, NaN where absent, shape (n,).
    baseline: np.ndarray
    #: Level of theory of each: 0 for the one that the network shall predict, shape (n,).
    levels: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: np.ndarray) -> Samples:
        return Samples(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def concatenate(parts: Sequence[Samples]) -> Samples:
        """Join the samples of several levels of theory, numbered in the order given."""
        columns: dict[str, Any] = {
            f.name: np.concatenate([getattr(p, f.name) for p in parts])
            for f in fields(Samples)
            if f.name not in ("environments", "frames")
        }
        columns["levels"] = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
        return Samples(
            Environments.concatenate([p.environments for p in parts]),
            Frames.concatenate([p.frames for p in parts]),
            **columns,
        )


def is_validation(family: int | np.ndarray) -> bool | np.ndarray:
    """Whether the family of crystals of this 0-based number belongs to the validation set."""
    return family % VALIDATION_STEP == 0


def collect_samples(
    crystals: Mapping[int, Crystal],
    element: str,
    copies: str = "distinct",
    families: Mapping[int, int] | None = None,
) -> Samples:
    """Gather the labelled atoms of one element, as `shiftcli.training.atoms.collect_atoms` does."""
    atoms = collect_atoms(crystals, element, copies, families)
    parts = [surroundings(crystal, sites) for crystal, sites in atoms.parts]
    return Samples(
        Environments.concatenate(parts),
        Frames.concatenate([local_frames(part) for part in parts]),
        atoms.reference, atoms.weights, atoms.crystals, atoms.families, atoms.baseline,
        np.zeros(len(atoms), dtype=int),
    )  # fmt: skip


def is_usual(shieldings: np.ndarray, element: str) -> np.ndarray:
    """Whether the paper would train on labels (ppm): 1H below 0 or above 40 ppm are outliers."""
    low, high = H_RANGE if element == "H" else (-np.inf, np.inf)
    return (shieldings >= low) & (shieldings <= high)


def drop_outliers(samples: Samples, element: str) -> Samples:
    """Leave out labels that are not usual, as the paper does for training."""
    usual = is_usual(samples.targets, element)
    return samples if usual.all() else samples[np.flatnonzero(usual)]


def repeats(samples: Samples, balance: float) -> np.ndarray:
    """How often an epoch should see each of n samples, so that rare kinds of atoms are not lost.

    (share of the commonest kind / share of the sample's own)^`balance`, at most `MOST_REPEATS`,
    shape (n,): 0 sees all once, 1 all kinds as often. The kind is the element of the nearest atom.
    """
    distance = np.linalg.norm(samples.environments.positions, axis=-1)
    nearest = distance.argmin(axis=1)
    kind = samples.environments.channels[np.arange(len(samples)), nearest]
    _, own, counts = np.unique(kind, return_inverse=True, return_counts=True)
    return np.minimum((counts.max() / counts[own]) ** balance, MOST_REPEATS)


def split_crystals(
    families: Mapping[int, int], configuration: Configuration
) -> tuple[np.ndarray, np.ndarray]:
    """Part the crystals of the main level into those to learn from and those to watch.

    By the number of each crystal's family (`Labelled.families`), and ``validation``, ``folds``,
    ``fold`` and ``crystals`` of the configuration. Both are numbers of crystals, ascending; no
    family is in both. `TrainingError` if more training crystals are wanted than there are families.
    """
    numbers = np.array(sorted(families), dtype=int)
    own = np.array([families[k] for k in numbers.tolist()], dtype=int)
    held_out = is_held_out(own, configuration)
    training, validation = numbers[~held_out], numbers[held_out]
    left = np.unique(own[~held_out])
    if configuration.crystals > len(left):
        raise TrainingError(
            f"{configuration.crystals} training crystals are wanted, the data have {len(left)} "
            "that are no copies of others"
        )
    if configuration.crystals:
        order = np.random.default_rng(_SUBSET_SEED).permutation(len(left))
        drawn = left[order[: configuration.crystals]]
        training = numbers[~held_out & np.isin(own, drawn)]
    return training, validation


def is_held_out(families: np.ndarray, configuration: Configuration) -> np.ndarray:
    """Whether a run watches families of these numbers, shape (n,), and does not learn from them."""
    if not configuration.validation:
        return np.zeros(families.shape, dtype=bool)
    if configuration.folds:
        return families % configuration.folds == configuration.fold
    return np.asarray(is_validation(families))
