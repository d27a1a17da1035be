"""The folders of networks: the package's own, and the user's cache with one for each model.

A folder of the cache is named by the content of its networks, so that programs of different
versions never overwrite each other's. A file enters under its name only after its hash was found
right, in one step, so that no other process, and no crash, ever meets half of one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shiftcli.errors import WeightsError
from shiftcli.weights.download import URL_VARIABLE, Address, Progress, fetch
from shiftcli.weights.manifest import (
    MANIFEST,
    MOST_BYTES_OF_MANIFEST,
    Manifest,
    Model,
    read_manifest,
)

#: Environment variable that names the folder of everything that is downloaded.
CACHE_VARIABLE = "SHIFTCLI_CACHE"

#: Beginning of the names of folders in which downloads are made, and the seconds after which
#: one is taken for the remains of a crash.
_UNFINISHED, _FORGOTTEN = ".unfinished-", 86400.0

#: Names of the models' folders, `Model.folder`.
_FOLDER = re.compile(r"(.+)-[0-9a-f]{12}")


def packaged(name: str) -> Path:
    """A folder, ``weights`` or ``examples``, of the installed package or the source checkout.

    `WeightsError` if neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / f"_{name}", package.parents[1] / name):
        if candidate.is_dir():
            return candidate
    raise WeightsError(f"the {name} of the package are missing", hint="install shiftcli again")


def cache_folder() -> Path:
    """The folder of downloaded networks, which need not exist.

    It is ``weights`` in ``SHIFTCLI_CACHE``, else in the system's folder for caches of this user.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute() / "weights"
    from platformdirs import user_cache_path

    return user_cache_path("shiftcli", appauthor=False) / "weights"


def folder_in_cache(model: Model) -> Path:
    """The folder that a model has in the cache, which need not exist."""
    return cache_folder() / model.folder


def cached() -> list[tuple[Path, Model]]:
    """Models in the cache and their folders, the one that came last first.

    Folders that are no model of the program's doing are passed over.
    """
    found = []
    for path in cache_folder().glob(f"*/{MANIFEST}"):
        with suppress(WeightsError, ValueError, OSError):
            (model,) = read_manifest(path).models.values()
            if path.parent.name == model.folder and not path.parent.is_symlink():
                found.append((path.stat().st_mtime, path.parent, model))
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
    folders = sorted(path for path in cache_folder().glob("*") if path.is_dir())
    named = [(match[1], path) for path in folders if (match := _FOLDER.fullmatch(path.name))]
    for name in names:
        if name not in {own for own, _ in named}:
            raise WeightsError(f"the model '{name}' is not in the cache", where=str(cache_folder()))
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


def install(model: Model, address: Address | None, progress: Progress | None = None) -> Path:
    """Bring a model into the cache whole; only what is missing or damaged is fetched.

    `address` has what the package does not have, None where nobody knows. Every file of the folder
    that is returned is verified. `WeightsError` if a file cannot be had, which names those to copy
    and where to; or if the cache cannot be written.
    """
    folder, package = folder_in_cache(model), packaged("weights")
    missing = [network.file for network in model.defects(folder)]
    if not missing:
        return folder
    with _writing(folder) as stage:
        for network in model.networks:
            if network.file not in missing:
                continue
            source = address if network.defect(package) else Address(str(package))
            try:
                if source is None:
                    raise WeightsError(f"no address to download from is known, see {URL_VARIABLE}")
                path = fetch(
                    source, network.file, stage,
                    size=network.bytes, sha256=network.sha256, progress=progress,
                )  # fmt: skip
            except WeightsError as error:
                raise WeightsError(
                    f"cannot download {network.file}: {error.message}",
                    hint=f"or copy {', '.join(missing)} from another machine to {folder}",
                ) from error
            path.chmod(0o644)
            os.replace(path, folder / network.file)
            missing.remove(network.file)
        url = address.shown if address else ""
        path = stage / MANIFEST
        path.write_text(Manifest.of(model.networks, model.name, url).to_json(), "utf-8")
        os.replace(path, folder / MANIFEST)
    return folder


def remote_manifest(address: Address) -> Manifest:
    """The manifest at an address, whose networks will be downloaded from there.

    `WeightsError` if there is none, or it is broken.
    """
    with tempfile.TemporaryDirectory(prefix="shiftcli-", ignore_cleanup_errors=True) as folder:
        try:
            path = fetch(address, MANIFEST, Path(folder), size=MOST_BYTES_OF_MANIFEST, sha256=None)
            found = read_manifest(path)
        except WeightsError as error:
            message = error.message if error.where else f"cannot download: {error.message}"
            where = Address(address.shown).of(MANIFEST)
            raise WeightsError(message, where=where, hint=error.hint) from error
    networks = (network for model in found.models.values() for network in model.networks)
    return Manifest.of(networks, found.default, address.shown)


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """Make a folder of the cache, and beside it one of this process, on the same disk.

    Remains of crashes are swept away. Says what to do where the cache cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink() or folder.resolve().parent != cache_folder().resolve():
            raise WeightsError("a link that leads out of the cache", where=str(folder))
        for old in folder.parent.glob(f"{_UNFINISHED}*"):
            with suppress(OSError):  # another process may just have finished with it
                if time.time() - old.lstat().st_mtime > _FORGOTTEN:
                    shutil.rmtree(old)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder.parent) as stage:
            yield Path(stage)
    except OSError as error:
        raise WeightsError(
            f"cannot write to the cache: {error.strerror or error}",
            where=str(folder),
            hint=f"{CACHE_VARIABLE} names another folder for it",
        ) from error
