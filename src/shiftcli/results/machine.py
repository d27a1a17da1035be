"""The machine and the versions that figures were measured with."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Machine:
    """What a figure, a time above all, depends on beside the program and the networks."""

    #: Versions.
    python: str
    torch: str
    numpy: str
    platform: str  #: Operating system and its version.
    cpu: str  #: Name of the processor, may be empty.
    cores: int  #: Cores that this process may use.
    threads: int  #: Threads that torch uses.
    device: str  #: Where the networks run, such as ``cuda:0``.
    gpu: str  #: Name of the GPU, empty without one.

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the key ``machine``, for JSON."""
        return {"machine": asdict(self)}


def describe_machine(device: torch.device) -> Machine:
    """Describe the machine that this process runs on, and the device where the networks run."""
    import numpy as np
    import torch

    on_gpu = device.type == "cuda"
    return Machine(
        python=platform.python_version(),
        torch=str(torch.__version__),
        numpy=np.__version__,
        platform=platform.platform(),
        cpu=processor(),
        cores=cores(),
        threads=torch.get_num_threads(),
        device=str(device),
        gpu=torch.cuda.get_device_name(device) if on_gpu else "",
    )


def cores() -> int:
    """Cores that this process may use, where the system says it, else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Name of the processor; Linux tells it in a file, `platform` elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
