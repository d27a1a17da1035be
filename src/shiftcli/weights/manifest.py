"""`manifest.json`: which networks a model has, what each file must be, and whether it is that.

A manifest may come from anywhere, so nothing in it is believed before it is checked: it names
plain files of one folder and never says what to run.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from shiftcli import __version__
from shiftcli.errors import WeightsError
from shiftcli.files import open_file
from shiftcli.structure.crystal import ELEMENTS

#: Name of the file.
MANIFEST = "manifest.json"

#: Version of the layout that this program reads and writes.
SCHEMA = 2

#: First program that can use the networks it lists; to be raised with the format of checkpoints.
MINIMUM_VERSION = "0.1.0"

#: A manifest, and a network, larger than this (bytes) is none.
MOST_BYTES_OF_MANIFEST, MOST_BYTES = 1_000_000, 2_000_000_000

#: Name of a network's file; the model's own name may hold dashes.
_FILE = re.compile(rf"(.+)-([{''.join(ELEMENTS)}])(?:-([0-9]{{1,4}}))?\.safetensors")

#: Names of models in manifests, but for those that Windows keeps for devices, with any suffix.
_MODEL = re.compile(
    r"(?!(con|prn|aux|nul|com\d|lpt\d)([-.].*)?$)[A-Z0-9][A-Z0-9_.-]{0,63}", re.I | re.A
)
_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}", re.A)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class WeightFile:
    """One network on disk."""

    path: Path  #: The safetensors file.
    #: The model that it belongs to; H, C, N or O.
    model: str
    nucleus: str
    sha256: str  #: Hash of the file, computed from what is on disk.


@dataclass(frozen=True)
class Network:
    """One line of a manifest."""

    model: str  #: Name of the model that it belongs to.
    nucleus: str  #: H, C, N or O.
    member: int  #: Number in the committee of this nucleus, from 1 on.
    file: str  #: Name of the file, ``<model>-<nucleus>[-<member>].safetensors``.
    bytes: int  #: Its size.
    sha256: str  #: Its hash, 64 hexadecimal digits.
    #: What the network was trained on, and its licence.
    data: str = ""
    licence: str = ""
    #: Figures on the validation crystals; RMSE in ppm.
    validation: dict[str, Any] = field(default_factory=dict, hash=False)
    minimum_version: str = MINIMUM_VERSION  #: First program that can use it.

    def defect(self, folder: Path) -> str:
        """What is wrong with its file in a folder: empty, or a sentence without its name."""
        path = folder / self.file
        try:
            if not path.is_file():
                return "network named in the manifest is missing"
            size = path.stat().st_size
            if size != self.bytes:
                return f"network differs from its manifest: {size} bytes in place of {self.bytes}"
            if hash_of(path) != self.sha256:
                return "network differs from its manifest: another SHA-256"
        except OSError as error:
            return f"cannot read the network: {error.strerror or error}"
        return ""


@dataclass(frozen=True)
class Model:
    """All networks of one model."""

    name: str  #: The model.
    networks: tuple[Network, ...]  #: Ordered H, C, N, O, then by member.
    url: str = ""  #: Address of the folder that holds the files; empty where there is none.

    @property
    def folder(self) -> str:
        """Name of its folder in the cache; networks of other content have another."""
        lines = sorted(f"{n.sha256} {n.file}\n" for n in self.networks)
        return f"{self.name}-{hashlib.sha256(''.join(lines).encode()).hexdigest()[:12]}"

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(network.bytes for network in self.networks)

    def is_in(self, folder: Path) -> bool:
        """Whether all files are in a folder, be they sound or not."""
        return all((folder / network.file).is_file() for network in self.networks)

    def defects(self, folder: Path) -> dict[Network, str]:
        """Networks of which a folder has no sound file, and what is wrong."""
        found = {network: network.defect(folder) for network in self.networks}
        return {network: reason for network, reason in found.items() if reason}

    def files(self, folder: Path) -> list[WeightFile]:
        """The files in a folder that has no defects."""
        return [WeightFile(folder / n.file, n.model, n.nucleus, n.sha256) for n in self.networks]


@dataclass(frozen=True)
class Manifest:
    """What a folder of networks holds or, for the program's own, what can be had."""

    models: dict[str, Model]  #: By name.
    default: str  #: The model to use when none is asked for.

    @classmethod
    def of(cls, networks: Iterable[Network], default: str, url: str) -> Manifest:
        """Sort networks into models; ValueError where there are none of the default one."""
        models: dict[str, Model] = {}
        for network in networks:
            before = models[network.model].networks if network.model in models else ()
            models[network.model] = Model(network.model, (*before, network), url)
        if default not in models:
            raise ValueError(f"no networks of the model {default:.80}")
        return cls(models, default)

    def to_json(self) -> str:
        """The text of the file."""
        (url,) = {model.url for model in self.models.values()}
        networks = [asdict(n) for model in self.models.values() for n in model.networks]
        values = {"schema": SCHEMA, "default": self.default, "url": url, "networks": networks}
        return json.dumps(values, indent=2) + "\n"


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    `WeightsError` if it is broken, of a newer program, or names what it must not.
    """
    try:
        with open(path, "rb", opener=open_file) as handle:
            content = handle.read(MOST_BYTES_OF_MANIFEST + 1)
        if len(content) > MOST_BYTES_OF_MANIFEST:
            raise ValueError(f"larger than {MOST_BYTES_OF_MANIFEST} bytes")
        return _parse(json.loads(content))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsError(f"broken manifest: {reason}", where=str(path)) from error
    except WeightsError as error:
        raise WeightsError(error.message, where=str(path), hint=error.hint) from error


def _parse(values: Any) -> Manifest:
    if not isinstance(values, dict):
        raise ValueError("not an object")
    schema = values["schema"]
    if type(schema) is int and schema > SCHEMA:
        raise WeightsError(
            f"the manifest has schema {schema}, this program reads {SCHEMA}",
            hint="install a newer shiftcli",
        )
    if schema != SCHEMA:
        raise ValueError(f"schema {schema}, this program reads {SCHEMA}")
    url, default, entries = values.get("url", ""), values["default"], values["networks"]
    if not (_is_text(url) and _is_text(default) and isinstance(entries, list)):
        raise ValueError("url and default are texts, networks a list")
    networks = [_entry(entry) for entry in entries]
    # Two names that differ in case are one file on Windows and macOS.
    if len({network.file.casefold() for network in networks}) != len(networks):
        raise ValueError("a file is named twice")
    networks.sort(key=lambda n: (ELEMENTS.index(n.nucleus), n.member))
    return Manifest.of(networks, default, url)


def _entry(values: Any) -> Network:
    """One network; keys that a later program may add are passed over."""
    if not isinstance(values, dict):
        raise ValueError("an entry that is not an object")
    network = Network(**{f.name: values[f.name] for f in fields(Network)})
    check_name(network.file)
    named = (network.model, network.nucleus, network.member)
    if member_of(network.file) != named or type(network.member) is not int:
        raise ValueError(f"{network.file} is not <model>-<nucleus>[-<member>].safetensors")
    if type(network.bytes) is not int or not 0 < network.bytes <= MOST_BYTES:
        raise ValueError(f"size of {network.file}")
    for pattern, text in ((_SHA256, network.sha256), (_VERSION, network.minimum_version)):
        if not (isinstance(text, str) and pattern.fullmatch(text)):
            raise ValueError(f"hash or version of {network.file}")
    if not (_is_text(network.data) and _is_text(network.licence)):
        raise ValueError(f"data or licence of {network.file}")
    figures = network.validation
    if not isinstance(figures, dict) or not all(_is_number(x) for x in figures.values()):
        raise ValueError(f"validation figures of {network.file}")
    return network


def _is_text(value: object) -> bool:
    """Whether it is a text that no terminal takes for an order."""
    return isinstance(value, str) and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def member_of(file: str) -> tuple[str, str, int] | None:
    """Model, nucleus and number in the committee that a file's name says; None for others."""
    match = _FILE.fullmatch(file)
    return match and (match[1], match[2], int(match[3] or 1))


