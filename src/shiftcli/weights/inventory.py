"""What networks there are, where, and in what state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shiftcli.errors import WeightsError
from shiftcli.weights.download import parse_address
from shiftcli.weights.lookup import VARIABLE, directory, is_directory, own_manifest, places_of
from shiftcli.weights.manifest import MANIFEST, Model, Network, networks_in, read_manifest
from shiftcli.weights.store import cached, folder_in_cache, packaged, remote_manifest

#: Where a listed network is.
Origin = Literal["package", "cache", "cache, another version", "to download"]


@dataclass(frozen=True)
class AvailableNetwork:
    """A network that can be had.

    Attributes
    ----------
    network : Network
        What the manifest says of it.
    origin : str
        Where it is: ``package``, ``cache``, ``cache, another version`` (of a model that this
        program has with other networks, so it is not used), or ``to download``.
    folder : pathlib.Path or None
        The directory of its file; None where it has to be downloaded.
    is_default : bool
        Whether it predicts unless something else is asked for.
    """

    network: Network
    origin: Origin
    folder: Path | None
    is_default: bool


@dataclass(frozen=True)
class Checked:
    """A network's file and what is wrong with it.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    model, nucleus : str
        What it should be.
    reason : str
        What is wrong; empty where all is well.
    is_listed : bool
        Whether a manifest says its hash; without one only what the file itself says can be
        checked.
    """

    path: Path
    model: str
    nucleus: str
    reason: str
    is_listed: bool


def list_networks(
    url: str | None = None, *, allow_http: bool | None = None
) -> list[AvailableNetwork]:
    """List all models: the program's, those in the cache, and those at an address.

    Parameters
    ----------
    url : str, optional
        Address whose manifest is read as well.
    allow_http : bool, optional
        Whether plain http will do; without it, whether ``SHIFTCLI_ALLOW_HTTP`` is 1.

    Returns
    -------
    list of AvailableNetwork
        One for each network, models together. Only sizes were looked at; see `verify`.

    Raises
    ------
    WeightsError
        If the manifest at the address cannot be had or is broken.
    UsageError
        If the address is none.
    """
    own = own_manifest()
    rows: list[AvailableNetwork] = []
    for model in own.models.values():
        origin, folder = _place(model)
        rows += [
            AvailableNetwork(n, origin, folder, model.name == own.default) for n in model.networks
        ]
    here = cached()
    for folder, model in here:
        if model.name not in own.models:
            rows += [AvailableNetwork(n, "cache", folder, False) for n in model.networks]
        elif model.folder != own.models[model.name].folder:
            rows += [
                AvailableNetwork(n, "cache, another version", folder, False) for n in model.networks
            ]
    if url is not None:
        known = {*own.models, *(model.name for _, model in here)}
        for model in remote_manifest(parse_address(url, allow_http)).models.values():
            if model.name not in known:
                rows += [AvailableNetwork(n, "to download", None, False) for n in model.networks]
    return rows


def _place(model: Model) -> tuple[Origin, Path | None]:
    if model.is_in(folder_in_cache(model)):
        return "cache", folder_in_cache(model)
    package = packaged("weights")
    return ("package", package) if model.is_in(package) else ("to download", None)


def verify(names: Sequence[str | Path] = ()) -> list[Checked]:
    """Check every file of some models: size and hash, then that it loads as a network.

    Parameters
    ----------
    names : sequence of str or pathlib.Path
        Models or directories; without any what ``SHIFTCLI_WEIGHTS`` names, and all models on
        this machine.

    Returns
    -------
    list of Checked
        One for each file.

    Raises
    ------
    WeightsError
        If there is no such model or directory on this machine, or its manifest is broken.
    """
    rows: list[Checked] = []
    for name in names:
        is_one = is_directory(name)
        found = list(_check_directory(Path(name)) if is_one else _check_models(str(name)))
        if not found:
            raise WeightsError(f"no networks of '{name}' on this machine")
        rows += found
    if names:
        return rows
    chosen = os.environ.get(VARIABLE)
    if chosen and is_directory(chosen):
        rows += _check_directory(Path(chosen))
    return [*rows, *_check_models(None)]


def _check_models(name: str | None) -> Iterator[Checked]:
    """Every copy of a model, or of all models, in the cache and in the package."""
    own = own_manifest().models.values()
    places = {(place, model.name): model for model in own for place in places_of(model)}
    for folder, model in cached():
        places.setdefault((folder, model.name), model)
    for (folder, known), model in places.items():
        is_there = any((folder / network.file).exists() for network in model.networks)
        if is_there and name in (None, known):
            yield from (_check(folder, network) for network in model.networks)


def _check_directory(folder: Path) -> Iterator[Checked]:
    if (directory(folder) / MANIFEST).is_file():
        for model in read_manifest(folder / MANIFEST).models.values():
            yield from (_check(folder, network) for network in model.networks)
        return
    for found in networks_in(folder):
        reason = _load_error(found.path, found.nucleus)
        yield Checked(found.path, found.model, found.nucleus, reason, False)


def _check(folder: Path, network: Network) -> Checked:
    path = folder / network.file
    reason = network.defect(folder) or _load_error(path, network.nucleus)
    return Checked(path, network.model, network.nucleus, reason, True)


def _load_error(path: Path, nucleus: str) -> str:
    from shiftcli.network.checkpoint import load

    try:
        _, metadata = load(path)
    except WeightsError as error:
        return error.message
    if metadata.nucleus != nucleus:
        return f"a network of {metadata.nucleus} named as one of {nucleus}"
    return ""
