"""What networks there are, where, and in what state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shiftcli.errors import WeightsError
from shiftcli.weights.addresses import parse_address
from shiftcli.weights.cache import cached, folder_in_cache, remote_manifest
from shiftcli.weights.lookup import VARIABLE, is_directory, own_manifest
from shiftcli.weights.manifest import MANIFEST, Model, Network, read_manifest
from shiftcli.weights.places import packaged
from shiftcli.weights.sets import flaw, is_complete, unlisted

#: Where a listed network is.
Origin = Literal["package", "cache", "cache, another version", "to download"]


@dataclass(frozen=True)
class Listed:
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


def list_networks(url: str | None = None, *, allow_http: bool | None = None) -> list[Listed]:
    """List all models: the program's, those in the cache, and those at an address.

    Parameters
    ----------
    url : str, optional
        Address whose manifest is read as well.
    allow_http : bool, optional
        Whether plain http will do; without it, whether ``SHIFTCLI_ALLOW_HTTP`` is 1.

    Returns
    -------
    list of Listed
        One for each network, models together. Only sizes were looked at; see `verify`.

    Raises
    ------
    WeightsError
        If the manifest at the address cannot be had or is broken.
    UsageError
        If the address is none.
    """
    own = own_manifest()
    rows: list[Listed] = []
    for model in own.models.values():
        origin, folder = _place(model, packaged("weights"))
        rows += [Listed(n, origin, folder, model.name == own.default) for n in model.networks]
    here = cached()
    for folder, model in here:
        if model.name not in own.models:
            rows += [Listed(n, "cache", folder, False) for n in model.networks]
        elif model.folder != own.models[model.name].folder:
            rows += [Listed(n, "cache, another version", folder, False) for n in model.networks]
    if url is not None:
        known = {*own.models, *(model.name for _, model in here)}
        for model in remote_manifest(parse_address(url, allow_http)).models.values():
            if model.name not in known:
                rows += [Listed(n, "to download", None, False) for n in model.networks]
    return rows


def _place(model: Model, package: Path) -> tuple[Origin, Path | None]:
    if is_complete(folder_in_cache(model), model):
        return "cache", folder_in_cache(model)
    return ("package", package) if is_complete(package, model) else ("to download", None)


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
    if names:
        return [row for name in names for row in _check_named(name)]
    chosen = os.environ.get(VARIABLE)
    rows = list(_check_directory(Path(chosen))) if chosen and is_directory(chosen) else []
    return rows + list(_check_models(None))


def _check_named(name: str | Path) -> list[Checked]:
    rows = list(_check_directory(Path(name)) if is_directory(name) else _check_models(str(name)))
    if not rows:
        raise WeightsError(f"no networks of '{name}' on this machine")
    return rows


def _check_models(name: str | None) -> Iterator[Checked]:
    """Every copy of a model, or of all models, in the cache and in the package."""
    own = own_manifest()
    places = [
        (place, model)
        for model in own.models.values()
        for place in (folder_in_cache(model), packaged("weights"))
    ]
    own_places = {place for place, _ in places}
    places += [(folder, model) for folder, model in cached() if folder not in own_places]
    for place, model in places:
        is_there = any((place / network.file).exists() for network in model.networks)
        if is_there and name in (None, model.name):
            yield from (_check(place, network) for network in model.networks)


def _check_directory(folder: Path) -> Iterator[Checked]:
    if not folder.is_dir():
        raise WeightsError("no such directory of networks", where=str(folder))
    if (folder / MANIFEST).is_file():
        for model in read_manifest(folder / MANIFEST).models.values():
            yield from (_check(folder, network) for network in model.networks)
        return
    for found in unlisted(folder):
        reason = _load_error(found.path, found.nucleus)
        yield Checked(found.path, found.model, found.nucleus, reason, False)


def _check(folder: Path, network: Network) -> Checked:
    path = folder / network.file
    reason = flaw(path, network) or _load_error(path, network.nucleus)
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
