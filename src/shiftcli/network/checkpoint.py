"""A network to and from one safetensors file, with the metadata that rebuilds it.

Nothing is ever unpickled: tensors come from safetensors, everything else from JSON. A file
carries a hash of its own content, so that one wrong bit is noticed wherever the file came from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from shiftcli.errors import WeightsError
from shiftcli.files import replacing
from shiftcli.network.calibration import LARGEST, Calibration, is_number
from shiftcli.network.densenet import Architecture, MR3DDenseNet
from shiftcli.network.folding import FoldedNet
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.structure.fingerprint import Fingerprint

#: Version of the metadata's layout; since 2 they end with a digest.
FORMAT = 2

#: Key under which the metadata stand in the safetensors header.
_KEY = "shiftcli"

#: Types in which a tensor of floating point numbers may be stored.
_STORED = (torch.float16, torch.bfloat16, torch.float32)


@dataclass(frozen=True)
class Metadata:
    """What belongs to a network beside its tensors."""

    nucleus: str  #: Element that it predicts: H, C, N or O.
    #: Shielding = mean + scale · output, in ppm.
    mean: float
    scale: float
    architecture: Architecture  #: Layers, grids and density kernel.
    orientation: str  #: Orientations it was trained with, ``frames`` or ``random``.
    #: Figures on the validation crystals: ``rmse``, ``n``, ``crystals``.
    validation: dict[str, Any] = field(default_factory=dict)
    #: Resolved configuration and data of the run that made it.
    training: dict[str, Any] = field(default_factory=dict)
    #: How its committee's spread becomes intervals, `Calibration.to_dict`, the same in all members;
    #: empty where nobody calibrated it.
    calibration: dict[str, Any] = field(default_factory=dict)
    #: The crystals that it learned from; empty where the file does not say.
    fingerprints: tuple[Fingerprint, ...] = ()
    #: Bonded environment (`shiftcli.structure.bonded`) to the families of training crystals that
    #: hold it; empty where the file does not say.
    environments: dict[str, int] = field(default_factory=dict)


def save(path: Path, network: MR3DDenseNet, metadata: Metadata, *, half: bool = False) -> None:
    """Write a network, and what belongs to it, to one ``.safetensors`` file, atomically.

    With `half` the weights of convolutions and linear layers are stored as float16 (half the size);
    normalisation stays float32.
    """
    tensors = {}
    for name, tensor in network.state_dict().items():
        tensor = tensor.detach().cpu().contiguous()
        is_weight = tensor.is_floating_point() and tensor.ndim > 1
        tensors[name] = tensor.half() if half and is_weight else tensor
    write_tensors(path, tensors, header_of(_text(metadata), tensors))


def amend(path: Path, **changes: Any) -> None:
    """Replace fields of the `Metadata` of a network's file, atomically; its tensors stay bit for
    bit.

    `WeightsError` if the file is not a network, `OSError` if it cannot be written; the old file is
    still there.
    """
    _, metadata = load(path)
    tensors, _ = read_tensors(path)
    write_tensors(path, tensors, header_of(_text(replace(metadata, **changes)), tensors))


def _text(metadata: Metadata) -> str:
    return json.dumps({"format": FORMAT, **asdict(metadata)}, sort_keys=True)


def header_of(text: str, tensors: dict[str, torch.Tensor]) -> dict[str, str]:
    """Header of a network's file: its metadata, a JSON object, and a digest of it all.

    One entry; of several, safetensors would write the order at random.
    """
    open_end = text.removesuffix("}") + ', "digest": "'
    return {_KEY: f'{open_end}{_digest(open_end, tensors)}"}}'}


def _digest(text: str, tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of the metadata up to the digest, and of all names, types, shapes and values."""
    total = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        total.update(json.dumps([name, str(tensor.dtype), *tensor.shape]).encode())
        total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    """Write contiguous tensors of the CPU as safetensors, whole or not at all.

    `OSError` if that fails, on a full disk for one.
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
    """Read a network that `save` wrote, in evaluation mode and float32.

    `WeightsError` if the file is missing, damaged, or of a newer program; if its tensors do not fit
    the architecture it states, in name, shape or type, or are not finite; or if its metadata make
    no sense.
    """
    return _load(path, _without_values)


def load_folded(
    path: Path, device: torch.device, dtype: torch.dtype = torch.float32
) -> tuple[FoldedNet, Metadata]:
    """Read a network in the form for predictions, float32 or bfloat16; as `load` otherwise."""
    # The layers take this file's tensors only until they are folded: all files share them.
    network, metadata = _load(path, _shared)
    return FoldedNet(network, device, dtype), metadata


def _load(
    path: Path, build: Callable[[Architecture], MR3DDenseNet]
) -> tuple[MR3DDenseNet, Metadata]:
    try:
        tensors, header = read_tensors(path)
        metadata = _metadata(header.get(_KEY, "null"), tensors)
        network = _fill(build(metadata.architecture), tensors)
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, OverflowError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"cannot use this network: {lines[0].strip()}",
            where=str(path),
            hint="train or download it again",
        ) from error
    return network.eval(), metadata


def _metadata(text: str, tensors: dict[str, torch.Tensor]) -> Metadata:
    """Metadata of a file; raises ValueError, KeyError or TypeError where they make no sense."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("not a network of shiftcli")
    form = values.pop("format")
    if type(form) is not int or not 1 <= form <= FORMAT:
        raise ValueError(f"format {form!r}, this program reads up to {FORMAT}")
    # Files of format 1 have no digest. No single wrong bit makes a 1 of a 2.
    if form >= 2:
        digest = values.pop("digest", None)
        if text != header_of(text.rsplit(', "digest"', 1)[0] + "}", tensors)[_KEY]:
            raise ValueError(f"damaged: its content is not what its digest {digest!s:.12} says")
    values["architecture"] = Architecture.from_dict(values["architecture"])
    values["fingerprints"] = tuple(map(_fingerprint, values.get("fingerprints", ())))
    metadata = Metadata(**values)
    if metadata.nucleus not in ELEMENTS:
        raise ValueError(f"nucleus {metadata.nucleus!r:.20} is none of {', '.join(ELEMENTS)}")
    if not (is_number(metadata.mean) and is_number(metadata.scale) and metadata.scale > 0):
        raise ValueError("a mean or scale that is no number, or a scale that is not positive")
    if metadata.orientation not in ("frames", "random"):
        raise ValueError(f"orientation {metadata.orientation!r:.20} is neither frames nor random")
    if not (isinstance(metadata.validation, dict) and isinstance(metadata.training, dict)):
        raise ValueError("validation and training are objects")
    if not all(is_number(v) for v in metadata.validation.values() if v is not None):
        raise ValueError("validation figures that are no finite numbers")
    if metadata.calibration != {}:
        Calibration.from_dict(metadata.calibration)
    counts = metadata.environments
    if not (
        isinstance(counts, dict)
        and all(type(n) is int and 0 < n < LARGEST for n in counts.values())
    ):
        raise ValueError("environments that are not counted in whole crystals")
    return metadata


