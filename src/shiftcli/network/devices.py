"""Which processor the networks run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shiftcli.errors import DeviceError

if TYPE_CHECKING:
    import torch


def resolve_device(name: str = "auto") -> torch.device:
    """Turn a device's name into a device that is there.

    Parameters
    ----------
    name : str
        ``auto`` (the first GPU, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Returns
    -------
    torch.device

    Raises
    ------
    DeviceError
        If the name is none of these, or the GPU is not there.
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
