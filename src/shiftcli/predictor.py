"""From a crystal to the shielding of every distinct atom, with its uncertainty."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from shiftcli.checkpoint import Metadata, load
from shiftcli.crystal import ELEMENTS, SPECIES, Crystal, Site, check
from shiftcli.density import voxelize
from shiftcli.devices import resolve_device
from shiftcli.environments import Environments, surroundings
from shiftcli.errors import DEBUG, ReadError, ShiftcliError, UsageError, WeightsError, fault
from shiftcli.hydrogens import Hydrogens, normalise_hydrogens
from shiftcli.network import MR3DDenseNet
from shiftcli.orientations import (
    MAX_FRAMES,
    MIRROR_Y,
    ORIENTATIONS,
    Frames,
    Symmetry,
    apply_octahedral,
    euler_rotations,
    local_frames,
    octahedral_symmetries,
)
from shiftcli.readers import Disorder, iter_structures
from shiftcli.weights import find_networks

#: Environments voxelized and predicted at once.
_BATCH = {"cpu": 64, "cuda": 2048}

#: Sites of a large cell whose surroundings are held at once.
_SITES_AT_ONCE = 1024

#: Seed of the random orientations: the same input gives the same output.
_SEED = 20190530

#: Precisions that a network runs in.
DTYPES = ("float32", "bfloat16")

#: Frames that weigh less than this are left out: they cost as much and change nothing.
_LEAST_WEIGHT = 0.01

#: Orientations averaged at most, unless the user says otherwise.
DEFAULT_VIEWS = {"frames": MAX_FRAMES, "octahedral": 48, "random": 8}


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
        Number of orientations at most; local frames are cut to the heaviest.

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
        # Subtracting the limit, not cutting at it, lets a frame fade out without a jump.
        weights = np.maximum(frames.weights[:, :views] - _LEAST_WEIGHT, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        return Frames(frames.rotations[:, :views], weights), [everything[0], MIRROR_Y][:views]
    if orientation == "octahedral":
        rotations, symmetries = np.eye(3)[None], everything[:views]
    else:
        rotations = euler_rotations(views, np.random.default_rng(_SEED))
        symmetries = everything[:1]
    count = len(rotations)
    shared = np.broadcast_to(rotations.astype(np.float32), (n, count, 3, 3))
    return Frames(shared, np.full((n, count), 1.0 / count, dtype=np.float32)), symmetries


def average_views(
    network: MR3DDenseNet,
    environments: Environments,
    views: tuple[Frames, list[Symmetry]],
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
) -> np.ndarray:
    """Run a network on all views of some environments and average each one's.

    Parameters
    ----------
    network : MR3DDenseNet
        In evaluation mode.
    environments : Environments
        n environments.
    views : tuple
        From `prediction_views`; rotations of weight 0 are skipped.
    device : torch.device
        Where to work.
    dtype : torch.dtype
        bfloat16 or float32.

    Returns
    -------
    numpy.ndarray
        Weighted mean of the network's output, shape (n,), float64.
    """
    turned, symmetries = views
    rows, columns = np.nonzero(turned.weights)
    outputs = np.empty(len(rows))
    size = _BATCH[device.type]
    for start in range(0, len(rows), size):
        row, column = rows[start : start + size], columns[start : start + size]
        volume = densities(network, environments[row], turned.rotations[row, column], device, dtype)
        seen = [forward(network, apply_octahedral(volume, symmetry)) for symmetry in symmetries]
        outputs[start : start + size] = np.mean(seen, axis=0)
    weights = turned.weights[rows, columns].astype(np.float64)
    return np.bincount(rows, weights * outputs, minlength=len(environments))


def densities(
    network: MR3DDenseNet,
    environments: Environments,
    rotations: np.ndarray,
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
) -> torch.Tensor:
    """Voxelize turned environments as a network wants them.

    Parameters
    ----------
    network : MR3DDenseNet
        Its architecture names the grids and the kernel.
    environments : Environments
        n environments.
    rotations : numpy.ndarray
        One orthogonal matrix each, float32, shape (n, 3, 3).
    device : torch.device
        Where to work.
    dtype : torch.dtype
        Type of the densities.

    Returns
    -------
    torch.Tensor
        Densities, shape (n, channels, 16, 16, 16).
    """
    rotation = torch.from_numpy(np.array(rotations)).to(device)
    positions = torch.from_numpy(environments.positions).to(device)
    return voxelize(
        torch.bmm(positions, rotation.transpose(1, 2)),
        torch.from_numpy(environments.channels).to(device).long(),
        grids=network.architecture.grids,
        kernel=network.architecture.kernel,
        dtype=dtype,
    )


@torch.inference_mode()
def forward(network: MR3DDenseNet, volume: torch.Tensor) -> np.ndarray:
    """Run a network on densities, in their precision.

    Parameters
    ----------
    network : MR3DDenseNet
        In evaluation mode.
    volume : torch.Tensor
        float32 or bfloat16, shape (n, channels, 16, 16, 16).

    Returns
    -------
    numpy.ndarray
        Scaled shieldings, float64, shape (n,).
    """
    volume = volume.contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast(volume.device.type, volume.dtype, enabled=volume.dtype != torch.float32):
        return network(volume).double().cpu().numpy()


@dataclass(frozen=True)
class SitePrediction:
    """Predicted shielding of one symmetry-distinct atom.

    Attributes
    ----------
    site : Site
        The atom: label, element, multiplicity, its copies in the crystal.
    shielding : float
        Isotropic shielding in ppm.
    uncertainty : float
        One standard deviation in ppm, from the network's validation errors.
    flags : tuple of str
        What makes this row less certain than the uncertainty says, or was changed.
    """

    site: Site
    shielding: float
    uncertainty: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """Predicted shieldings of one crystal.

    Attributes
    ----------
    crystal : Crystal
        The crystal as it was predicted, hydrogens moved if they were.
    sites : tuple of SitePrediction
        In the order of the file.
    """

    crystal: Crystal
    sites: tuple[SitePrediction, ...]


@dataclass(frozen=True)
class Failure:
    """A structure that could not be predicted.

    Attributes
    ----------
    file : str
        Its file.
    error : ShiftcliError
        Why.
    """

    file: str
    error: ShiftcliError


class Predictor:
    """Predicts the shieldings of crystals.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Directory of networks; without it the ones in the package.
    nuclei : sequence of str, optional
        Elements to predict; without it all that the networks know.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    orientations : {"frames", "octahedral", "random"}, optional
        What to average over; without it what the networks were trained with.
    views : int, optional
        Orientations of each atom at most; without it those of `DEFAULT_VIEWS`.
    hydrogens : {"auto", "keep", "normalise"}
        What to do with X–H bonds of X-ray length.
    allow : collection of str
        Refusals to override, see `shiftcli.crystal.check`.
    dtype : {"float32", "bfloat16"}
        Precision of the network. bfloat16 is several times faster on processors that have
        it and moves a 1H shielding by up to about 0.01 ppm.

    Raises
    ------
    WeightsError
        If the networks are missing or damaged, or know none of the nuclei.
    UsageError
        If the networks cannot be used with these orientations.
    DeviceError
        If the device is not there.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        nuclei: Sequence[str] | None = None,
        device: str = "auto",
        orientations: str | None = None,
        views: int | None = None,
        hydrogens: Hydrogens = "auto",
        allow: Collection[str] = (),
        dtype: str = "float32",
    ) -> None:
        if dtype not in DTYPES:
            raise UsageError(f"dtype '{dtype}' is none of {', '.join(DTYPES)}")
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.device = resolve_device(device)
        if self.device.type == "cuda" and self.dtype == torch.float32:
            torch.backends.cudnn.allow_tf32 = False  # else float32 would be 10 bits there
        self.files = find_networks(weights)
        wanted = ELEMENTS if nuclei is None else tuple(nuclei)
        self.networks: dict[str, list[tuple[MR3DDenseNet, Metadata]]] = {}
        for file in self.files:
            if file.nucleus not in wanted:
                continue
            network, metadata = load(file.path)
            if metadata.nucleus != file.nucleus:
                raise WeightsError(
                    f"a network of {metadata.nucleus} named as one of {file.nucleus}",
                    where=str(file.path),
                )
            network.to(self.device, memory_format=torch.channels_last_3d)
            self.networks.setdefault(file.nucleus, []).append((network, metadata))
        for nucleus in wanted:
            if nuclei is not None and nucleus not in self.networks:
                raise WeightsError(f"no network for {SPECIES.get(nucleus, nucleus)}")
        check_orientations(self.networks, orientations)
        if views is not None and views < 1:
            raise UsageError(f"{views} views: at least one is needed")
        self.orientations, self.views = orientations, views
        self.hydrogens: Hydrogens = hydrogens
        self.allow = allow

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.files[0].model

    def predict(self, crystal: Crystal) -> Prediction:
        """Predict all distinct atoms of a crystal.

        Parameters
        ----------
        crystal : Crystal
            From `shiftcli.read`.

        Returns
        -------
        Prediction

        Raises
        ------
        StructureError
            If the networks cannot know this structure and nothing allows it.
        """
        crystal = prepare(crystal, self.allow, self.hydrogens)
        chosen = [k for k, site in enumerate(crystal.sites) if site.element in self.networks]
        values: dict[int, tuple[float, float]] = {}
        for nucleus in self.networks:
            rows = [k for k in chosen if crystal.sites[k].element == nucleus]
            for start in range(0, len(rows), _SITES_AT_ONCE):
                part = rows[start : start + _SITES_AT_ONCE]
                environments = surroundings(crystal, [crystal.sites[k] for k in part])
                shielding, uncertainty = self.predict_environments(nucleus, environments)
                values.update(zip(part, zip(shielding, uncertainty, strict=True), strict=True))
        sites = tuple(
            SitePrediction(crystal.sites[k], *values[k], crystal.flags.get(k, ())) for k in chosen
        )
        return Prediction(crystal, sites)

    def predict_files(
        self, files: Iterable[str], *, disorder: Disorder = "major"
    ) -> Iterator[Prediction | Failure]:
        """Predict every structure of several files; one that fails does not stop the rest.

        Parameters
        ----------
        files : iterable of str
            Files, as `shiftcli.readers.find_files` lists them.
        disorder : {"major", "error"}
            What to do with disordered structures.

        Yields
        ------
        Prediction or Failure
            One for each structure, in order.
        """
        for file in files:
            try:
                for item in iter_structures(file, disorder=disorder):
                    yield self._attempt(item, file)
            except Exception as error:
                yield Failure(file, _told(error, file))

    def _attempt(self, item: Crystal | ReadError, file: str) -> Prediction | Failure:
        try:
            return Failure(file, item) if isinstance(item, ReadError) else self.predict(item)
        except Exception as error:
            return Failure(file, _told(error, file))

    def predict_environments(
        self, nucleus: str, environments: Environments
    ) -> tuple[list[float], list[float]]:
        """Shieldings and uncertainties in ppm of some environments of one nucleus."""
        members = []
        variance = 0.0
        for network, metadata in self.networks[nucleus]:
            orientation = self.orientations or metadata.orientation
            views = prediction_views(
                environments, orientation, self.views or DEFAULT_VIEWS[orientation]
            )
            mean = average_views(network, environments, views, self.device, self.dtype)
            members.append(metadata.mean + metadata.scale * mean)
            variance += metadata.validation.get("rmse", math.nan) ** 2
        shielding = np.mean(members, axis=0)
        uncertainty = math.sqrt(variance / len(members))
        return shielding.tolist(), [uncertainty] * len(shielding)


