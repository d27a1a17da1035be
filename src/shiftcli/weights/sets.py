"""Files of networks: their names, and whether they are what they should be."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.errors import WeightsError
from shiftcli.structure.crystal import ELEMENTS

if TYPE_CHECKING:
    from shiftcli.weights.manifest import Model, Network

#: Name of a network's file; the model's own name may hold dashes.
_NAME = re.compile(
    rf"(?P<model>.+)-(?P<nucleus>[{''.join(ELEMENTS)}])(-(?P<member>[0-9]{{1,4}}))?\.safetensors"
)


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


def member_of(file: str) -> tuple[str, str, int] | None:
    """Model, nucleus and number in the committee that a file's name says; None for others."""
    match = _NAME.fullmatch(file)
    return match and (match["model"], match["nucleus"], int(match["member"] or 1))


def unlisted(folder: Path) -> list[WeightFile]:
    """Networks that a training run left, in the order of their names."""
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        named = member_of(path.name)
        if named is None or not path.is_file():
            continue
        try:
            found.append(WeightFile(path, named[0], named[1], hash_of(path)))
        except OSError as error:
            reason = error.strerror or error
            raise WeightsError(f"cannot read the network: {reason}", where=str(path)) from error
    return found


def flaw(path: Path, network: Network) -> str:
    """What is wrong with a file, by the manifest: empty, or a sentence without its name."""
    try:
        if not path.is_file():
            return "network named in the manifest is missing"
        size = path.stat().st_size
        if size != network.bytes:
            return f"network differs from its manifest: {size} bytes in place of {network.bytes}"
        if hash_of(path) != network.sha256:
            return "network differs from its manifest: another SHA-256"
    except OSError as error:
        return f"cannot read the network: {error.strerror or error}"
    return ""


def flaws(folder: Path, model: Model) -> dict[str, str]:
    """What is wrong with a model's files in a folder, by their names."""
    found = {network.file: flaw(folder / network.file, network) for network in model.networks}
    return {file: reason for file, reason in found.items() if reason}


def is_complete(folder: Path, model: Model) -> bool:
    """Whether all files are in a folder, be they sound or not."""
    return all((folder / network.file).is_file() for network in model.networks)


def files_of(folder: Path, model: Model) -> list[WeightFile]:
    """A model's networks in a folder in which there is nothing wrong with them."""
    return [WeightFile(folder / n.file, n.model, n.nucleus, n.sha256) for n in model.networks]


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
