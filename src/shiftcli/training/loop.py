"""The training loop: samples in, networks out, of one nucleus or of several that share a trunk.

An epoch is a pure function of the weights, the optimiser's moments, the seed and the
epoch's number; that is what makes a resumed run the same as one never stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from shiftcli.errors import TrainingError
from shiftcli.network.checkpoint import read_tensors, write_tensors
from shiftcli.network.densenet import MR3DDenseNet
from shiftcli.training.branch import Branch, Branches, choose_shares
from shiftcli.training.config import Configuration
from shiftcli.training.optimizer import make_optimizer
from shiftcli.training.processes import Processes


@dataclass(frozen=True)
class EpochReport:
    """What a person watches: one row of ``metrics.csv``."""

    nucleus: str  #: Element.
    member: int  #: Number of the network in its committee, from 1.
    epoch: int  #: Number of the epoch, from 1.
    epochs: int  #: Epochs of the whole run.
    loss: float  #: Weighted mean squared error of the scaled shieldings, all levels, dropout on.
    #: Weighted RMSE over the epoch's training batches in ppm, main level, dropout on.
    train_rmse: float
    #: Weighted RMSE on the validation crystals in ppm, one view; NaN without any.
    validation_rmse: float
    #: The same for the second prediction that came with the data; NaN without one.
    baseline_rmse: float
    learning_rate: float  #: At the end of the epoch.
    samples: int  #: Training samples of the epoch, all processes together.
    samples_per_second: float  #: The same by the time of training, validation left out.
    seconds: float  #: Wall time of the epoch.


class Trainer:
    """Trains the networks of one nucleus, or those of several whose convolutions are shared.

    Of several branches each step takes one, by their shares; of one an epoch is a pass over its
    samples, unless the trunk is a shared one. `configuration` says what does not depend on the
    nucleus: the length of the run, the optimiser and its rates; `member` is the number of the
    networks in their committees.
    """

    def __init__(
        self,
        branches: Sequence[Branch],
        configuration: Configuration,
        processes: Processes,
        member: int = 1,
    ) -> None:
        self.branches, self.member = tuple(branches), member
        self.configuration, self.processes = configuration, processes
        self.device = processes.device
        self.draws = configuration.trunk == "shared"
        self.networks = Branches({b.element: b.levelled for b in self.branches})
        self.optimizer = make_optimizer(self.networks, configuration)
        self.module = processes.parallel(self.networks, partly=len(self.branches) > 1)
        self.average: AveragedModel | None = None
        if configuration.ema:
            mean = get_ema_multi_avg_fn(configuration.ema)
            self.average = AveragedModel(self.networks, multi_avg_fn=mean, use_buffers=True)
        self.dtype = configuration.dtype(self.device)
        self.epoch = 0
        if self.draws:
            self.steps_per_epoch = configuration.steps
        else:
            (branch,) = self.branches
            items = len(branch.order(np.random.default_rng(0)))
            self.steps_per_epoch = items // configuration.batch_size

    def network(self, branch: Branch) -> MR3DDenseNet:
        """The network of a nucleus as it would be stored now, averaged if the run averages."""
        if self.average is None:
            return branch.levelled.network
        networks: Any = self.average.module
        network: MR3DDenseNet = networks.of[branch.element].network
        return network

    def fit(self, checkpoint: Path, report: Callable[[EpochReport], None]) -> None:
        """Train to the last epoch, writing a checkpoint after each.

        A run that finds its own state there goes on from it. `report` is told of each nucleus after
        each epoch, before its checkpoint is written. `TrainingError` if the loss is no longer a
        number, or the state file is of another run.
        """
        if checkpoint.exists():
            self._restore(checkpoint)
        while self.epoch < self.configuration.epochs:
            started = time.perf_counter()
            sums = self._run_epoch()
            trained = time.perf_counter() - started
            watched = [self.validation_rmse(branch, views=1) for branch in self.branches]
            self._check_finite(sums, watched)
            seconds = time.perf_counter() - started
            rows = [
                self._report(branch, own, rmse, trained, seconds)
                for branch, own, rmse in zip(self.branches, sums, watched, strict=True)
            ]
            with self.processes.together():
                if self.processes.is_writer:
                    for row in rows:
                        report(row)
                    self._store(checkpoint)

    def _report(
        self, branch: Branch, sums: np.ndarray, rmse: float, trained: float, seconds: float
    ) -> EpochReport:
        """What a person is told of one nucleus, from the sums of an epoch."""
        squared, weight, main_squared, main_weight, steps = sums.tolist()
        size = self.configuration.batch_size
        return EpochReport(
            nucleus=branch.element,
            member=self.member,
            epoch=self.epoch,
            epochs=self.configuration.epochs,
            loss=squared / weight if weight else math.nan,
            train_rmse=branch.scale * math.sqrt(main_squared / main_weight)
            if main_weight
            else math.nan,
            validation_rmse=rmse,
            baseline_rmse=branch.baseline_rmse,
            learning_rate=self._learning_rate(self.epoch * self.steps_per_epoch),
            samples=int(steps) * size,
            samples_per_second=self.steps_per_epoch * size / trained,
            seconds=seconds,
        )

    def _check_finite(self, sums: np.ndarray, watched: Sequence[float]) -> None:
        """Stop before networks that came to nothing replace a state that is still good."""
        for branch, own, rmse in zip(self.branches, sums, watched, strict=True):
            state = self.networks.of[branch.element].state_dict()
            sound = all(bool(w.isfinite().all()) for w in state.values())
            figures = [*own, *([rmse] if len(branch.validation) else [])]
            if not sound or not all(map(math.isfinite, figures)):
                raise TrainingError(
                    f"the loss of {branch.element} is no longer a number in epoch {self.epoch}",
                    hint="start a new run with a lower --learning-rate",
                )

    def _batches(self, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
        """Nucleus (its place in `branches`) and items of each step of an epoch."""
        if self.draws:
            shares = choose_shares(self.branches)
            for _ in range(self.steps_per_epoch):
                place = int(rng.choice(len(shares), p=shares))
                yield place, np.sort(self.branches[place].draw(rng))
            return
        size = self.configuration.batch_size
        order = self.branches[0].order(rng)
        for step in range(self.steps_per_epoch):
            yield 0, np.sort(order[step * size : (step + 1) * size])

    def _run_epoch(self) -> np.ndarray:
        """Take the steps of one epoch.

        Returns for each nucleus the sums of `_step` over its steps and all processes, and the
        number of its steps, shape (k, 5).
        """
        rng = np.random.default_rng((self.configuration.seed, self.epoch))
        # Dropout, of each process its own.
        torch.manual_seed(int(rng.integers(2**62)) + self.processes.rank)
        self.module.train()
        sums, steps = np.zeros((len(self.branches), 4)), np.zeros(len(self.branches))
        for step, (place, items) in enumerate(self._batches(rng)):
            lr = self._learning_rate(self.epoch * self.steps_per_epoch + step)
            sums[place] += self._step(self.branches[place], items, rng, lr)
            steps[place] += 1
        total = self.processes.total(*sums.ravel().tolist())
        self.epoch += 1
        return np.column_stack([np.reshape(total, sums.shape), steps])

    def _step(
        self, branch: Branch, items: np.ndarray, rng: np.random.Generator, lr: float
    ) -> tuple[float, ...]:
        """One optimiser step.

        Returns weighted squared error and weight of this process's share, then the same of
        its samples of the main level.
        """
        volume, target, weight, level, total = branch.batch(
            branch.levelled.network, items, rng, self.dtype
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        mixed = self.dtype != torch.float32
        with torch.autocast(self.device.type, self.dtype, enabled=mixed):
            output = self.module(branch.element, volume, level)
        error = weight * (output - target) ** 2
        # Gradients are averaged over the processes, so each share counts `count` times.
        loss = self.processes.count * error.sum() / total
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.configuration.clip:
            torch.nn.utils.clip_grad_norm_(self.networks.parameters(), self.configuration.clip)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.networks)
        is_main = (level == 0).float()
        sums = [error.sum(), weight.sum(), (is_main * error).sum(), (is_main * weight).sum()]
        return tuple(torch.stack(sums).detach().tolist())

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

    def validation_rmse(self, branch: Branch, views: int) -> float:
        """Error in ppm of a nucleus's network on its validation samples, see `Branch`."""
        return branch.validation_rmse(self.network(branch), views, self.dtype)

    def _configurations(self) -> dict[str, dict[str, object]]:
        return {b.element: b.configuration.to_dict() for b in self.branches}

    def _modules(self) -> dict[str, torch.nn.Module]:
        """What a state file holds of the networks, by the prefix of its tensors."""
        average = {} if self.average is None else {"average": self.average}
        return {"network": self.networks, **average}

    def _store(self, path: Path) -> None:
        # Named once each: safetensors refuses tensors that stand there twice.
        tensors = {
            f"{prefix}.{name}": tensor.detach().cpu().contiguous()
            for prefix, module in self._modules().items()
            for name, tensor in (*module.named_parameters(), *module.named_buffers())
        }
        for index, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer.{index}.{name}"] = value.cpu().contiguous()
        configuration = json.dumps(self._configurations(), sort_keys=True)
        epoch = str(self.epoch)
        header = {"epoch": epoch, "configuration": configuration, "digest": _digest(tensors, epoch)}
        write_tensors(path, tensors, header)

    def _restore(self, path: Path) -> None:
        try:
            tensors, header = read_tensors(path)
            stored, epoch = dict(json.loads(header["configuration"])), int(header["epoch"])
            # Older states have no digest.
            if header.get("digest", digest := _digest(tensors, header["epoch"])) != digest:
                raise ValueError("the state is not as it was written")
            # An option that is newer than the state had its default.
            defaults = Configuration().to_dict()
            stored = {element: {**defaults, **own} for element, own in stored.items()}
            same = stored == self._configurations()
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
        state: dict[int, dict[str, torch.Tensor]] = {}
        left = dict(tensors)
        for prefix, module in self._modules().items():
            for name, tensor in (*module.named_parameters(), *module.named_buffers()):
                stored = left.pop(f"{prefix}.{name}")
                if stored.shape != tensor.shape:
                    raise ValueError(f"{name} has another shape")
                with torch.no_grad():
                    tensor.copy_(stored)
        for key, value in left.items():
            kind, index, name = key.split(".")
            if kind != "optimizer":
                raise ValueError(f"unexpected tensor {key}")
            state.setdefault(int(index), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        # Moments laid out as the parameters are: else sums round otherwise than before.
        for p, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if value.shape == p.shape:
                    moments[name] = torch.empty_like(p).copy_(value)


def _digest(tensors: Mapping[str, torch.Tensor], epoch: str) -> str:
    """SHA-256 of what a state file holds."""
    found = hashlib.sha256(epoch.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
