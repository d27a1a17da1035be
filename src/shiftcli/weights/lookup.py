"""Which networks to predict with.

What ``--weights`` names, else what ``SHIFTCLI_WEIGHTS`` names, else the program's default model.
Either may name a directory or a model. A model is looked for in the cache, then in the package;
one that is in neither, or damaged in both, is downloaded. A name in the program's own manifest
always means the networks with the hashes given there, whatever a server or the cache says.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from shiftcli.errors import WeightsError
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.weights.download import URL_VARIABLE, Address, Progress, parse_address
from shiftcli.weights.manifest import (
    MANIFEST,
    Manifest,
    Model,
    WeightFile,
    check_version,
    networks_in,
    read_manifest,
)
from shiftcli.weights.store import cached, folder_in_cache, install, packaged, remote_manifest

#: Environment variable that names a directory of networks, or a model.
VARIABLE = "SHIFTCLI_WEIGHTS"

#: Without any configuration Python shows what it says on stderr.
_log = logging.getLogger("shiftcli.weights")


def find_networks(
    weights: str | Path | None = None, *, progress: Progress | None = None
) -> list[WeightFile]:
    """List the networks to predict with, every one verified.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        A directory with a manifest, or one that `shiftcli train` wrote, or the name of a
        model. Without it what ``SHIFTCLI_WEIGHTS`` names, else the program's default model.
    progress : callable, optional
        Told file, bytes received, and bytes in all where something is downloaded.

    Returns
    -------
    list of WeightFile
        Ordered H, C, N, O; several of one nucleus form a committee.

    Raises
    ------
    WeightsError
        If there is no such directory or model, its manifest is broken or of a newer program,
        or a file is missing or damaged and cannot be had.
    UsageError
        If ``SHIFTCLI_WEIGHTS_URL`` is no address.
    """
    chosen = weights or os.environ.get(VARIABLE)
    if chosen and is_directory(chosen):
        found = _in_directory(directory(chosen))
    else:
        folder, model = _ready(str(chosen) if chosen else None, progress)
        found = model.files(folder)
    return sorted(found, key=lambda w: (ELEMENTS.index(w.nucleus), w.path.name))


def is_directory(chosen: str | Path) -> bool:
    """Whether it names a directory, there or not, rather than a model."""
    path = Path(chosen)
    return path.is_dir() or len(path.parts) != 1 or path.name in ("", ".", "..")


def directory(chosen: str | Path) -> Path:
    """A directory of the user's; `WeightsError` where it is not there."""
    if not Path(chosen).is_dir():
        raise WeightsError("no such directory of networks", where=str(chosen))
    return Path(chosen)


def folder_of(weights: str | Path | None = None) -> Path:
    """The directory of the networks to predict with; nothing is downloaded or verified.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        As of `find_networks`.

    Raises
    ------
    WeightsError
        If there is none, or not all files of the model are in one.
    """
    chosen = weights or os.environ.get(VARIABLE)
    if chosen and is_directory(chosen):
        return directory(chosen)
    model, places = _known(str(chosen) if chosen else None)
    for place in places:
        if model.is_in(place):
            return place
    raise WeightsError(
        f"the model {model.name} is not on this machine",
        hint=f"shiftcli weights download {model.name}; its place is {folder_in_cache(model)}",
    )


