"""Begins a run with the weights of a network trained before, perhaps of another nucleus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shiftcli.errors import TrainingError
from shiftcli.network.checkpoint import load
from shiftcli.network.densenet import MR3DDenseNet
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.config import STUDY, Configuration
from shiftcli.training.data import split_crystals
from shiftcli.training.families import find_known
from shiftcli.training.sources import Labelled
from shiftcli.weights import find_networks


def find_start(configuration: Configuration, element: str) -> MR3DDenseNet:
    """Load the network whose weights a run begins with.

    ``start`` of the configuration, which is that of this nucleus, names a network's file, of any
    nucleus; a directory of networks, of which the (first) one of this nucleus counts; or that of a
    cross-validation with as many folds, of which a fold takes the network of the same fold, and a
    run on all crystals the one that was refitted. `TrainingError` if there is none, or its layers
    are not those of the network; `WeightsError` if the file is damaged.
    """
    path, own = _file_of(configuration, element), configuration.architecture()
    other, _ = load(path)
    same = replace(other.architecture, name=own.name, dropout=own.dropout)
    if same != own:
        raise TrainingError(
            f"its layers or grids are not those of the model {own.name}",
            where=str(path),
            hint="choose the --model, --kernel, --grid, --no-crop and --no-dense of its training",
        )
    return other


def _file_of(configuration: Configuration, element: str) -> Path:
    """The file to start from; TrainingError where a directory has none of this nucleus."""
    path = Path(configuration.start)
    if (path / STUDY).exists():
        path /= configuration.part
    if not path.is_dir():
        return path
    files = [found.path for found in find_networks(path) if found.nucleus == element]
    if not files:
        raise TrainingError(f"no network of {SPECIES[element]} to start from", where=str(path))
    return files[0]


def count_learned(configuration: Configuration, labelled: Labelled, element: str) -> int:
    """How many of the crystals that a run watches the network to start from has learned from.

    As far as the network's file says. `configuration` is that of this nucleus, with a ``start``;
    raises as `find_start`.
    """
    learned = load(_file_of(configuration, element))[1].fingerprints
    _, watched = split_crystals(labelled.families, configuration)
    return len(find_known(learned, {k: labelled.main[k] for k in watched.tolist()}))