def _fingerprint(values: Any) -> Fingerprint:
    """One fingerprint of a file; raises ValueError, KeyError or TypeError where it is none."""
    lengths = tuple(values["lengths"])
    made = Fingerprint(values["name"], values["formula"], lengths)
    is_text = isinstance(made.name, str) and isinstance(made.formula, str)
    if not is_text or not all(is_number(length) for length in lengths):
        raise ValueError("a fingerprint that is none")
    return made


def _without_values(architecture: Architecture) -> MR3DDenseNet:
    """A network that takes no memory, whatever a file claims to hold, and draws no numbers."""
    with torch.device("meta"):
        return MR3DDenseNet(architecture)


_shared = lru_cache(maxsize=8)(_without_values)


def _fill(network: MR3DDenseNet, tensors: dict[str, torch.Tensor]) -> MR3DDenseNet:
    """Give a network these tensors in float32; raises ValueError where they do not fit it."""
    own = network.state_dict()
    for name in sorted(own.keys() ^ tensors.keys()):
        raise ValueError(f"{'missing' if name in own else 'unexpected'} tensor {name}")
    for name, tensor in tensors.items():
        expected = own[name]
        if tensor.shape != expected.shape:
            shapes = f"{tuple(tensor.shape)} in place of {tuple(expected.shape)}"
            raise ValueError(f"shape of {name} is {shapes}")
        if tensor.dtype not in (_STORED if expected.is_floating_point() else (expected.dtype,)):
            raise ValueError(f"type of {name} is {tensor.dtype}")
    # A copy, since what was read is a map of the file, which may change or go.
    copied = {name: tensor.to(own[name].dtype, copy=True) for name, tensor in tensors.items()}
    for name, tensor in copied.items():
        # No sum of float32 in float64 is infinite or NaN unless one of them is.
        if not torch.isfinite(tensor.sum(dtype=torch.float64)):
            raise ValueError(f"values of {name} that are not finite")
    network.load_state_dict(copied, assign=True)
    return network


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and header of a safetensors file; ValueError where it is damaged."""
    from safetensors import SafetensorError, safe_open

    if path.exists() and not path.is_file():  # it would be waited for
        raise ValueError("a device or a pipe, not a file")
    try:
        with safe_open(path, framework="pt") as handle:
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
            return tensors, handle.metadata() or {}
    except SafetensorError as error:
        raise ValueError(str(error)) from error