def check_name(file: object) -> None:
    """Raise ValueError for a name that is not one of a network's file beside its manifest.

    Letters, digits, ``_``, ``.`` and ``-`` of ASCII only: neither a path, nor an option, nor a
    device of Windows.
    """
    found = member_of(file) if isinstance(file, str) else None
    if found is None or not _MODEL.fullmatch(found[0]):
        raise ValueError(f"{file!r:.80} is not the name of a network's file beside it")


def check_version(model: Model) -> None:
    """Raise `WeightsError` where a network needs a newer program than this."""
    from packaging.version import Version

    own = Version(Version(__version__).base_version)
    for network in model.networks:
        if Version(network.minimum_version) > own:
            raise WeightsError(
                f"the model {model.name} needs shiftcli {network.minimum_version}, "
                f"this is {__version__}",
                hint="install a newer shiftcli",
            )


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def networks_in(folder: Path) -> list[WeightFile]:
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


def write_manifest(folder: Path, *, default: str, data: str, licence: str, url: str = "") -> None:
    """Write ``manifest.json`` for all networks in a directory.

    Parameters
    ----------
    folder : pathlib.Path
        Directory with ``<model>-<nucleus>[-<member>].safetensors`` files.
    default : str
        Model to use when none is asked for.
    data, licence : str
        What the networks were trained on, and its licence.
    url : str
        Address from which these files can be downloaded.

    Raises
    ------
    WeightsError
        If there are none of the default model, a file is not a network, or has a name that
        cannot be published.
    """
    from shiftcli.files import replacing
    from shiftcli.network.checkpoint import load

    networks = []
    try:
        for found in networks_in(folder):
            check_name(found.path.name)
            model, nucleus, member = member_of(found.path.name) or ("", "", 0)
            _, metadata = load(found.path)
            figures = {k: x for k, x in metadata.validation.items() if _is_number(x)}
            networks.append(Network(
                model, nucleus, member, found.path.name, found.path.stat().st_size, found.sha256,
                data, licence, figures,
            ))  # fmt: skip
        manifest = Manifest.of(networks, default, url)
    except ValueError as error:
        raise WeightsError(str(error), where=str(folder)) from error
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(manifest.to_json(), encoding="utf-8")