def obtain(
    names: list[str] | None = None,
    *,
    everything: bool = False,
    url: str | None = None,
    allow_http: bool | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Download models, so that no network is needed later; what is there and sound stays.

    Parameters
    ----------
    names : list of str, optional
        Models; without any the default model.
    everything : bool
        All models of the program's manifest, and of the manifest at the address.
    url : str, optional
        Where from; without it ``SHIFTCLI_WEIGHTS_URL``, else what the manifest says.
    allow_http : bool, optional
        Whether plain http will do; without it, whether ``SHIFTCLI_ALLOW_HTTP`` is 1.
    progress : callable, optional
        Told file, bytes received, and bytes in all.

    Returns
    -------
    list of pathlib.Path
        The directory of each model, every file in it verified.

    Raises
    ------
    WeightsError
        If there is no such model, or a file cannot be had.
    UsageError
        If the address is none.
    """
    own, package = own_manifest(), packaged("weights")
    address = _address(url, allow_http)
    models: dict[str, Model] = {}
    if everything:
        models = {**_offered(address), **own.models}
    for name in names or ([] if everything else [own.default]):
        if name not in models:
            models[name] = _known(name, address)[0]
    for model in models.values():
        check_version(model)
    folders = []
    for name, model in models.items():
        if (
            name in own.models
            and not folder_in_cache(model).exists()
            and not model.defects(package)
        ):
            folders.append(package)
        else:
            folders.append(install(model, _address(url, allow_http, model), progress))
    return folders


def own_manifest() -> Manifest:
    """The program's manifest: its models, in the package or to be downloaded."""
    return read_manifest(packaged("weights") / MANIFEST)


def places_of(model: Model) -> list[Path]:
    """The folders that may hold a model of the program's."""
    return [folder_in_cache(model), packaged("weights")]


def _in_directory(folder: Path) -> list[WeightFile]:
    """Networks of a directory of the user's; all that its manifest names must be there."""
    if not (folder / MANIFEST).is_file():
        found = networks_in(folder)
        if not found:
            raise WeightsError("no networks in this directory", where=str(folder))
        return found
    manifest = read_manifest(folder / MANIFEST)
    model = manifest.models[manifest.default]
    check_version(model)
    for network, reason in model.defects(folder).items():
        raise WeightsError(
            reason,
            where=str(folder / network.file),
            hint="damaged or replaced; install or download it again",
        )
    return model.files(folder)


def _known(name: str | None, address: Address | None = None) -> tuple[Model, list[Path]]:
    """A model and the folders that may hold it, by the manifest that knows it."""
    own = own_manifest()
    name = name or own.default
    if name in own.models:
        return own.models[name], places_of(own.models[name])
    for folder, model in cached():
        # What was asked for by address is what is there now, not what came from it before.
        if model.name == name and address is None:
            return model, [folder]
    address = address or _address()
    offered = remote_manifest(address).models if address else {}
    if name not in offered:
        known = ", ".join(dict.fromkeys([*own.models, *(m.name for _, m in cached()), *offered]))
        raise WeightsError(
            f"'{name}' is neither a directory of networks nor a model (known: {known})",
            hint="" if address else f"{URL_VARIABLE} or --url names an address with further models",
        )
    return offered[name], [folder_in_cache(offered[name])]


def _ready(name: str | None, progress: Progress | None) -> tuple[Path, Model]:
    """The first folder in which a model is sound; it is fetched where there is none."""
    model, places = _known(name)
    check_version(model)
    damaged: dict[Path, str] = {}
    for place in places:
        wrong = model.defects(place)
        if not wrong:
            for path, reason in list(damaged.items())[:1]:
                _log.warning(
                    "note: %s: %s; those of the package are used (shiftcli weights download %s "
                    "repairs it)", path, reason, model.name,
                )  # fmt: skip
            return place, model
        if model.is_in(place):
            damaged |= {place / network.file: reason for network, reason in wrong.items()}
    if not damaged:
        _log.warning("note: fetching the model %s (%.1f MB)", model.name, model.bytes / 1e6)
    try:
        folder = install(model, _address(model=model), progress)
    except WeightsError as error:
        for path, reason in damaged.items():
            again = "install shiftcli again, " if path.parent == packaged("weights") else ""
            raise WeightsError(
                f"{reason}; {error.message}", where=str(path), hint=again + error.hint
            ) from error
        raise
    for path, reason in damaged.items():
        _log.warning("note: %s: %s; a good one was fetched", path, reason)
    return folder, model


def _address(
    url: str | None = None, allow_http: bool | None = None, model: Model | None = None
) -> Address | None:
    """Where to download from: what the user says, else the manifest of the model."""
    text = url or os.environ.get(URL_VARIABLE) or (model.url if model else "")
    return parse_address(text, allow_http) if text else None


def _offered(address: Address | None) -> dict[str, Model]:
    """Models of the manifest at an address; it may hold files without one."""
    if address is None:
        return {}
    try:
        return remote_manifest(address).models
    except WeightsError as error:
        _log.warning("note: no further models: %s", error)
        return {}
