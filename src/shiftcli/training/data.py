"""Labelled crystals become the samples that a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shiftcli.crystal import Crystal
from shiftcli.environments import Environments, surroundings
from shiftcli.orientations import Frames, local_frames

#: Every eighth crystal of a data set validates, from the first on.
VALIDATION_STEP = 8

#: 1H training labels outside these shieldings (ppm) are dropped (paper, "Data").
H_RANGE = (0.0, 40.0)


@dataclass(frozen=True, eq=False)
class Samples:
    """Distinct labelled atoms of one nucleus.

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
    """

    environments: Environments
    frames: Frames
    targets: np.ndarray
    weights: np.ndarray
    crystals: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: np.ndarray) -> Samples:
        return Samples(
            self.environments[rows],
            Frames(self.frames.rotations[rows], self.frames.weights[rows]),
            self.targets[rows],
            self.weights[rows],
            self.crystals[rows],
        )


def is_validation(index: int | np.ndarray) -> bool | np.ndarray:
    """Whether the crystal of this 0-based index belongs to the validation set."""
    return index % VALIDATION_STEP == 0


def collect_samples(crystals: Mapping[int, Crystal], element: str) -> Samples:
    """Gather the distinct labelled atoms of one element.

    Parameters
    ----------
    crystals : mapping of int to Crystal
        Crystals by their number in the data; atoms whose label is NaN are skipped.
    element : str
        H, C, N or O.

    Returns
    -------
    Samples
        One entry for each distinct site with a label.
    """
    parts: list[Environments] = []
    targets, weights, owners = [], [], []
    for index, crystal in crystals.items():
        if crystal.shieldings is None:
            continue
        sites = [s for s in crystal.sites if s.element == element]
        labels = [float(np.mean(crystal.shieldings[s.atoms])) for s in sites]
        labelled = [k for k, label in enumerate(labels) if np.isfinite(label)]
        if not labelled:
            continue
        parts.append(surroundings(crystal, [sites[k] for k in labelled]))
        targets += [labels[k] for k in labelled]
        weights += [sites[k].multiplicity for k in labelled]
        owners += [index] * len(labelled)
    environments = Environments.concatenate(parts)
    return Samples(
        environments,
        local_frames(environments),
        np.array(targets),
        np.array(weights, dtype=float),
        np.array(owners, dtype=int),
    )


def drop_outliers(samples: Samples, element: str) -> Samples:
    """Leave out 1H labels below 0 or above 40 ppm, as the paper does for training."""
    if element != "H":
        return samples
    low, high = H_RANGE
    return samples[np.flatnonzero((samples.targets >= low) & (samples.targets <= high))]
