"""What a trainer holds of one nucleus: its samples, and the network that learns from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from shiftcli.errors import TooFewSamples, TrainingError
from shiftcli.network.densenet import MR3DDenseNet
from shiftcli.network.inference import Held, average_views, densities, prediction_views
from shiftcli.results.statistics import rmse
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.augmentation import Augmentation
from shiftcli.training.config import SCALES, Configuration
from shiftcli.training.data import Samples, repeats
from shiftcli.training.processes import Processes
from shiftcli.training.start import find_start

#: Densities, targets, weights and levels of a process's share of a batch, and the weight of
#: the whole batch.
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, float]


class LevelledNetwork(nn.Module):
    """A network f with an output scale and offset for each further level of theory.

    Level 0 is the network's own: y₀ = f(x); level k of `levels` has y_k = a_k·f(x) + b_k.
    """

    def __init__(self, network: MR3DDenseNet, levels: int) -> None:
        super().__init__()
        self.network = network
        # Without a further level both are empty, and nothing may wait for their gradients.
        further = levels - 1
        self.scale = nn.Parameter(torch.ones(further), requires_grad=further > 0)
        self.offset = nn.Parameter(torch.zeros(further), requires_grad=further > 0)

    def forward(self, volume: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Scaled shieldings, shape (n,), of densities with their levels, shape (n,)."""
        output = self.network(volume).float()
        if not len(self.scale):
            return output
        scale = torch.cat([self.scale.new_ones(1), self.scale])
        offset = torch.cat([self.offset.new_zeros(1), self.offset])
        return scale[level] * output + offset[level]


