"""One process or several: what ``torchrun`` started, and the sums across all of them.

Everything that knows of `torch.distributed` is here. Without ``torchrun`` all of it does
nothing, so that the loop has one form.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn

from shiftcli.devices import resolve_device
from shiftcli.errors import TrainingError


@dataclass(frozen=True)
class Processes:
    """The place of this process among those of a run.

    Attributes
    ----------
    rank : int
        Number of this process, from 0.
    count : int
        Processes of the run, on all nodes.
    device : torch.device
        Where this process works.
    """

    rank: int
    count: int
    device: torch.device

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

        Raises
        ------
        TrainingError
            If the block failed in another process, which says why.
        """
        try:
            yield
        except Exception:
            self.total(1.0)
            raise
        if self.total(0.0)[0]:
            raise TrainingError("stopped, since another process of this run failed")

    def average(self, buffers: Iterable[torch.Tensor]) -> None:
        """Replace statistics that each process gathered from its share by their mean."""
        for buffer in buffers:
            if self.count > 1 and buffer.is_floating_point():
                distributed.all_reduce(buffer)
                buffer /= self.count

    def parallel(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are averaged over the processes."""
        if self.count == 1:
            return module
        from torch.nn.parallel import DistributedDataParallel

        if self.device.type == "cuda":
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
            return DistributedDataParallel(module, device_ids=[self.device.index])
        return DistributedDataParallel(module)


@contextmanager
def launched(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; alone without it.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; of several processes on GPUs each takes the
        GPU of its local rank.

    Yields
    ------
    Processes

    Raises
    ------
    DeviceError
        If the device is not there.
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
