"""Runs a network over the orientations of environments and averages them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from shiftcli.density.environments import Environments
from shiftcli.density.orientations import (
    MAX_FRAMES,
    MIRROR_Y,
    Frames,
    Symmetry,
    apply_octahedral,
    euler_rotations,
    local_frames,
    octahedral_symmetries,
)
from shiftcli.density.voxelizer import voxelize
from shiftcli.network.densenet import MR3DDenseNet
from shiftcli.network.folding import FoldedNet, with_mirror_images

#: Either form of a network; the folded one runs in the type that it was made for.
Network = MR3DDenseNet | FoldedNet

#: Environments voxelized and predicted at once: by one thread, or by a GPU.
_BATCH = {"cpu": 24, "cuda": 2048}

#: Bytes taken and given back before the work: glibc then keeps what is freed for what comes next.
#: Else a tenth of a prediction's time goes into pages that the system clears over and over.
_KEPT = (1 << 25) - (1 << 13)

#: Seed of the random orientations: the same input gives the same output.
_SEED = 20190530

#: Symmetries of local frames: none, and the mirror that an isotropic shielding does not know.
_HANDS: list[Symmetry] = [((0, 1, 2), ()), MIRROR_Y]

#: Frames that weigh less than this are left out: they cost as much and change nothing.
_LEAST_WEIGHT = 0.01

#: Orientations averaged at most, unless the user says otherwise.
DEFAULT_VIEWS = {"frames": MAX_FRAMES, "octahedral": 48, "random": 8}


class Watcher(Protocol):
    """Is told how far the prediction of a structure is."""

    def begin(self, sites: int) -> None:
        """A structure of so many sites is to be predicted."""

    def advance(self, sites: float) -> None:
        """So many more are done, or parts of one; from any thread."""


#: Who watches, if anybody does.
WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def prediction_views(
    environments: Environments, orientation: str, views: int
) -> tuple[Frames, list[Symmetry]]:
    """Orientations that a prediction averages over.

    Parameters
    ----------
    environments : Environments
        What is to be predicted.
    orientation : {"frames", "octahedral", "random"}
        Local frames, each also mirrored, since an isotropic shielding does not know left from
        right; symmetries of the cube; or the paper's random Euler angles, the identity first,
        the same for all environments.
    views : int
        Number of orientations at most; local frames are cut to the heaviest, and a single one is
        not mirrored but of the hand that its environment says.

    Returns
    -------
    turned : Frames
        Rotations to voxelize in, and their weights, one row an environment.
    symmetries : list of (permutation, flips)
        Symmetries of the cube to apply to each voxel grid.
    """
    n = len(environments)
    everything = octahedral_symmetries()
    if orientation == "frames":
        frames = local_frames(environments)
        weights = _weights(frames)[:, :views]
        weights /= weights.sum(axis=1, keepdims=True)
        rotations = frames.rotations[:, :views]
        if views == 1:
            rotations = _one_hand(environments, rotations)
        return Frames(rotations, weights), _HANDS[:views]
    if orientation == "octahedral":
        rotations, symmetries = np.eye(3)[None], everything[:views]
    else:
        rotations = euler_rotations(views, np.random.default_rng(_SEED))
        symmetries = everything[:1]
    count = len(rotations)
    shared = np.broadcast_to(rotations.astype(np.float32), (n, count, 3, 3))
    return Frames(shared, np.full((n, count), 1.0 / count, dtype=np.float32)), symmetries


def _weights(frames: Frames) -> np.ndarray:
    # Subtracting the limit, not cutting at it, lets a frame fade out without a jump.
    return np.maximum(frames.weights - _LEAST_WEIGHT, 0.0)


def share_left_out(environments: Environments, orientation: str, views: int) -> np.ndarray:
    """Weight of the orientations of `DEFAULT_VIEWS` that so many views leave out, shape (n,).

    0 where all are seen; of a single local frame the mirror image is left out, too.
    """
    n, usual = len(environments), DEFAULT_VIEWS[orientation]
    if views >= usual or orientation != "frames":
        return np.full(n, max(0.0, 1.0 - views / usual))
    weights = _weights(local_frames(environments)).astype(np.float64)
    seen = weights[:, :views].sum(axis=1) / weights.sum(axis=1)
    return np.asarray(1.0 - (seen / 2 if views == 1 else seen)).clip(0.0)


def _one_hand(environments: Environments, rotations: np.ndarray) -> np.ndarray:
    """Frames of the hand that has more around its y, so that mirror images have one prediction.

    Which of the copies of a site is predicted depends on the order of atoms, and its hand with it.
    """
    positions = environments.positions.astype(np.float64)
    sizes = np.exp(-np.linalg.norm(positions, axis=2)) * (environments.channels + 2)
    sides = np.einsum("nm,nmk,nk->n", sizes, positions, rotations[:, 0, 1])
    turned = rotations.copy()
    turned[sides < 0, :, 1] *= -1
    return turned


def average_views(
    network: Network,
    environments: Environments,
    views: tuple[Frames, list[Symmetry]],
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
) -> np.ndarray:
    """Weighted mean of a network's output over all views of n environments, shape (n,), float64.

    Arguments as of `view_statistics`.
    """
    return view_statistics([network], environments, views, device, dtype)[0][0]


def view_statistics(
    networks: Sequence[Network],
    environments: Environments,
    views: tuple[Frames, list[Symmetry]],
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of k networks' outputs over the views of n environments.

    The networks are of the same grids and density kernel, in evaluation mode; all see the same
    densities. Rotations of weight 0 are skipped. The weighted mean of each network's output, and
    the weighted variance about it, Σ w (x − mean)² with weights that sum to 1, 0 where there is one
    view; shape (k, n) each, float64.
    """
    turned, symmetries = views
    rows, columns = np.nonzero(turned.weights)
    outputs = np.empty((len(networks), len(symmetries), len(rows)))
    held = Held.on(device, environments)
    watcher, share = WATCHER.get(), len(environments) / max(len(rows), 1)

    def run(part: slice) -> None:
        see(part)
        if watcher is not None:
            watcher.advance(share * (part.stop - part.start))

    @torch.inference_mode()
    def see(part: slice) -> None:
        row = rows[part]
        volume = densities(networks[0], held[row], turned.rotations[row, columns[part]], dtype)
        folded = [network for network in networks if isinstance(network, FoldedNet)]
        if symmetries == _HANDS and len(folded) == len(networks):
            outputs[..., part] = with_mirror_images(folded, volume).double().cpu().numpy()
            return
        for k, symmetry in enumerate(symmetries):
            seen = apply_octahedral(volume, symmetry)
            seen = seen.contiguous(memory_format=torch.channels_last_3d)
            for member, network in enumerate(networks):
                outputs[member, k, part] = forward(network, seen)

    if device.type == "cpu":
        _run_in_threads(run, len(rows))
    else:
        _run_in_memory(run, slice(0, len(rows)), _BATCH[device.type])
    weights = turned.weights[rows, columns].astype(np.float64)
    n = len(environments)

    def total(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(rows, weights * own, minlength=n) for own in values])

    mean = total(outputs.mean(axis=1))
    return mean, total(((outputs - mean[:, None, rows]) ** 2).mean(axis=1))


