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
from shiftcli.weights.addresses import URL_VARIABLE, Address, parse_address
from shiftcli.weights.cache import cached, folder_in_cache, install, remote_manifest
from shiftcli.weights.download import Progress
from shiftcli.weights.manifest import MANIFEST, Manifest, Model, check_version, read_manifest
from shiftcli.weights.places import packaged
from shiftcli.weights.sets import WeightFile, files_of, flaws, is_complete, unlisted

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
        found = _in_directory(Path(chosen))
    else:
        folder, model = _ready(str(chosen) if chosen else None, progress)
        found = files_of(folder, model)
    return sorted(found, key=lambda w: (ELEMENTS.index(w.nucleus), w.path.name))


def is_directory(chosen: str | Path) -> bool:
    """Whether it names a directory, there or not, rather than a model."""
    path = Path(chosen)
    return path.is_dir() or len(path.parts) != 1 or path.name in ("", ".", "..")


def folder_of(weights: str | Path | None = None) -> Path:
    """The directory of the networks to predict with; nothing is downloaded or verified.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        As of `find_networks`.

    Returns
    -------
    pathlib.Path
        The directory.

    Raises
    ------
    WeightsError
        If there is none, or not all files of the model are in one.
    """
    chosen = weights or os.environ.get(VARIABLE)
    if chosen and is_directory(chosen):
        if not Path(chosen).is_dir():
            raise WeightsError("no such directory of networks", where=str(chosen))
        return Path(chosen)
    model, places = _known(str(chosen) if chosen else None)
    for place in places:
        if is_complete(place, model):
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
    own = own_manifest()
    address = _given_address(url, allow_http)
    models: dict[str, Model] = {}
    if everything:
        models = {**_offered(address), **own.models}
    for name in names or ([] if everything else [own.default]):
        if name not in models:
            models[name] = _known(name, address)[0]
    for model in models.values():
        check_version(model.networks)
    folders = []
    for model in models.values():
        folder = folder_in_cache(model)
        if (
            model.name in own.models
            and not folder.exists()
            and not flaws(packaged("weights"), model)
        ):
            folder = packaged("weights")
        else:
            _install(model, address, allow_http, progress)
        folders.append(folder)
    return folders


def own_manifest() -> Manifest:
    """The program's manifest: its models, in the package or to be downloaded."""
    return read_manifest(packaged("weights") / MANIFEST)


def _in_directory(folder: Path) -> list[WeightFile]:
    """Networks of a directory of the user's; all that its manifest names must be there."""
    if not folder.is_dir():
        raise WeightsError("no such directory of networks", where=str(folder))
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder / MANIFEST)
        model = manifest.models[manifest.default]
        check_version(model.networks)
        for file, reason in flaws(folder, model).items():
            raise WeightsError(
                reason,
                where=str(folder / file),
                hint="damaged or replaced; install or download it again",
            )
        return files_of(folder, model)
    found = unlisted(folder)
    if not found:
        raise WeightsError("no networks in this directory", where=str(folder))
    return found


def _known(name: str | None, address: Address | None = None) -> tuple[Model, list[Path]]:
    """A model and the folders that may hold it, by the manifest that knows it."""
    own = own_manifest()
    name = name or own.default
    if name in own.models:
        model = own.models[name]
        return model, [folder_in_cache(model), packaged("weights")]
    for folder, model in cached():
        # What was asked for by address is what is there now, not what came from it before.
        if model.name == name and address is None:
            return model, [folder]
    address = address or _given_address(None, None)
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
    check_version(model.networks)
    damaged: list[tuple[Path, str]] = []
    for place in places:
        wrong = flaws(place, model)
        if not wrong:
            if damaged:
                _log.warning(
                    "note: %s: %s; those of the package are used (shiftcli weights download %s "
                    "repairs it)", *damaged[0], model.name,
                )  # fmt: skip
            return place, model
        if is_complete(place, model):
            damaged += [(place / file, reason) for file, reason in wrong.items()]
    if not damaged:
        _log.warning("note: fetching the model %s (%.1f MB)", model.name, model.bytes / 1e6)
    try:
        folder = _install(model, None, None, progress)
    except WeightsError as error:
        if not damaged:
            raise
        path, reason = damaged[0]
        again = "install shiftcli again, " if path.parent == packaged("weights") else ""
        raise WeightsError(
            f"{reason}; {error.message}", where=str(path), hint=again + error.hint
        ) from error
    for path, reason in damaged:
        _log.warning("note: %s: %s; a good one was fetched", path, reason)
    return folder, model


def _install(
    model: Model, address: Address | None, allow_http: bool | None, progress: Progress | None
) -> Path:
    """Bring a model into the cache; what the package has of it need not be downloaded."""
    address = address or _given_address(None, allow_http)
    if address is None and model.url:
        address = parse_address(model.url, allow_http)
    return install(model, address, copies=[packaged("weights")], progress=progress)


def _given_address(url: str | None, allow_http: bool | None) -> Address | None:
    """The address that the user gave, if any."""
    text = url or os.environ.get(URL_VARIABLE)
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
