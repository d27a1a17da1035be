"""Where the networks are: the set inside the package, or a directory of the user's.

Files are checked against the manifest's sizes and hashes before they are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from shiftcli.crystal import ELEMENTS
from shiftcli.errors import WeightsError

#: Version of the manifest's layout that this program reads.
SCHEMA = 1

#: Environment variable that names a directory of networks.
VARIABLE = "SHIFTCLI_WEIGHTS"

#: Name of a network's file without its suffix; the model's own name may hold dashes.
_NAME = re.compile(rf"(?P<model>.+)-(?P<nucleus>[{''.join(ELEMENTS)}])(-\d+)?")


@dataclass(frozen=True)
class WeightFile:
    """One network on disk.

    Attributes
    ----------
    path : pathlib.Path
        The safetensors file.
    model : str
        Name of the model it belongs to.
    nucleus : str
        H, C, N or O.
    sha256 : str
        Hash of the file, computed from what is on disk.
    """

    path: Path
    model: str
    nucleus: str
    sha256: str


def packaged(name: str) -> Path:
    """A folder that comes with the program.

    Parameters
    ----------
    name : {"weights", "examples"}
        The folder.

    Returns
    -------
    pathlib.Path
        Inside the installed package, or of the source checkout.

    Raises
    ------
    WeightsError
        If neither is there.
    """
    here = Path(__file__).resolve().parent
    for candidate in (here / f"_{name}", here.parents[1] / name):
        if candidate.is_dir():
            return candidate
    raise WeightsError(f"the {name} of the package are missing", hint="install shiftcli again")


def find_networks(directory: str | Path | None = None) -> list[WeightFile]:
    """List the networks to predict with, every one verified.

    Parameters
    ----------
    directory : str or pathlib.Path, optional
        A directory with a manifest, or one that `shiftcli train` wrote. Without it,
        ``SHIFTCLI_WEIGHTS``, then the networks in the package.

    Returns
    -------
    list of WeightFile
        Ordered H, C, N, O; several of one nucleus form a committee.

    Raises
    ------
    WeightsError
        If the directory holds no networks, its manifest is broken, or a file is missing
        or differs from the manifest.
    """
    chosen = directory or os.environ.get(VARIABLE)
    folder = Path(chosen) if chosen else packaged("weights")
    if not folder.is_dir():
        raise WeightsError("no such directory of networks", where=str(folder))
    manifest = folder / "manifest.json"
    found = _listed(manifest) if manifest.is_file() else _unlisted(folder)
    if not found:
        raise WeightsError("no networks in this directory", where=str(folder))
    return sorted(found, key=lambda w: (ELEMENTS.index(w.nucleus), w.path.name))


def _listed(manifest: Path) -> list[WeightFile]:
    """Networks of the manifest's default model."""
    try:
        values = json.loads(manifest.read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            raise ValueError(f"schema {values['schema']}, this program reads {SCHEMA}")
        entries = [e for e in values["networks"] if e["model"] == values["default"]]
        fields = [(e["file"], e["nucleus"], e["bytes"], e["sha256"]) for e in entries]
        if any(Path(name).name != name or nucleus not in ELEMENTS for name, nucleus, *_ in fields):
            raise ValueError("an entry that does not name a file beside it and a nucleus")
        default = str(values["default"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"broken manifest: {error}", where=str(manifest)) from error
    found = []
    for name, nucleus, size, sha256 in fields:
        path = manifest.with_name(name)
        if not path.is_file():
            raise WeightsError("network named in the manifest is missing", where=str(path))
        if path.stat().st_size != size or _hash(path) != sha256:
            raise WeightsError(
                "network differs from its manifest",
                where=str(path),
                hint="damaged or replaced; install or download it again",
            )
        found.append(WeightFile(path, default, nucleus, sha256))
    return found


def _unlisted(folder: Path) -> list[WeightFile]:
    """Networks that a training run left, named <model>-<nucleus>[-<member>].safetensors."""
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        match = _NAME.fullmatch(path.stem)
        if match is not None:
            found.append(WeightFile(path, match["model"], match["nucleus"], _hash(path)))
    return found


def _hash(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_manifest(folder: Path, *, default: str, data: str, licence: str) -> None:
    """Write ``manifest.json`` for all networks in a directory.

    Parameters
    ----------
    folder : pathlib.Path
        Directory with ``<model>-<nucleus>.safetensors`` files.
    default : str
        Model to use when none is asked for.
    data, licence : str
        What the networks were trained on, and its licence.
    """
    from shiftcli.checkpoint import load

    networks = []
    for found in _unlisted(folder):
        _, metadata = load(found.path)
        networks.append(
            {
                "model": found.model,
                "nucleus": found.nucleus,
                "file": found.path.name,
                "bytes": found.path.stat().st_size,
                "sha256": found.sha256,
                "data": data,
                "licence": licence,
                "validation": metadata.validation,
            }
        )
    text = json.dumps({"schema": SCHEMA, "default": default, "networks": networks}, indent=2)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
