"""One process or several: what ``torchrun`` started, and the sums across all of them.

Everything that knows of `torch.distributed` is here. Without ``torchrun`` all of it does
nothing, so that the loop has one form.
"""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn

from shiftcli.errors import TrainingError
from shiftcli.network.devices import resolve_device


@dataclass(frozen=True)
class Processes:
    """The place of this process among those of a run."""

    rank: int  #: Number of this process, from 0.
    count: int  #: Processes of the run, on all nodes.
    device: torch.device  #: Where this process works.

    @property
    def is_writer(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def share(self, rows: Any) -> Any:
        """This process's part of some rows: every `count`-th."""
        return rows[self.rank :: self.count]

    def total(self, *values: float) -> list[float]:
        """Sum numbers over all processes."""
        if self.count == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(sums)
        return sums.tolist()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            self.total(0.0)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Wait for all processes at the end of a block, and end all where it fails in one.

        `TrainingError` if the block failed in another process, which says why.
        """
        try:
            yield
        except Exception:
            self.total(1.0)
            raise
        if self.total(0.0)[0]:
            raise TrainingError("stopped, since another process of this run failed")

    def parallel(self, module: nn.Module, *, partly: bool = False) -> nn.Module:
        """The module, or in each step a part of it, as it learns from the batch of all processes.

        Its gradients are averaged over them, and its batch normalisation takes the statistics
        of all their shares: what a run learns does not depend on the number of processes.
        """
        if self.count == 1:
            return module
        from torch.nn.parallel import DistributedDataParallel

        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
            devices = [self.device.index]
        else:  # for which torch has no such layer
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm3d):
                    layer.__class__ = SharedBatchNorm  # type: ignore[assignment]
            devices = None
        # Sums of gradients do not keep their layout, which costs a copy and is no fault.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        return DistributedDataParallel(module, device_ids=devices, find_unused_parameters=partly)


class _Sum(torch.autograd.Function):
    """Sum over all processes, of values and of gradients."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
        sums = values.clone()
        distributed.all_reduce(sums)
        return sums

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        sums = gradient.contiguous().clone()
        distributed.all_reduce(sums)
        return sums


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over the shares of all processes, on CPUs.

    What `torch.nn.SyncBatchNorm` is on GPUs. Layers of `torch.nn` become one by their class
    alone: parameters and statistics are the same. Without training it is torch's own.
    """

    momentum: float
    running_mean: torch.Tensor
    running_var: torch.Tensor
    num_batches_tracked: torch.Tensor

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any shape (n, channels, …) will do."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise values of shape (n, channels, …)."""
        if not self.training:
            return super().forward(input)
        others = [0, *range(2, input.ndim)]
        shape = (1, -1) + (1,) * (input.ndim - 2)
        values = input.float()
        number = values.new_full((1,), values.numel() / values.shape[1])
        count, total = _Sum.apply(torch.cat([number, values.sum(others)])).split(
            [1, self.num_features]
        )
        mean = total / count
        centred = values - mean.view(shape)  # before squaring: differences of squares cancel
        variance = _Sum.apply((centred * centred).sum(others)) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)


@contextmanager
def launched(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; alone without it.

    `device` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; of several processes on GPUs each takes
    the GPU of its local rank. `DeviceError` if it is not there.
    """
    place = resolve_device(device)
    if "WORLD_SIZE" not in os.environ and not distributed.is_initialized():
        yield Processes(0, 1, place)
        return
    if place.type == "cuda":
        place = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(place)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
        atexit.register(_leave)  # and not here: a group cannot be joined twice
    yield Processes(distributed.get_rank(), distributed.get_world_size(), place)


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
