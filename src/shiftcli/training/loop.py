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

from shiftcli.checkpoint import read_tensors, write_tensors
from shiftcli.errors import TooFewSamples, TrainingError
from shiftcli.inference import average_views, densities, prediction_views
from shiftcli.network import MR3DDenseNet
from shiftcli.orientations import MAX_FRAMES, small_rotations, uniform_rotations
from shiftcli.training.config import Configuration
from shiftcli.training.data import Samples
from shiftcli.training.optimizer import make_optimizer


@dataclass(frozen=True)
class EpochReport:
    """What a person watches: one row of ``metrics.csv``.

    Attributes
    ----------
    nucleus : str
        Element.
    epoch : int
        Number of the epoch, from 1.
    epochs : int
        Epochs of the whole run.
    train_rmse : float
        Weighted RMSE over the epoch's training batches in ppm, dropout on.
    validation_rmse : float
        Weighted RMSE on the validation crystals in ppm, one view; NaN without any.
    learning_rate : float
        At the end of the epoch.
    seconds : float
        Wall time of the epoch.
    """

    nucleus: str
    epoch: int
    epochs: int
    train_rmse: float
    validation_rmse: float
    learning_rate: float
    seconds: float


class Trainer:
    """Trains one network on one nucleus.

    Parameters
    ----------
    element : str
        H, C, N or O.
    training, validation : Samples
        Samples to learn from, and to watch; the second may be empty.
    configuration : Configuration
        Hyperparameters, with ``epochs`` resolved for this nucleus.
    device : torch.device
        Where to train.
    """

    def __init__(
        self,
        element: str,
        training: Samples,
        validation: Samples,
        configuration: Configuration,
        device: torch.device,
    ) -> None:
        self.element, self.configuration, self.device = element, configuration, device
        self.training, self.validation = training, validation
        if len(training) < configuration.batch_size:
            raise TooFewSamples(
                f"{len(training)} training samples of {element} are fewer than one batch "
                f"({configuration.batch_size})",
                hint="give more crystals or a smaller --batch-size",
            )
        self.mean = float(np.average(training.targets, weights=training.weights))
        self.scale = configuration.scale(element)
        self.steps_per_epoch = len(training) // configuration.batch_size
        torch.manual_seed(configuration.seed)
        network = MR3DDenseNet(configuration.architecture())
        self.network = network.to(device, memory_format=torch.channels_last_3d)
        self.optimizer = make_optimizer(self.network, configuration)
        self.epoch = 0

    def fit(self, checkpoint: Path, report: Callable[[EpochReport], None]) -> None:
        """Train to the last epoch, writing a checkpoint after each.

        Parameters
        ----------
        checkpoint : pathlib.Path
            State file; a run that finds its own state there goes on from it.
        report : callable
            Called with an `EpochReport` after each epoch, before its checkpoint is written.
        """
        if checkpoint.exists():
            self._restore(checkpoint)
        while self.epoch < self.configuration.epochs:
            started = time.perf_counter()
            train_rmse = self._run_epoch()
            report(
                EpochReport(
                    nucleus=self.element,
                    epoch=self.epoch,
                    epochs=self.configuration.epochs,
                    train_rmse=train_rmse,
                    validation_rmse=self.validation_rmse(views=1),
                    learning_rate=self._learning_rate(self.epoch * self.steps_per_epoch),
                    seconds=time.perf_counter() - started,
                )
            )
            self._store(checkpoint)

    def _run_epoch(self) -> float:
        """One pass over the training samples; returns their RMSE in ppm."""
        seed = (self.configuration.seed, self.epoch)
        rng = np.random.default_rng(seed)
        torch.manual_seed(int(rng.integers(2**62)))  # dropout
        order = rng.permutation(len(self.training))
        self.network.train()
        squared = total = 0.0
        for step in range(self.steps_per_epoch):
            size = self.configuration.batch_size
            rows = np.sort(order[step * size : (step + 1) * size])
            lr = self._learning_rate(self.epoch * self.steps_per_epoch + step)
            error, weight = self._step(rows, rng, lr)
            squared += error
            total += weight
        self.epoch += 1
        rmse = self.scale * math.sqrt(squared / total)
        if not math.isfinite(rmse):
            raise TrainingError(
                f"the loss of {self.element} is no longer a number in epoch {self.epoch}",
                hint="start a new run with a lower --learning-rate",
            )
        return rmse

    def _step(self, rows: np.ndarray, rng: np.random.Generator, lr: float) -> tuple[float, float]:
        """One optimiser step; returns the summed weighted squared error and weight."""
        volume, target, weight = self._batch(rows, rng)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        with torch.autocast(self.device.type, torch.bfloat16):
            output = self.network(volume)
        error = (output.float() - target) ** 2
        loss = (weight * error).sum() / weight.sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.configuration.clip)
        self.optimizer.step()
        return float((weight * error.detach()).sum()), float(weight.sum())

    def _batch(self, rows: np.ndarray, rng: np.random.Generator):
        """Densities, scaled targets and weights of some samples, newly turned."""
        samples = self.training
        volume = densities(
            self.network, samples.environments[rows], self._rotations(rows, rng), self.device
        )
        target = torch.from_numpy((samples.targets[rows] - self.mean) / self.scale)
        weight = torch.from_numpy(samples.weights[rows])
        return volume, target.float().to(self.device), weight.float().to(self.device)

    def _rotations(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A new orientation for each sample, float32, shape (batch, 3, 3)."""
        count = len(rows)
        if self.configuration.orientation == "random":
            return uniform_rotations(count, rng).astype(np.float32)
        frames = self.training.frames
        cumulative = np.cumsum(frames.weights[rows], axis=1)
        chosen = (rng.random((count, 1)) > cumulative).sum(axis=1).clip(max=MAX_FRAMES - 1)
        chosen = np.where(frames.weights[rows, chosen] > 0, chosen, 0)
        matrices = frames.rotations[rows, chosen].astype(np.float64)
        matrices = small_rotations(count, self.configuration.tilt, rng) @ matrices
        matrices[:, 1] *= rng.choice([-1.0, 1.0], size=(count, 1))
        return matrices.astype(np.float32)

    def _learning_rate(self, step: int) -> float:
        """One cycle: a linear warm-up over the first tenth, then a half cosine to zero."""
        c = self.configuration
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
        environments = self.validation.environments
        turned = prediction_views(environments, self.configuration.orientation, views)
        mean = average_views(self.network.eval(), environments, turned, self.device)
        error = self.mean + self.scale * mean - self.validation.targets
        return math.sqrt(np.average(error**2, weights=self.validation.weights))

    def _store(self, path: Path) -> None:
        tensors = {
            f"network.{k}": v.cpu().contiguous() for k, v in self.network.state_dict().items()
        }
        for index, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer.{index}.{name}"] = value.cpu().contiguous()
        header = {"epoch": str(self.epoch), "configuration": self.configuration.to_json()}
        write_tensors(path, tensors, header)

    def _restore(self, path: Path) -> None:
        try:
            tensors, header = read_tensors(path)
            stored, epoch = json.loads(header["configuration"]), int(header["epoch"])
        except (OSError, ValueError, KeyError) as error:
            raise TrainingError(
                f"cannot resume: {error}", where=str(path), hint="delete it to start anew"
            ) from error
        if stored != json.loads(self.configuration.to_json()):
            raise TrainingError(
                "cannot resume: this run was started with other options", where=str(path)
            )
        self.network.load_state_dict(
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
        self.epoch = epoch
