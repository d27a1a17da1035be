"""Labelled crystals become the samples that a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shiftcli.density.environments import Environments, surroundings
from shiftcli.density.orientations import Frames, local_frames
from shiftcli.errors import TrainingError
from shiftcli.structure.crystal import Crystal, Site
from shiftcli.training.config import Configuration

#: Every eighth crystal of a data set validates, from the first on.
VALIDATION_STEP = 8

#: 1H training labels outside these shieldings (ppm) are dropped (paper, "Data").
H_RANGE = (0.0, 40.0)

#: However rare its kind, a sample is not repeated more often than this in an epoch.
MOST_REPEATS = 8.0

#: Seed of the order in which training crystals are taken where only some are wanted.
_SUBSET_SEED = 2019


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled atoms of one nucleus.

    Attributes
    ----------
    environments : Environments
        Their surroundings, n of them.
    frames : Frames
        Their local frames.
    targets : numpy.ndarray
        Shieldings in ppm, averaged over symmetry copies, shape (n,).
    weights : numpy.ndarray
        Multiplicities, shape (n,).
    crystals : numpy.ndarray
        Number of the crystal of each, shape (n,).
    baseline : numpy.ndarray
        A second prediction that came with the data, in ppm, NaN where absent, shape (n,).
    levels : numpy.ndarray
        Level of theory of each: 0 for the one that the network shall predict, shape (n,).
    """

    environments: Environments
    frames: Frames
    targets: np.ndarray
    weights: np.ndarray
    crystals: np.ndarray
    baseline: np.ndarray
    levels: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: np.ndarray) -> Samples:
        return Samples(
            self.environments[rows],
            Frames(self.frames.rotations[rows], self.frames.weights[rows]),
            self.targets[rows],
            self.weights[rows],
            self.crystals[rows],
            self.baseline[rows],
            self.levels[rows],
        )

    @staticmethod
    def concatenate(parts: Sequence[Samples]) -> Samples:
        """Join the samples of several levels of theory, numbered in the order given."""
        return Samples(
            Environments.concatenate([p.environments for p in parts]),
            _join_frames([p.frames for p in parts]),
            np.concatenate([p.targets for p in parts]),
            np.concatenate([p.weights for p in parts]),
            np.concatenate([p.crystals for p in parts]),
            np.concatenate([p.baseline for p in parts]),
            np.concatenate([np.full(len(p), level) for level, p in enumerate(parts)]),
        )


def _join_frames(parts: Sequence[Frames]) -> Frames:
    if not parts:
        return local_frames(Environments.concatenate([]))
    return Frames(
        np.concatenate([p.rotations for p in parts]), np.concatenate([p.weights for p in parts])
    )


def is_validation(index: int | np.ndarray) -> bool | np.ndarray:
    """Whether the crystal of this 0-based index belongs to the validation set."""
    return index % VALIDATION_STEP == 0


def collect_samples(
    crystals: Mapping[int, Crystal], element: str, copies: str = "distinct"
) -> Samples:
    """Gather the labelled atoms of one element.

    Parameters
    ----------
    crystals : mapping of int to Crystal
        Crystals by their number in the data; atoms whose label is NaN are skipped.
    element : str
        H, C, N or O.
    copies : {"distinct", "all"}
        One entry for each distinct site, or one for each atom of the cell.

    Returns
    -------
    Samples
        Without any, of length 0.
    """
    parts: list[Environments] = []
    frames: list[Frames] = []
    targets, weights, owners, baseline = [], [], [], []
    for index, crystal in crystals.items():
        sites, labels = labelled_sites(crystal, element, copies)
        if not sites:
            continue
        parts.append(surroundings(crystal, sites))
        frames.append(local_frames(parts[-1]))
        other = crystal.baseline
        targets += labels
        weights += [site.multiplicity for site in sites]
        owners += [index] * len(sites)
        baseline += [np.nan if other is None else other[site.atoms].mean() for site in sites]
    return Samples(
        Environments.concatenate(parts),
        _join_frames(frames),
        np.array(targets, dtype=float),
        np.array(weights, dtype=float),
        np.array(owners, dtype=int),
        np.array(baseline, dtype=float),
        np.zeros(len(targets), dtype=int),
    )


def labelled_sites(
    crystal: Crystal, element: str, copies: str = "distinct"
) -> tuple[list[Site], list[float]]:
    """Atoms of one element that have a shielding, and these in ppm; see `collect_samples`."""
    if crystal.shieldings is None:
        return [], []
    sites = [s for s in crystal.sites if s.element == element]
    if copies == "all":
        sites = [Site(s.label, element, np.array([k])) for s in sites for k in s.atoms]
    labels = [float(np.mean(crystal.shieldings[s.atoms])) for s in sites]
    known = [k for k, label in enumerate(labels) if np.isfinite(label)]
    return [sites[k] for k in known], [labels[k] for k in known]


def is_usual(shieldings: np.ndarray, element: str) -> np.ndarray:
    """Whether the paper would train on labels (ppm): 1H below 0 or above 40 ppm are outliers."""
    low, high = H_RANGE if element == "H" else (-np.inf, np.inf)
    return (shieldings >= low) & (shieldings <= high)


def drop_outliers(samples: Samples, element: str) -> Samples:
    """Leave out labels that are not usual, as the paper does for training."""
    usual = is_usual(samples.targets, element)
    return samples if usual.all() else samples[np.flatnonzero(usual)]


def repeats(samples: Samples, balance: float) -> np.ndarray:
    """How often an epoch should see each sample, so that rare kinds of atoms are not lost.

    Parameters
    ----------
    samples : Samples
        n samples.
    balance : float
        Exponent: 0 sees all once, 1 all kinds as often.

    Returns
    -------
    numpy.ndarray
        (share of the commonest kind / share of the sample's own)^balance, at most
        `MOST_REPEATS`, shape (n,). The kind is the element of the nearest atom.
    """
    distance = np.linalg.norm(samples.environments.positions, axis=-1)
    nearest = distance.argmin(axis=1)
    kind = samples.environments.channels[np.arange(len(samples)), nearest]
    _, own, counts = np.unique(kind, return_inverse=True, return_counts=True)
    return np.minimum((counts.max() / counts[own]) ** balance, MOST_REPEATS)


def split_crystals(
    numbers: np.ndarray, configuration: Configuration
) -> tuple[np.ndarray, np.ndarray]:
    """Part the crystals of the main level into those to learn from and those to watch.

    Parameters
    ----------
    numbers : numpy.ndarray
        Numbers of the crystals, ascending, shape (n,).
    configuration : Configuration
        ``folds``, ``fold`` and ``crystals`` are read.

    Returns
    -------
    training, validation : numpy.ndarray
        Their numbers; no crystal is in both.

    Raises
    ------
    TrainingError
        If more training crystals are wanted than there are.
    """
    if configuration.folds:
        held_out = numbers % configuration.folds == configuration.fold
    else:
        held_out = is_validation(numbers)
    training, validation = numbers[~held_out], numbers[held_out]
    if configuration.crystals > len(training):
        raise TrainingError(
            f"{configuration.crystals} training crystals are wanted, the data have {len(training)}"
        )
    if configuration.crystals:
        order = np.random.default_rng(_SUBSET_SEED).permutation(len(training))
        training = np.sort(training[order[: configuration.crystals]])
    return training, validation
