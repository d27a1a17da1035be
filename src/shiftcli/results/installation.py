"""What is installed here, on which machine, and whether it works: for a report of a fault.

Nothing is imported at the top that could be broken, and whatever is broken is told, not raised.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from shiftcli import __version__
from shiftcli.errors import visible
from shiftcli.results.machine import cores, processor

if TYPE_CHECKING:
    from shiftcli.weights import WeightFile

T = TypeVar("T")

#: Environment variables that change what the program does, beside its own ``SHIFTCLI_*``.
_VARIABLES = ("CUDA_VISIBLE_DEVICES", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

#: What may be secret in an address: the user before its host, and its query.
_SECRETS = re.compile(r"(?<=://)[^/@\s]*(?=@)|(?<=\?)\S+")

#: Extras that nobody needs to run the program.
_TOOLS = frozenset({"dev", "docs", "test"})

#: Seconds that the driver of a GPU may take to answer.
_PATIENCE = 10.0


@dataclass
class Installation:
    """What a report of a fault should say of the place where it happened.

    Attributes
    ----------
    sections : dict of str to dict
        ``program``, ``machine``, ``packages`` (name to version), ``torch``, ``gpus``,
        ``networks`` and ``variables``; numbers and texts by their names.
    problems : list of str
        What is broken, one sentence each; empty where nothing is.
    """

    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**self.sections, "problems": self.problems}

    def to_text(self) -> str:
        """Sections with a line for each entry, then the problems."""
        lines = []
        for title, entries in self.sections.items():
            lines.append(title if entries else f"{title}: none")
            lines += [f"  {line}" for line in _entries(entries)]
        lines.append("problems" if self.problems else "problems: none")
        lines += [f"  {visible(problem)}" for problem in self.problems]
        return "\n".join(lines) + "\n"

    def attempt(self, what: str, action: Callable[..., T], *arguments: Any) -> T | None:
        """The result of an action, None where it fails; a failure or warning is a problem."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = action(*arguments)
            except (Exception, SystemExit) as error:
                self.problems.append(f"{what}: {_line(error)}")
                return None
        self.problems += [f"{what}: {_line(warning.message)}" for warning in caught]
        return result


def describe_installation(weights: str | Path | None = None) -> Installation:
    """Describe the program, what it stands on, the machine and the networks.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Directory of networks; without it the ones that `shiftcli.Predictor` would take.

    Returns
    -------
    Installation
        Always; what cannot be imported or read stands among its problems.
    """
    found = Installation()
    found.sections["program"] = {
        "shiftcli": __version__,
        "installed": str(Path(__file__).resolve().parents[1]),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "executable": sys.executable,
    }
    found.sections["machine"] = {
        "platform": platform.platform(),
        "cpu": processor(),
        "cores": cores(),
    }
    found.sections["packages"] = _packages(found)
    found.sections["torch"] = found.attempt("torch", _torch) or {}
    found.sections["gpus"] = _gpus()
    found.sections["networks"] = _networks(found, weights)
    found.sections["variables"] = _variables()
    return found


def _packages(found: Installation) -> dict[str, str]:
    """Versions of the required packages, each imported, and of the optional ones that are here."""
    try:
        requirements = metadata.requires("shiftcli") or []
    except metadata.PackageNotFoundError:
        found.problems.append("shiftcli: run from its source, not installed")
        return {}
    versions = {}
    for requirement in requirements:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", requirement)
        if extra and extra[1] in _TOOLS:
            continue
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            if extra is None:
                found.problems.append(f"{name}: not installed")
            continue
        if extra is None and name != "torch":  # which is tried on its own
            found.attempt(name, import_module, name.replace("-", "_"))
    return dict(sorted(versions.items()))


def _torch() -> dict[str, Any]:
    """Threads, and what of the GPU torch can see."""
    import torch

    visible = torch.cuda.is_available()
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count() * visible)]
    return {
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "built for": f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU",
        "CUDA available": visible,
        "GPUs": names,
    }


def _gpus() -> dict[str, str]:
    """Name, driver and memory of each GPU, as the driver's own program says, torch or not."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    query = ("--query-gpu=index,name,driver_version,memory.total", "--format=csv,noheader")
    try:
        answer = subprocess.run(
            (program, *query), capture_output=True, text=True, timeout=_PATIENCE, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return {"nvidia-smi": _line(error)}
    rows = (line.partition(", ")[::2] for line in answer.splitlines())
    return {index: rest for index, rest in rows if rest}


def _networks(found: Installation, weights: str | Path | None) -> dict[str, Any]:
    """Where the networks are; each with its hash, and read once to see that it can be."""

    def look() -> list[WeightFile]:
        from shiftcli.weights import cache_folder, find_networks, folder_of

        section["cache"] = str(cache_folder())
        folder_of(weights)  # says what is not here; to find it would be to download it
        return find_networks(weights)

    def read(file: WeightFile) -> None:
        from shiftcli.network.checkpoint import load

        load(file.path)

    section: dict[str, Any] = {}
    files = found.attempt("networks", look)
    if files:
        section["folder"] = str(files[0].path.parent)
        section["model"] = files[0].model
        section["files"] = {file.path.name: file.sha256 for file in files}
    if found.sections["torch"]:  # without it none can be read
        for file in files or ():
            found.attempt(file.path.name, read, file)
    return section


def _variables() -> dict[str, str]:
    """What is set of the environment variables that matter; no passwords of addresses."""
    chosen = sorted(k for k in os.environ if k.startswith("SHIFTCLI_") or k in _VARIABLES)
    return {name: _SECRETS.sub("…", os.environ[name]) for name in chosen}


def _line(error: object) -> str:
    """The first line of what an exception or warning says, its kind before it."""
    text = (str(error).splitlines() or [""])[0]
    if type(error).__module__.startswith("shiftcli"):
        return text
    return f"{type(error).__name__}: {text}"


def _entries(entries: dict[str, Any]) -> list[str]:
    """One line each, whatever a path or a variable holds."""
    width = max((len(name) for name in entries), default=0)
    lines = []
    for name, value in entries.items():
        if isinstance(value, dict):
            lines.append(name)
            lines += [f"  {line}" for line in _entries(value)]
            continue
        if isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        lines.append(f"{visible(name):{width}}  {visible(value)}".rstrip())
    return lines
