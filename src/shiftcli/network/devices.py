"""Which processor the networks run on, and in which precision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

#: Precisions that a network runs in.
DTYPES = ("float32", "bfloat16", "auto")

#: What Linux calls the instructions that multiply bfloat16 (x86, then ARM).
_BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})


def resolve_device(name: str = "auto") -> torch.device:
    """The device called ``auto`` (the first GPU, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    `DeviceError` if the name is none of these, or the GPU is not there.
    """
    import torch

    kind, _, number = name.partition(":")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if kind != "cuda" or not (number.isdecimal() or name == "cuda"):
        raise DeviceError(f"no device is called '{name}'", hint="auto, cpu, cuda or cuda:N")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= found:
        raise DeviceError(
            f"no GPU {int(number or 0)} on this machine ({found or 'none'} found)",
            hint="use --device cpu",
        )
    return torch.device("cuda", int(number or 0))


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of the networks' numbers: ``float32``, ``bfloat16`` or ``auto``.

    The last is bfloat16 where the device multiplies it natively, else float32: elsewhere bfloat16
    is slower than float32. `UsageError` for anything else.
    """
    import torch

    if name not in DTYPES:
        raise UsageError(f"dtype '{name}' is none of {', '.join(DTYPES)}")
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = bool(_BFLOAT16_FLAGS & processor_flags())
    return torch.bfloat16 if native else torch.float32


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Instructions that all processors know, as Linux names them; empty on other systems."""
    try:
        lines = cpuinfo.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    named = [
        frozenset(line.partition(":")[2].split())
        for line in lines
        if line.partition(":")[0].strip() in ("flags", "Features")
    ]
    return frozenset.intersection(*named) if named else frozenset()
