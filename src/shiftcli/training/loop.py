"""The training loop: samples of one nucleus in, one network out.

An epoch is a pure function of the weights, the optimiser's moments, the seed and the
epoch's number; that is what makes a resumed run the same as one never stopped.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from shiftcli.errors import TooFewSamples, TrainingError
from shiftcli.network.checkpoint import read_tensors, write_tensors
from shiftcli.network.densenet import MR3DDenseNet
from shiftcli.network.inference import Held, average_views, densities, prediction_views
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.augmentation import Augmentation
from shiftcli.training.config import Configuration
from shiftcli.training.data import Samples, repeats
from shiftcli.training.optimizer import make_optimizer
from shiftcli.training.processes import Processes
from shiftcli.training.start import start_from


@dataclass(frozen=True)
class EpochReport:
    """What a person watches: one row of ``metrics.csv``.

    Attributes
    ----------
    nucleus : str
        Element.
    member : int
        Number of the network in its committee, from 1.
    epoch : int
        Number of the epoch, from 1.
    epochs : int
        Epochs of the whole run.
    loss : float
        Weighted mean squared error of the scaled shieldings, all levels, dropout on.
    train_rmse : float
        Weighted RMSE over the epoch's training batches in ppm, main level, dropout on.
    validation_rmse : float
        Weighted RMSE on the validation crystals in ppm, one view; NaN without any.
    baseline_rmse : float
        The same for the second prediction that came with the data; NaN without one.
    learning_rate : float
        At the end of the epoch.
    samples : int
        Training samples of the epoch, all processes together.
    samples_per_second : float
        The same by the time of training, validation left out.
    seconds : float
        Wall time of the epoch.
    """

    nucleus: str
    member: int
    epoch: int
    epochs: int
    loss: float
    train_rmse: float
    validation_rmse: float
    baseline_rmse: float
    learning_rate: float
    samples: int
    samples_per_second: float
    seconds: float


class LevelledNetwork(nn.Module):
    """A network with an output scale and offset for each further level of theory.

    Level 0 is the network's own: y₀ = f(x); level k has y_k = a_k·f(x) + b_k.

    Parameters
    ----------
    network : MR3DDenseNet
        f.
    levels : int
        Levels of theory, the main one counted.
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


