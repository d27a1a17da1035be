"""The user's cache: one folder for each model, named by the content of its networks.

Programs of different versions therefore never overwrite each other's networks. A file enters
under its name only after its hash was found right, in one step, so that no other process, and no
crash, ever meets half of one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from shiftcli.errors import WeightsError
from shiftcli.weights.addresses import URL_VARIABLE, Address
from shiftcli.weights.download import Progress, fetch
from shiftcli.weights.manifest import (
    MANIFEST,
    MOST_BYTES_OF_MANIFEST,
    Manifest,
    Model,
    read_manifest,
)
from shiftcli.weights.places import CACHE_VARIABLE, cache_folder
from shiftcli.weights.sets import flaw, flaws

#: Beginning of the names of folders in which downloads are made, and the seconds after which
#: one is taken for the remains of a crash.
_UNFINISHED, _FORGOTTEN = ".unfinished-", 86400.0

#: Names of the models' folders, `Model.folder`.
_FOLDER = re.compile(r"(.+)-[0-9a-f]{12}")


def folder_in_cache(model: Model) -> Path:
    """The folder that a model has in the cache, which need not exist."""
    return cache_folder() / model.folder


def cached() -> list[tuple[Path, Model]]:
    """Models in the cache and their folders, the one that came last first.

    Folders that are no model of the program's doing are passed over.
    """
    found = []
    folders = cache_folder()
    for path in folders.glob(f"*/{MANIFEST}") if folders.is_dir() else ():
        try:
            (model,) = read_manifest(path).models.values()
            if path.parent.name == model.folder and not path.parent.is_symlink():
                found.append((path.stat().st_mtime, path.parent, model))
        except (WeightsError, ValueError, OSError):
            continue
    return [entry[1:] for entry in sorted(found, key=lambda e: (-e[0], e[1].name))]


def remove(names: Collection[str] = (), *, everything: bool = False) -> list[tuple[Path, int]]:
    """Delete models from the cache; the package's own and other directories are not touched.

    Parameters
    ----------
    names : collection of str
        Models, of which all versions go.
    everything : bool
        All models in the cache.

    Returns
    -------
    list of (pathlib.Path, int)
        Folders that were deleted, and the bytes that this freed.

    Raises
    ------
    WeightsError
        If a model is not in the cache, or cannot be deleted.
    """
    here = cache_folder()
    folders = sorted(p for p in here.iterdir() if p.is_dir()) if here.is_dir() else []
    named = [(match[1], path) for path in folders if (match := _FOLDER.fullmatch(path.name))]
    for name in names:
        if name not in {own for own, _ in named}:
            raise WeightsError(f"the model '{name}' is not in the cache", where=str(here))
    return [(path, _delete(path)) for own, path in named if everything or own in names]


def _delete(folder: Path) -> int:
    """Delete a folder of the cache, or a link in its place; the bytes that this freed."""
    try:
        if folder.is_symlink():
            folder.unlink()
            return 0
        freed = sum(path.lstat().st_size for path in folder.iterdir())
        shutil.rmtree(folder)
    except OSError as error:
        raise WeightsError(f"cannot delete: {error.strerror}", where=str(folder)) from error
    return freed


def install(
    model: Model,
    address: Address | None,
    *,
    copies: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Path:
    """Bring a model into the cache whole; only what is missing or damaged is fetched.

    Parameters
    ----------
    model : Model
        What is wanted, with sizes and hashes.
    address : Address or None
        Where to download from; None where nobody knows.
    copies : sequence of pathlib.Path
        Folders on this machine that may have some of the files.
    progress : callable, optional
        Told file, bytes received, and bytes in all.

    Returns
    -------
    pathlib.Path
        The folder; every file in it is verified.

    Raises
    ------
    WeightsError
        If a file cannot be had, which names those to copy and where to; or if the cache cannot
        be written.
    """
    folder = folder_in_cache(model)
    needed = flaws(folder, model)
    if needed:
        with _writing(folder), _staging(folder) as stage:
            for network in model.networks:
                if network.file not in needed:
                    continue
                target = stage / network.file
                local = next((c for c in copies if not flaw(c / network.file, network)), None)
                if local is not None:
                    shutil.copyfile(local / network.file, target)
                else:
                    _download(model, network.file, address, stage, list(needed), progress)
                reason = flaw(target, network)
                if reason:
                    raise WeightsError(reason, where=str(target))
                target.chmod(0o644)
                os.replace(target, folder / network.file)
                del needed[network.file]
            url = address.shown if address else ""
            named = Model(model.name, model.networks, url)
            manifest = stage / MANIFEST
            manifest.write_text(Manifest({model.name: named}, model.name).to_json(), "utf-8")
            os.replace(manifest, folder / MANIFEST)
    return folder


def _download(
    model: Model,
    file: str,
    address: Address | None,
    stage: Path,
    missing: list[str],
    progress: Progress | None,
) -> None:
    (network,) = (n for n in model.networks if n.file == file)
    try:
        if address is None:
            raise WeightsError(f"no address to download from is known, see {URL_VARIABLE}")
        fetch(address, file, stage, size=network.bytes, sha256=network.sha256, progress=progress)
    except WeightsError as error:
        target = folder_in_cache(model)
        raise WeightsError(
            f"cannot download {file}: {error.message}",
            hint=f"or copy {', '.join(missing)} from another machine to {target}",
        ) from error


def remote_manifest(address: Address) -> Manifest:
    """The manifest at an address, whose networks will be downloaded from there.

    Raises
    ------
    WeightsError
        If there is none, or it is broken.
    """
    folder = tempfile.mkdtemp(prefix="shiftcli-")
    try:
        fetch(address, MANIFEST, Path(folder), size=MOST_BYTES_OF_MANIFEST, sha256=None)
        found = read_manifest(Path(folder) / MANIFEST)
    except WeightsError as error:
        message = error.message if error.where else f"cannot download: {error.message}"
        raise WeightsError(message, where=address.of(MANIFEST), hint=error.hint) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    models = {k: Model(k, m.networks, address.shown) for k, m in found.models.items()}
    return Manifest(models, found.default)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Make a folder of the cache; say what to do where the cache cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink() or folder.resolve().parent != cache_folder().resolve():
            raise WeightsError("a link that leads out of the cache", where=str(folder))
        yield
    except OSError as error:
        raise WeightsError(
            f"cannot write to the cache: {error.strerror or error}",
            where=str(folder),
            hint=f"{CACHE_VARIABLE} names another folder for it",
        ) from error


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder of this process on the disk of the cache; remains of crashes are swept away."""
    for old in folder.parent.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):  # another process may just have finished with it
            if time.time() - old.lstat().st_mtime > _FORGOTTEN:
                shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder.parent) as stage:
        yield Path(stage)
