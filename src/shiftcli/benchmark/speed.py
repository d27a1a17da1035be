"""How fast the parts are on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from shiftcli.density.environments import Environments, surroundings
from shiftcli.density.orientations import uniform_rotations
from shiftcli.density.voxelizer import (
    GAUSSIAN_REACH,
    GRIDS,
    SIGMA_SQUARED,
    VOXELS,
    grid_axis,
    voxelize,
)
from shiftcli.network.folding import FoldedNet
from shiftcli.network.inference import forward
from shiftcli.prediction.predictor import Predictor
from shiftcli.readers import read
from shiftcli.structure.crystal import Crystal
from shiftcli.weights import packaged

#: Orientations of one crystal's environments in the voxelizer's test.
_ORIENTATIONS = 8

#: Batch sizes that the network is timed with, on a CPU and on a GPU.
_BATCHES = {"cpu": (1, 8, 64, 256), "cuda": (64, 512, 2048, 8192)}

#: Bytes of the array whose copy measures the bandwidth: larger than any cache.
_COPIED = {"cpu": 1 << 28, "cuda": 1 << 30}

#: Environments given to the dense formulation, which takes most of a second for each.
_DENSE_SAMPLE = 2


@dataclass(frozen=True)
class Speed:
    """Throughput of the parts, medians of repeated runs."""

    device: str  #: Where it was measured.
    dtype: str  #: Precision of densities and network.
    voxelizations: float  #: Environments a second on all 20 channels.
    voxelizations_spread: tuple[float, float]  #: Slowest and fastest of the repeats.
    #: The same with a norm and an exponential for every voxel and atom, materialised, as in the
    #: authors' published code.
    dense_voxelizations: float
    #: Networks' forward passes a second, one orientation, with the best batch size.
    predictions: float
    #: The same for several batch sizes; those that do not fit the memory are left out.
    predictions_by_batch: dict[str, float]
    bandwidth: float  #: Bytes a second that the device writes in copying a large array.
    #: Bytes of densities that the voxelizer writes in a second, over `bandwidth`: 1 is the limit of
    #: the device.
    bandwidth_fraction: float
    environments: int  #: Environments measured on, orientations counted.
    #: Multiplications and additions of one voxelization, as the separable sums need them.
    operations: float
    bytes_written: int  #: Densities of one environment.

    @property
    def ratio(self) -> float:
        """How many times faster than the dense formulation the voxelizer is."""
        return self.voxelizations / self.dense_voxelizations

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the key ``speed``, for JSON."""
        return {"speed": {**asdict(self), "ratio": self.ratio}}


def benchmark_crystal() -> Crystal:
    """The crystal that speed is measured on where no other is given: urea, all atoms distinct."""
    (crystal,) = read(packaged("examples") / "urea.cif")
    return replace(crystal, site_ids=np.arange(len(crystal)))


def measure_speed(predictor: Predictor, crystal: Crystal, repeats: int = 5) -> Speed:
    """Time the voxelizer and a network on the environments of one crystal.

    Parameters
    ----------
    predictor : Predictor
        Its device and its first network are measured.
    crystal : Crystal
        The crystal, eight orientations of each of its distinct atoms.
    repeats : int
        Timed runs after one warm-up.
    """
    device = predictor.device
    environments = surroundings(crystal, crystal.sites)
    rows = np.tile(np.arange(len(environments)), _ORIENTATIONS)
    rotations = uniform_rotations(len(rows), np.random.default_rng(0)).astype(np.float32)
    positions = torch.bmm(
        torch.from_numpy(environments.positions[rows]), torch.from_numpy(rotations).transpose(1, 2)
    ).to(device)
    channels = torch.from_numpy(environments.channels[rows]).to(device).long()
    network = next(iter(predictor.networks.values()))[0][0]

    def run_voxelizer() -> None:
        for k in range(0, len(rows), 64):
            voxelize(positions[k : k + 64], channels[k : k + 64], dtype=predictor.dtype)

    volume = voxelize(positions[:64], channels[:64], dtype=predictor.dtype)

    voxel_times = _times(run_voxelizer, device, repeats)
    by_batch = _network_rates(network, volume, repeats)
    bandwidth = _bandwidth(device)
    sample = Environments(
        positions[:_DENSE_SAMPLE].cpu().numpy(), channels[:_DENSE_SAMPLE].cpu().numpy()
    )
    dense_times = _times(lambda: dense_voxelize(sample), torch.device("cpu"), 1)
    n = len(rows)
    return Speed(
        device=str(device),
        dtype=str(predictor.dtype).removeprefix("torch."),
        voxelizations=n / statistics.median(voxel_times),
        voxelizations_spread=(n / max(voxel_times), n / min(voxel_times)),
        dense_voxelizations=_DENSE_SAMPLE / statistics.median(dense_times),
        predictions=max(by_batch.values()),
        predictions_by_batch={str(size): rate for size, rate in by_batch.items()},
        bandwidth=bandwidth,
        bandwidth_fraction=n / statistics.median(voxel_times) * volume[0].nbytes / bandwidth,
        environments=n,
        operations=_operations(positions),
        bytes_written=volume[0].nbytes,
    )


def _operations(positions: torch.Tensor) -> float:
    """Multiplications and additions an environment: X ⊗ Y, then its product with Z."""
    extent = positions.abs().amax(dim=2)
    seen = sum(float((extent < edge / 2 + GAUSSIAN_REACH).sum()) for edge in GRIDS)
    return seen / len(positions) * (VOXELS**2 + 2 * VOXELS**3)


def _network_rates(network: FoldedNet, volume: torch.Tensor, repeats: int) -> dict[int, float]:
    """Forward passes a second by batch size."""
    rates = {}
    for size in _BATCHES[volume.device.type]:
        try:
            batch = volume[torch.arange(size, device=volume.device) % len(volume)]
            times = _times(partial(forward, network, batch), volume.device, repeats)
        except torch.OutOfMemoryError:
            break
        rates[size] = size / statistics.median(times)
    return rates


def _bandwidth(device: torch.device) -> float:
    """Bytes a second written in copying an array."""
    source = torch.ones(_COPIED[device.type] // 4, device=device)
    target = torch.empty_like(source)
    times = _times(lambda: target.copy_(source), device, 5)
    return source.nbytes / statistics.median(times)


def _times(job: Callable[[], object], device: torch.device, repeats: int) -> list[float]:
    """Seconds of several runs after one warm-up."""

    def finish() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    job()
    finish()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        finish()
        times.append(time.perf_counter() - start)
    return times


def dense_voxelize(environments: Environments) -> np.ndarray:
    """Equation 1 as the authors' code evaluates it: every voxel against every atom.

    Densities of n environments, float16, shape (n, 20, 16, 16, 16).
    """
    result = np.empty((len(environments), len(GRIDS) * 4, VOXELS, VOXELS, VOXELS), np.float16)
    for row, (positions, channels) in enumerate(
        zip(environments.positions, environments.channels, strict=True)
    ):
        for g, edge in enumerate(GRIDS):
            axis = grid_axis(edge, dtype=torch.float64).numpy()
            voxels = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
            for element in range(4):
                atoms = positions[channels == element]
                if not len(atoms):
                    result[row, 4 * g + element] = 0.0
                    continue
                difference = voxels[..., None, :] - atoms
                norm = np.linalg.norm(difference, axis=-1)
                result[row, 4 * g + element] = np.exp(-(norm**2) / SIGMA_SQUARED).sum(axis=-1)
    return result