class Trainer:
    """Trains one network on one nucleus.

    Parameters
    ----------
    element : str
        H, C, N or O.
    training, validation : Samples
        Samples to learn from, of all levels of theory, and to watch; the second may be empty.
    configuration : Configuration
        Hyperparameters, resolved for this nucleus and member.
    processes : Processes
        Where to train.
    member : int
        Number of the network in its committee.
    """

    def __init__(
        self,
        element: str,
        training: Samples,
        validation: Samples,
        configuration: Configuration,
        processes: Processes,
        member: int = 1,
    ) -> None:
        self.element, self.member = element, member
        self.configuration, self.processes = configuration, processes
        self.device = processes.device
        self.training, self.validation = training, validation
        self.held = Held.on(self.device, training.environments)
        self.main = np.flatnonzero(training.levels == 0)
        self.further = np.flatnonzero(training.levels > 0)
        check_size(element, len(self.main), configuration, processes.count)
        self.repeats = repeats(training[self.main], configuration.balance)
        self.augmentation = Augmentation(training.frames, configuration)
        levels = int(training.levels.max(initial=0)) + 1
        self.means = [_mean(training, level) for level in range(levels)]
        self.scale = configuration.scale(element)
        self.steps_per_epoch = (
            len(self._order(np.random.default_rng(0))) // configuration.batch_size
        )
        torch.manual_seed(configuration.seed)
        network = MR3DDenseNet(configuration.architecture())
        if configuration.start:
            start_from(network, Path(configuration.start), element)
        # torch's stubs do not know memory_format.
        network.to(self.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.network = network
        self.levelled = LevelledNetwork(self.network, levels).to(self.device)
        self.optimizer = make_optimizer(self.levelled, configuration)
        self.module = processes.parallel(self.levelled)
        self.dtype: torch.dtype = getattr(torch, configuration.precision)
        self.epoch = 0

    @property
    def mean(self) -> float:
        """Weighted mean of the main level's training shieldings in ppm."""
        return self.means[0]

    def fit(self, checkpoint: Path, report: Callable[[EpochReport], None]) -> None:
        """Train to the last epoch, writing a checkpoint after each.

        Parameters
        ----------
        checkpoint : pathlib.Path
            State file; a run that finds its own state there goes on from it.
        report : callable
            Called with an `EpochReport` after each epoch, before its checkpoint is written.

        Raises
        ------
        TrainingError
            If the loss is no longer a number, or the state file is of another run.
        """
        if checkpoint.exists():
            self._restore(checkpoint)
        while self.epoch < self.configuration.epochs:
            started = time.perf_counter()
            loss, train_rmse = self._run_epoch()
            trained = time.perf_counter() - started
            validation_rmse = self.validation_rmse(views=1)
            self._check_finite(loss, *([validation_rmse] if len(self.validation) else []))
            samples = self.steps_per_epoch * self.configuration.batch_size
            row = EpochReport(
                nucleus=self.element,
                member=self.member,
                epoch=self.epoch,
                epochs=self.configuration.epochs,
                loss=loss,
                train_rmse=train_rmse,
                validation_rmse=validation_rmse,
                baseline_rmse=self.baseline_rmse,
                learning_rate=self._learning_rate(self.epoch * self.steps_per_epoch),
                samples=samples,
                samples_per_second=samples / trained,
                seconds=time.perf_counter() - started,
            )
            with self.processes.together():
                if self.processes.is_writer:
                    report(row)
                    self._store(checkpoint)

    def _check_finite(self, *figures: float) -> None:
        """Stop before a network that came to nothing replaces a state that is still good."""
        sound = all(bool(w.isfinite().all()) for w in self.network.state_dict().values())
        if not sound or not all(map(math.isfinite, figures)):
            raise TrainingError(
                f"the loss of {self.element} is no longer a number in epoch {self.epoch}",
                hint="start a new run with a lower --learning-rate",
            )

    def _order(self, rng: np.random.Generator) -> np.ndarray:
        """The items of one epoch in random order: sample · copies + orientation."""
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

    def _run_epoch(self) -> tuple[float, float]:
        """One pass over the training samples; returns the loss and their RMSE in ppm."""
        rng = np.random.default_rng((self.configuration.seed, self.epoch))
        # Dropout, of each process its own.
        torch.manual_seed(int(rng.integers(2**62)) + self.processes.rank)
        order = self._order(rng)
        self.module.train()
        sums = np.zeros(4)
        for step in range(self.steps_per_epoch):
            size = self.configuration.batch_size
            items = np.sort(order[step * size : (step + 1) * size])
            lr = self._learning_rate(self.epoch * self.steps_per_epoch + step)
            sums += self._step(items, rng, lr)
        squared, weight, main_squared, main_weight = self.processes.total(*sums.tolist())
        self.epoch += 1
        return squared / weight, self.scale * math.sqrt(main_squared / main_weight)

    def _step(self, items: np.ndarray, rng: np.random.Generator, lr: float) -> tuple[float, ...]:
        """One optimiser step.

        Returns weighted squared error and weight of this process's share, then the same of
        its samples of the main level.
        """
        volume, target, weight, level, total = self._batch(items, rng)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        mixed = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype, enabled=mixed):
            output = self.module(volume, level)
        error = weight * (output - target) ** 2
        # Gradients are averaged over the processes, so each share counts `count` times.
        loss = self.processes.count * error.sum() / total
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.configuration.clip:
            torch.nn.utils.clip_grad_norm_(self.levelled.parameters(), self.configuration.clip)
        self.optimizer.step()
        is_main = (level == 0).float()
        sums = [error.sum(), weight.sum(), (is_main * error).sum(), (is_main * weight).sum()]
        return tuple(torch.stack(sums).detach().tolist())

    def _batch(
        self, items: np.ndarray, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, float]:
        """This process's share of a batch, and the weight of the whole batch.

        All processes draw the same random numbers, so that what a run sees does not depend on
        their number.
        """
        samples = self.training
        rows = items // self.augmentation.copies
        rotations = self.augmentation.rotations(items, rng)
        total = float(samples.weights[rows].sum())
        if self.configuration.smear:
            displaced = self.augmentation.displaced(samples.environments[rows], rng)
            own = Held.on(self.device, self.processes.share(displaced))
        else:
            own = self.held[self.processes.share(rows)]
        rows, rotations = self.processes.share(rows), self.processes.share(rotations)
        volume = densities(self.network, own, rotations, self.dtype)
        means = np.array(self.means)[samples.levels[rows]]
        target = torch.from_numpy((samples.targets[rows] - means) / self.scale).float()
        weight = torch.from_numpy(samples.weights[rows]).float()
        level = torch.from_numpy(samples.levels[rows])
        on = self.device
        return volume, target.to(on), weight.to(on), level.to(on), total

    def _learning_rate(self, step: int) -> float:
        """One cycle (a linear warm-up, then half a cosine to zero), or a decay by the epoch."""
        c = self.configuration
        if c.schedule == "exponential":
            return c.learning_rate * math.exp(-c.decay * (step // self.steps_per_epoch))
        progress = step / (c.epochs * self.steps_per_epoch)
        if progress < c.warmup:
            return c.learning_rate * (0.04 + 0.96 * progress / c.warmup)
        return (
            c.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - c.warmup) / (1 - c.warmup)))
        )

    def validation_rmse(self, views: int) -> float:
        """Error on the validation samples, atoms counted with their multiplicity.

        Parameters
        ----------
        views : int
            Orientations of each atom at most.

        Returns
        -------
        float
            RMSE in ppm; NaN without validation samples.
        """
        if not len(self.validation):
            return math.nan
        own = self.validation[self.processes.share(np.arange(len(self.validation)))]
        squared = weight = 0.0
        if len(own):
            turned = prediction_views(own.environments, seen_as(self.configuration), views)
            network = self.network.eval()
            mean = average_views(network, own.environments, turned, self.device, self.dtype)
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
        return math.sqrt(
            np.average((watched.baseline - watched.targets) ** 2, weights=watched.weights)
        )

    def _store(self, path: Path) -> None:
        tensors = {
            f"network.{k}": v.cpu().contiguous() for k, v in self.levelled.state_dict().items()
        }
        for index, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer.{index}.{name}"] = value.cpu().contiguous()
        header = {"epoch": str(self.epoch), "configuration": self.configuration.to_json()}
        write_tensors(path, tensors, header)

    def _restore(self, path: Path) -> None:
        try:
            tensors, header = read_tensors(path)
            stored, epoch = dict(json.loads(header["configuration"])), int(header["epoch"])
            # An option that is newer than the state had its default.
            same = {**Configuration().to_dict(), **stored} == self.configuration.to_dict()
            if same:
                self._take_over(tensors)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainingError(
                f"cannot resume: {reason}", where=str(path), hint="delete it to start anew"
            ) from error
        if not same:
            raise TrainingError(
                "cannot resume: this run was started with other options", where=str(path)
            )
        self.epoch = epoch

    def _take_over(self, tensors: dict[str, torch.Tensor]) -> None:
        """Weights, statistics and the optimiser's moments from a state file."""
        self.levelled.load_state_dict(
            {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        )
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        # Moments laid out as the parameters are: else sums round otherwise than before.
        for p, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if value.shape == p.shape:
                    moments[name] = torch.empty_like(p).copy_(value)


def check_size(element: str, samples: int, configuration: Configuration, processes: int) -> None:
    """Refuse what makes no batch.

    Parameters
    ----------
    element : str
        H, C, N or O.
    samples : int
        Training samples of the main level.
    configuration : Configuration
        ``batch_size`` and ``augmentation`` are read.
    processes : int
        Processes that share a batch.

    Raises
    ------
    TooFewSamples
        If the samples, in all their orientations, are fewer than a batch.
    TrainingError
        If a batch cannot be shared.
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


def _mean(samples: Samples, level: int) -> float:
    rows = samples.levels == level
    return float(np.average(samples.targets[rows], weights=samples.weights[rows]))
