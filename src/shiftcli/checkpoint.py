"""A network to and from one safetensors file, with the metadata that rebuilds it.

Nothing is ever unpickled: tensors come from safetensors, everything else from JSON.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from shiftcli.errors import WeightsError
from shiftcli.network import Architecture, MR3DDenseNet
from shiftcli.uncertainty import Calibration

#: Version of the metadata's layout.
FORMAT = 1

#: Key under which the metadata stand in the safetensors header.
_KEY = "shiftcli"


@dataclass(frozen=True)
class Metadata:
    """What belongs to a network beside its tensors.

    Attributes
    ----------
    nucleus : str
        Element that it predicts: H, C, N or O.
    mean, scale : float
        Shielding = mean + scale · output, in ppm.
    architecture : Architecture
        Layers, grids and density kernel.
    orientation : str
        Orientations it was trained with, ``frames`` or ``random``.
    validation : dict
        Figures on the validation crystals: ``rmse``, ``n``, ``crystals``.
    training : dict
        Resolved configuration and data of the run that made it.
    calibration : dict
        How its committee's spread becomes intervals, `Calibration.to_dict`, the same in all
        members; empty where nobody calibrated it.
    """

    nucleus: str
    mean: float
    scale: float
    architecture: Architecture
    orientation: str
    validation: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    calibration: dict = field(default_factory=dict)


def save(path: Path, network: MR3DDenseNet, metadata: Metadata, *, half: bool = False) -> None:
    """Write a network to one file, atomically.

    Parameters
    ----------
    path : pathlib.Path
        The file, with suffix ``.safetensors``.
    network : MR3DDenseNet
        The network.
    metadata : Metadata
        What belongs to it.
    half : bool
        Store the weights of convolutions and linear layers as float16 (half the size);
        normalisation stays float32.
    """
    tensors = {}
    for name, tensor in network.state_dict().items():
        tensor = tensor.detach().cpu().contiguous()
        is_weight = tensor.is_floating_point() and tensor.ndim > 1
        tensors[name] = tensor.half() if half and is_weight else tensor
    write_tensors(path, tensors, _header(metadata))


def amend(path: Path, **changes: Any) -> None:
    """Replace metadata of a network's file, atomically; its tensors stay bit for bit.

    Parameters
    ----------
    path : pathlib.Path
        A file written by `save`.
    **changes
        Fields of `Metadata` and their new values.

    Raises
    ------
    WeightsError
        If the file is not a network.
    OSError
        If it cannot be written; the old file is still there.
    """
    _, metadata = load(path)
    write_tensors(path, read_tensors(path)[0], _header(replace(metadata, **changes)))


def _header(metadata: Metadata) -> dict[str, str]:
    return {_KEY: json.dumps({"format": FORMAT, **asdict(metadata)}, sort_keys=True)}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that a crash leaves the old one or the new one, never half of one.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Yields
    ------
    pathlib.Path
        Where to write; it takes the file's place when the block ends well.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    tensors : dict of str to torch.Tensor
        Contiguous tensors on the CPU.
    header : dict of str to str
        Metadata of the file.

    Raises
    ------
    OSError
        If it cannot be written, on a full disk for one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata=header)
        except SafetensorError as error:
            raise _as_os_error(error) from error
        temporary.chmod(0o644)  # safetensors makes it private


def _as_os_error(error: Exception) -> OSError:
    """What the disk said, from within a message of safetensors."""
    code = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(code[1]), os.strerror(int(code[1]))) if code else OSError(str(error))


def load(path: Path) -> tuple[MR3DDenseNet, Metadata]:
    """Read a network, in evaluation mode and float32.

    Parameters
    ----------
    path : pathlib.Path
        A file written by `save`.

    Returns
    -------
    network : MR3DDenseNet
    metadata : Metadata

    Raises
    ------
    WeightsError
        If the file is missing, damaged, of a newer format, its tensors do not fit the
        architecture it states or are not finite, or its calibration makes no sense.
    """
    try:
        tensors, header = read_tensors(path)
        values = json.loads(header.get(_KEY, "null"))
        if not isinstance(values, dict):
            raise ValueError("not a network of shiftcli")
        if values.pop("format") != FORMAT:
            raise ValueError("format of another program version")
        values["architecture"] = Architecture.from_dict(values["architecture"])
        metadata = Metadata(**values)
        network = MR3DDenseNet(metadata.architecture)
        if metadata.calibration != {}:
            Calibration.from_dict(metadata.calibration)
        if not (math.isfinite(metadata.mean) and math.isfinite(metadata.scale)):
            raise ValueError("a mean or scale that is not finite")
        if not all(torch.isfinite(t).all() for t in tensors.values()):
            raise ValueError("values that are not finite")
        own = network.state_dict()
        network.load_state_dict({k: t.to(own[k].dtype) for k, t in tensors.items() if k in own})
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        # The first line of torch's own only says that there is a second.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[1 if len(lines) > 1 else 0].strip()
        raise WeightsError(
            f"cannot use this network: {reason}", where=str(path), hint="train or download it again"
        ) from error
    return network.eval(), metadata


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and header of a safetensors file; ValueError where it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as handle:
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
            return tensors, handle.metadata() or {}
    except SafetensorError as error:
        raise ValueError(str(error)) from error
