"""From a crystal to the shielding of every distinct atom, with its uncertainty."""

from __future__ import annotations

import math
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
from shiftcli.errors import ReadError, ShiftcliError, UsageError, WeightsError
from shiftcli.hydrogens import Hydrogens, normalise_hydrogens
from shiftcli.network import MR3DDenseNet
from shiftcli.orientations import (
    Frames,
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


def prediction_views(environments: Environments, orientation: str, views: int) -> Frames:
    """Orientations that a prediction averages over.

    Parameters
    ----------
    environments : Environments
        What is to be predicted.
    orientation : {"frames", "random"}
        Local frames, or the paper's random Euler angles: the identity first, the same for
        all environments.
    views : int
        Number of orientations; local frames are cut to the `views` heaviest.

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
    rotations = euler_rotations(views, np.random.default_rng(_SEED)).astype(np.float32)
    shared = np.broadcast_to(rotations, (n, views, 3, 3))
    return Frames(shared, np.full((n, views), 1.0 / views, dtype=np.float32))


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
    size = _BATCH[device.type]
    for start in range(0, len(rows), size):
        row, column = rows[start : start + size], columns[start : start + size]
        volume = densities(network, environments[row], views.rotations[row, column], device, dtype)
        outputs[start : start + size] = _forward(network, volume)
    weights = views.weights[rows, columns].astype(np.float64)
    n = len(environments)
    mean = np.bincount(rows, weights * outputs, minlength=n)
    variance = np.bincount(rows, weights * (outputs - mean[rows]) ** 2, minlength=n)
    return mean, np.sqrt(variance)


@torch.inference_mode()
def average_octahedral(
    network: MR3DDenseNet,
    environments: Environments,
    views: int,
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
) -> tuple[np.ndarray, np.ndarray]:
    """As `average_views`, over symmetries of the cube, each grid voxelized only once.

    Parameters
    ----------
    views : int
        Number of symmetries, 48 at most; the identity comes first.
    """
    outputs = np.empty((min(views, 48), len(environments)))
    size = _BATCH[device.type]
    for start in range(0, len(environments), size):
        part = environments[slice(start, start + size)]
        upright = np.broadcast_to(np.eye(3, dtype=np.float32), (len(part), 3, 3))
        volume = densities(network, part, upright, device, dtype)
        for k, symmetry in enumerate(octahedral_symmetries()[:views]):
            turned = apply_octahedral(volume, symmetry)
            outputs[k, start : start + size] = _forward(
                network, turned.contiguous(memory_format=torch.channels_last_3d)
            )
    return outputs.mean(axis=0), outputs.std(axis=0)


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


def _forward(network: MR3DDenseNet, volume: torch.Tensor) -> np.ndarray:
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
    views : int
        Orientations of each atom at most.
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
        views: int = 12,
        hydrogens: Hydrogens = "auto",
        allow: Collection[str] = (),
        dtype: str = "float32",
    ) -> None:
        if dtype not in DTYPES:
            raise UsageError(f"dtype '{dtype}' is none of {', '.join(DTYPES)}")
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.device = resolve_device(device)
        self.files = find_networks(weights)
        wanted = ELEMENTS if nuclei is None else tuple(nuclei)
        self.networks: dict[str, list[tuple[MR3DDenseNet, Metadata]]] = {}
        for file in self.files:
            if file.nucleus not in wanted:
                continue
            network, metadata = load(file.path)
            network.to(self.device, memory_format=torch.channels_last_3d)
            self.networks.setdefault(file.nucleus, []).append((network, metadata))
        for nucleus in wanted:
            if nuclei is not None and nucleus not in self.networks:
                raise WeightsError(f"no network for {SPECIES.get(nucleus, nucleus)}")
        check_orientations(self.networks, orientations)
        if views < 1:
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
        crystal = check(crystal, self.allow)
        crystal = normalise_hydrogens(crystal, self.hydrogens)
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
            for item in iter_structures(file, disorder=disorder):
                try:
                    if isinstance(item, ReadError):
                        raise item
                    yield self.predict(item)
                except ShiftcliError as error:
                    yield Failure(file, error)

    def predict_environments(
        self, nucleus: str, environments: Environments
    ) -> tuple[list[float], list[float]]:
        """Shieldings and uncertainties in ppm of some environments of one nucleus."""
        members = []
        variance = 0.0
        for network, metadata in self.networks[nucleus]:
            orientation = self.orientations or metadata.orientation
            if orientation == "octahedral":
                mean, _ = average_octahedral(
                    network, environments, self.views, self.device, self.dtype
                )
            else:
                views = prediction_views(environments, orientation, self.views)
                mean, _ = average_views(network, environments, views, self.device, self.dtype)
            members.append(metadata.mean + metadata.scale * mean)
            variance += metadata.validation.get("rmse", math.nan) ** 2
        shielding = np.mean(members, axis=0)
        uncertainty = math.sqrt(variance / len(members))
        return shielding.tolist(), [uncertainty] * len(shielding)


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
    if orientations is None or orientations == "frames":
        return
    for nucleus, members in networks.items():
        if any(metadata.orientation == "frames" for _, metadata in members):
            raise UsageError(
                f"the {SPECIES[nucleus]} network was trained with local frames and would be "
                f"wrong in {orientations} orientations",
                hint="leave --orientations out, or train with --orientation random",
            )
