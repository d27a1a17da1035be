"""From a crystal to the shielding of every distinct atom, with its uncertainty."""

from __future__ import annotations

import numpy as np
import torch

from shiftcli.density import voxelize
from shiftcli.environments import Environments
from shiftcli.network import MR3DDenseNet
from shiftcli.orientations import (
    Frames,
    euler_rotations,
    local_frames,
    uniform_rotations,
)

#: Environments voxelized and predicted at once.
_BATCH = {"cpu": 64, "cuda": 2048}

#: Frames that weigh less than this are left out: they cost as much and change nothing.
_LEAST_WEIGHT = 0.01


def prediction_views(
    environments: Environments, orientation: str, views: int, seed: int
) -> Frames:
    """Orientations that a prediction averages over.

    Parameters
    ----------
    environments : Environments
        What is to be predicted.
    orientation : {"frames", "random"}
        Local frames, or the paper's random Euler angles (the identity first).
    views : int
        Number of orientations; local frames are cut to the `views` heaviest.
    seed : int
        Of the random angles.

    Returns
    -------
    Frames
        Rotations and weights, one row an environment.
    """
    n = len(environments)
    if orientation == "frames":
        frames = local_frames(environments)
        weights = frames.weights[:, :views]
        weights = np.where(weights >= _LEAST_WEIGHT, weights, 0.0)
        return Frames(frames.rotations[:, :views], weights / weights.sum(axis=1, keepdims=True))
    rotations = euler_rotations(views, np.random.default_rng(seed)).astype(np.float32)
    weights = np.full((n, views), 1.0 / views, dtype=np.float32)
    return Frames(np.broadcast_to(rotations, (n, views, 3, 3)), weights)


@torch.inference_mode()
def average_views(
    network: MR3DDenseNet,
    environments: Environments,
    views: Frames,
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
) -> tuple[np.ndarray, np.ndarray]:
    """Run a network on all views of some environments and average each one's.

    Parameters
    ----------
    network : MR3DDenseNet
        In evaluation mode.
    environments : Environments
        n environments.
    views : Frames
        Their orientations; those of weight 0 are skipped.
    device : torch.device
        Where to work.
    dtype : torch.dtype
        bfloat16 or float32.

    Returns
    -------
    mean : numpy.ndarray
        Weighted mean of the network's output, shape (n,), float64.
    spread : numpy.ndarray
        Weighted standard deviation over the views, shape (n,).
    """
    rows, columns = np.nonzero(views.weights)
    outputs = np.empty(len(rows))
    architecture = network.architecture
    size = _BATCH[device.type]
    for start in range(0, len(rows), size):
        row, column = rows[start : start + size], columns[start : start + size]
        rotation = torch.from_numpy(views.rotations[row, column]).to(device)
        positions = torch.from_numpy(environments.positions[row]).to(device)
        channels = torch.from_numpy(environments.channels[row]).to(device)
        volume = voxelize(
            torch.bmm(positions, rotation.transpose(1, 2)),
            channels.long(),
            grids=architecture.grids,
            kernel=architecture.kernel,
            dtype=dtype,
        )
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            outputs[start : start + size] = network(volume).double().cpu().numpy()
    weights = views.weights[rows, columns].astype(np.float64)
    n = len(environments)
    mean = np.bincount(rows, weights * outputs, minlength=n)
    variance = np.bincount(rows, weights * (outputs - mean[rows]) ** 2, minlength=n)
    return mean, np.sqrt(variance)