def _run_in_threads(run: Callable[[slice], None], total: int) -> None:
    """Work on batches side by side, each in one thread.

    How PyTorch shares one product among threads decides how its sums are rounded, and so would
    the size of a batch. Here both depend on the environments alone: the same come out the same
    bit for bit, whatever the number of threads or processes.
    """
    size, threads = _BATCH["cpu"], torch.get_num_threads()
    batches = -(-total // size)
    ends = [total * k // batches for k in range(batches + 1)] if batches else [0]
    torch.empty(_KEPT, dtype=torch.uint8)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for _ in pool.map(
                lambda start, stop: _run_in_memory(run, slice(start, stop), size), ends, ends[1:]
            ):
                pass
        finally:
            torch.set_num_threads(threads)  # for threads to come; this one kept its own


def _run_in_memory(run: Callable[[slice], None], part: slice, size: int) -> None:
    """Work on one batch after the other, on smaller ones when memory runs out."""
    start = part.start
    while start < part.stop:
        try:
            run(slice(start, min(start + size, part.stop)))
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
        else:
            start += size


@dataclass(frozen=True, eq=False)
class Held:
    """Environments in the memory of a device, uploaded once and taken from by rows."""

    positions: torch.Tensor  #: As in `Environments`, float32, shape (n, m, 3).
    channels: torch.Tensor  #: As in `Environments`, int8, shape (n, m).

    @classmethod
    def on(cls, device: torch.device, environments: Environments) -> Held:
        """Upload environments; on the CPU nothing is copied."""
        return cls(
            torch.from_numpy(environments.positions).to(device),
            torch.from_numpy(environments.channels).to(device),
        )

    def __getitem__(self, rows: np.ndarray) -> Held:
        chosen = torch.from_numpy(rows).to(self.positions.device)
        return Held(self.positions[chosen], self.channels[chosen])


def densities(
    network: Network,
    environments: Held,
    rotations: np.ndarray,
    dtype: torch.dtype = torch.bfloat16,
) -> torch.Tensor:
    """Voxelize turned environments as a network wants them.

    Parameters
    ----------
    network : MR3DDenseNet
        Its architecture names the grids and the kernel.
    environments : Held
        n environments on the device to work on.
    rotations : numpy.ndarray
        One orthogonal matrix each, float32, shape (n, 3, 3).
    dtype : torch.dtype
        Type of the densities.

    Returns
    -------
    torch.Tensor
        Densities, shape (n, channels, 16, 16, 16).
    """
    positions = environments.positions
    rotation = torch.from_numpy(np.array(rotations)).to(positions.device)
    return voxelize(
        positions,
        environments.channels.long(),
        rotations=rotation,
        grids=network.architecture.grids,
        kernel=network.architecture.kernel,
        dtype=dtype,
    )


@torch.inference_mode()
def forward(network: Network, volume: torch.Tensor) -> np.ndarray:
    """Scaled shieldings, float64, shape (n,), of densities of shape (n, channels, 16, 16, 16).

    The network, in evaluation mode, works in the precision of the densities.
    """
    volume = volume.contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast(volume.device.type, volume.dtype, enabled=volume.dtype != torch.float32):
        return network(volume).double().cpu().numpy()