def prepare(
    crystal: Crystal, allow: Collection[str] = (), hydrogens: Hydrogens = "auto"
) -> Crystal:
    """Check a crystal and put its hydrogens right, as every prediction does first.

    Parameters
    ----------
    crystal : Crystal
        As it was read.
    allow : collection of str
        Refusals to override, see `shiftcli.crystal.check`.
    hydrogens : {"auto", "keep", "normalise"}
        See `shiftcli.hydrogens.normalise_hydrogens`.

    Returns
    -------
    Crystal
        With flags and warnings for what was allowed or changed.

    Raises
    ------
    StructureError
        If the networks cannot know this structure and nothing allows it.
    """
    return normalise_hydrogens(check(crystal, allow), hydrogens)


def _told(error: Exception, file: str) -> ShiftcliError:
    """The error to list for a file; a fault of ours in one must not lose the others."""
    if isinstance(error, ShiftcliError):
        return error
    if os.environ.get(DEBUG) == "1":
        raise error
    return fault(error, file)


def check_orientations(
    networks: Mapping[str, Sequence[tuple[MR3DDenseNet, Metadata]]], orientations: str | None
) -> None:
    """Refuse orientations that a network has never seen.

    A network trained with random rotations takes any; one trained with local frames
    knows its environments in those alone.

    Raises
    ------
    UsageError
        If that is so.
    """
    if orientations not in (None, *ORIENTATIONS):
        raise UsageError(f"orientations '{orientations}' is none of {', '.join(ORIENTATIONS)}")
    if orientations is None or orientations == "frames":
        return
    for nucleus, members in networks.items():
        if any(metadata.orientation == "frames" for _, metadata in members):
            raise UsageError(
                f"the {SPECIES[nucleus]} network was trained with local frames and would be "
                f"wrong in {orientations} orientations",
                hint="leave --orientations out, or train with --orientation random",
            )
