"""Begins a run with the weights of a network trained before, perhaps of another nucleus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shiftcli.errors import TrainingError
from shiftcli.network.checkpoint import load
from shiftcli.network.densenet import Architecture, MR3DDenseNet
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.config import Configuration
from shiftcli.training.data import split_crystals
from shiftcli.training.families import find_known
from shiftcli.training.sources import Labelled
from shiftcli.weights import find_networks


def start_from(network: MR3DDenseNet, path: Path, element: str) -> None:
    """Take over the weights of another network; see `find_start`."""
    network.load_state_dict(find_start(network.architecture, path, element).state_dict())


def find_start(own: Architecture, path: Path, element: str) -> MR3DDenseNet:
    """Load a network whose weights another one can begin with.

    Parameters
    ----------
    own : Architecture
        Of the network that will be trained.
    path : pathlib.Path
        A network's file, of any nucleus; or a directory of networks, of which the (first) one
        of this nucleus counts.
    element : str
        The nucleus that will be trained.

    Returns
    -------
    MR3DDenseNet

    Raises
    ------
    TrainingError
        If there is none, or its layers are not those of the network.
    WeightsError
        If the file is damaged.
    """
    path = _file_of(path, element)
    other, _ = load(path)
    same = replace(other.architecture, name=own.name, dropout=own.dropout)
    if same != own:
        raise TrainingError(
            f"its layers or grids are not those of the model {own.name}",
            where=str(path),
            hint="choose the --model, --kernel, --grid, --no-crop and --no-dense of its training",
        )
    return other


def _file_of(path: Path, element: str) -> Path:
    """The file to start from; TrainingError where a directory has none of this nucleus."""
    if not path.is_dir():
        return path
    files = [found.path for found in find_networks(path) if found.nucleus == element]
    if not files:
        raise TrainingError(f"no network of {SPECIES[element]} to start from", where=str(path))
    return files[0]


def count_learned(configuration: Configuration, labelled: Labelled, element: str) -> int:
    """How many of the crystals that a run watches the network to start from has learned from.

    Parameters
    ----------
    configuration : Configuration
        Of this nucleus, with a ``start``.
    labelled : Labelled
        The data of the run.
    element : str
        H, C, N or O.

    Returns
    -------
    int
        As far as the network's file says.

    Raises
    ------
    TrainingError, WeightsError
        As `find_start`.
    """
    learned = load(_file_of(Path(configuration.start), element))[1].fingerprints
    _, watched = split_crystals(labelled.families, configuration)
    return len(find_known(learned, {k: labelled.main[k] for k in watched.tolist()}))