class Branches(nn.Module):
    """The networks of several nuclei, by element, whose convolutions are the same tensors: the
    first one's.

    Batch normalisations and heads are each nucleus's own, so that every network can be used and
    stored without the others. `TrainingError` if the networks begin with convolutions that differ.
    """

    def __init__(self, networks: dict[str, LevelledNetwork]) -> None:
        super().__init__()
        self.of = nn.ModuleDict(networks)
        first, *others = (
            [own for own in levelled.network.features.modules() if isinstance(own, nn.Conv3d)]
            for levelled in networks.values()
        )
        for other in others:
            for own, shared in zip(other, first, strict=True):
                if not torch.equal(own.weight, shared.weight):
                    raise TrainingError(
                        "the networks to start from do not share their convolutions",
                        hint="give --start one network, or a directory of --trunk shared",
                    )
                own.weight = shared.weight

    def forward(self, element: str, volume: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Scaled shieldings of one nucleus; see `LevelledNetwork`."""
        output: torch.Tensor = self.of[element](volume, level)
        return output


class Branch:
    """The samples of one nucleus, and the network that learns from them.

    `training` holds samples of all levels of theory, `validation` those to watch, which may be
    none; `configuration` is resolved for this nucleus and member. Attributes: `levelled`, the
    network as it was begun with, on the device; `means`, the weighted mean of each level's training
    shieldings, and `scale`, the divisor of what is left, in ppm.
    """

    def __init__(
        self,
        element: str,
        training: Samples,
        validation: Samples,
        configuration: Configuration,
        processes: Processes,
    ) -> None:
        self.element, self.configuration, self.processes = element, configuration, processes
        self.training, self.validation = training, validation
        self.device = processes.device
        self.held = Held.on(self.device, training.environments)
        self.main = np.flatnonzero(training.levels == 0)
        self.further = np.flatnonzero(training.levels > 0)
        check_size(element, len(self.main), configuration, processes.count)
        self.repeats = repeats(training[self.main], configuration.balance)
        self.augmentation = Augmentation(training.frames, configuration)
        levels = int(training.levels.max(initial=0)) + 1
        self.means = [_mean(training, level) for level in range(levels)]
        self.scale = SCALES[element]
        self.weights = training.weights
        if configuration.max_multiplicity:
            self.weights = np.minimum(self.weights, configuration.max_multiplicity)
        torch.manual_seed(configuration.seed)
        network = MR3DDenseNet(configuration.architecture())
        if configuration.start:
            network.load_state_dict(find_start(configuration, element).state_dict())
        # torch's stubs do not know memory_format.
        network.to(self.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.levelled = LevelledNetwork(network, levels).to(self.device)

    @property
    def mean(self) -> float:
        """Weighted mean of the main level's training shieldings in ppm."""
        return self.means[0]

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """The items of one pass in random order: sample · copies + orientation."""
        copies = self.augmentation.copies
        main = np.repeat(self.main, self.repeats.astype(int))
        rest = self.repeats % 1.0
        if rest.any():
            more = rng.choice(self.main, round(rest.sum()), replace=False, p=rest / rest.sum())
            main = np.concatenate([main, more])
        items = (main[:, None] * copies + np.arange(copies)).ravel()
        wanted = round(self.configuration.auxiliary * len(items))
        extra = (self.further[:, None] * copies + np.arange(copies)).ravel()
        if len(extra) > wanted:
            extra = rng.choice(extra, wanted, replace=False)
        return rng.permutation(np.concatenate([items, extra]))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """The items of one batch, drawn: rare kinds, and small levels, more often than their share.

        Samples of the main level are drawn as often as `repeats` says, further levels as often
        as the square root of their size.
        """
        size, share = self.configuration.batch_size, self.configuration.auxiliary
        extra = round(size * share / (1.0 + share)) if len(self.further) else 0
        p = self.repeats / self.repeats.sum()
        rows = [rng.choice(self.main, size - extra, p=p)]
        if extra:
            _, own, counts = np.unique(
                self.training.levels[self.further], return_inverse=True, return_counts=True
            )
            each = counts[own] ** -0.5
            rows.append(rng.choice(self.further, extra, p=each / each.sum()))
        copies = self.augmentation.copies
        drawn = np.concatenate(rows)
        return drawn * copies + rng.integers(copies, size=size)

    def batch(
        self, network: MR3DDenseNet, items: np.ndarray, rng: np.random.Generator, dtype: torch.dtype
    ) -> Batch:
        """This process's share of a batch.

        All processes draw the same random numbers, so that what a run sees does not depend on
        their number.
        """
        samples, share = self.training, self.processes.share
        rows = items // self.augmentation.copies
        rotations = self.augmentation.rotations(items, rng)
        total = float(self.weights[rows].sum())
        if self.configuration.smear:
            displaced = self.augmentation.displaced(samples.environments[rows], rng)
            own = Held.on(self.device, share(displaced))
        else:
            own = self.held[share(rows)]
        rows, rotations = share(rows), share(rotations)
        volume = densities(network, own, rotations, dtype)
        means = np.array(self.means)[samples.levels[rows]]
        target = torch.from_numpy((samples.targets[rows] - means) / self.scale).float()
        weight = torch.from_numpy(self.weights[rows]).float()
        level = torch.from_numpy(samples.levels[rows])
        on = self.device
        return volume, target.to(on), weight.to(on), level.to(on), total

    def validation_rmse(self, network: MR3DDenseNet, views: int, dtype: torch.dtype) -> float:
        """RMSE in ppm on the validation samples by multiplicity; NaN without any.

        The network is left in evaluation mode; `views` are the orientations of each atom at most.
        """
        if not len(self.validation):
            return math.nan
        own = self.validation[self.processes.share(np.arange(len(self.validation)))]
        squared = weight = 0.0
        if len(own):
            turned = prediction_views(own.environments, seen_as(self.configuration), views)
            mean = average_views(network.eval(), own.environments, turned, self.device, dtype)
            error = self.mean + self.scale * mean - own.targets
            squared, weight = float((own.weights * error**2).sum()), float(own.weights.sum())
        squared, weight = self.processes.total(squared, weight)
        return math.sqrt(squared / weight)

    @property
    def baseline_rmse(self) -> float:
        """RMSE in ppm of the second prediction in the data on the validation samples."""
        watched = self.validation
        if not len(watched):
            return math.nan
        return rmse(watched.baseline - watched.targets, watched.weights)


def check_size(element: str, samples: int, configuration: Configuration, processes: int) -> None:
    """Refuse training samples that make no batch.

    `TooFewSamples` if they, in all their orientations, are fewer than a batch; `TrainingError` if a
    batch cannot be shared by so many processes.
    """
    if not samples:
        raise TooFewSamples(f"the training crystals have no shieldings of {SPECIES[element]}")
    items, size = samples * max(configuration.augmentation, 1), configuration.batch_size
    if items < size:
        raise TooFewSamples(
            f"{items} training samples of {element} are fewer than one batch ({size})",
            hint="give more crystals or a smaller --batch-size",
        )
    if size < 2 * processes:
        raise TrainingError(
            f"a batch of {size} cannot be shared by {processes} processes",
            hint="each needs two samples at least: a larger --batch-size",
        )


def seen_as(configuration: Configuration) -> str:
    """The orientations that a network so trained is asked in: ``frames`` or ``random``."""
    return "frames" if configuration.orientation == "frames" else "random"


def choose_shares(branches: Sequence[Branch]) -> np.ndarray:
    """Fraction of the steps that each nucleus gets, by its ``share``, shape (k,)."""
    shares = np.array([branch.configuration.share for branch in branches])
    return np.asarray(shares / shares.sum())


def _mean(samples: Samples, level: int) -> float:
    rows = samples.levels == level
    return float(np.average(samples.targets[rows], weights=samples.weights[rows]))
