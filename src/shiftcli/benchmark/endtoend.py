"""How long whole crystals take, cold and warm, and how that grows with their size."""

from __future__ import annotations

import copy
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shiftcli.benchmark.energy import EnergyMeter
from shiftcli.benchmark.steps import measure_steps
from shiftcli.errors import ShiftcliError
from shiftcli.prediction.predictor import Predictor
from shiftcli.readers import read
from shiftcli.structure.crystal import Crystal
from shiftcli.weights import packaged

#: Copies of urea's cell (16 atoms) along each axis: 128, 1,024 and 10,240 atoms.
SUPERCELLS = ((2, 2, 2), (4, 4, 4), (8, 8, 10))

#: Nucleus that the size series is predicted for: one of eight atoms of urea.
_NUCLEUS = "O"

#: Standard deviation (Å) of the displacements that make all atoms of a supercell distinct.
_DISPLACEMENT = 0.02


@dataclass(frozen=True)
class EndToEnd:
    """Seconds from a structure to its shieldings."""

    crystal: str  #: The crystal of the first three times.
    distinct: int  #: Its distinct atoms that are predicted.
    cold: float  #: A fresh process that reads the file, loads the networks and writes CSV.
    warm: float  #: The same crystal with the networks in memory, median of repeats.
    warm_spread: tuple[float, float]  #: Fastest and slowest of the repeats.
    batch: float  #: Crystals a second, one after the other, networks in memory.
    atoms: tuple[int, ...]  #: Atoms in the cells of the size series; only oxygen is predicted.
    sites: tuple[int, ...]  #: Oxygens predicted in each.
    seconds: tuple[float, ...]  #: Time of each.
    #: Slope of log time against log atoms: 1 is linear; None for a single cell.
    exponent: float | None
    #: Largest resident memory of this process so far in GB; on a GPU, of the device.
    peak_memory: float
    #: Seconds of each step in a fresh process, and the second time there (`benchmark.steps`).
    steps: dict[str, tuple[float, float | None]]
    #: Hours of one processor core for a thousand such crystals, networks in memory.
    core_hours: float
    #: Energy of the whole machine's processors for them; None where it does not tell.
    kilowatt_hours: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the key ``end_to_end``, for JSON."""
        return {"end_to_end": asdict(self)}


def measure_end_to_end(
    predictor: Predictor,
    path: Path | None = None,
    *,
    largest: int = 1024,
    repeats: int = 5,
    arguments: Sequence[str] = (),
) -> EndToEnd:
    """Time whole predictions of a structure file, without one of the example crystal.

    `largest` is the number of atoms of the largest cell in the size series, `repeats` the timed
    predictions after one warm-up, `arguments` the options of ``shiftcli predict`` for the cold
    start, such as ``--weights DIR``. `ShiftcliError` if the crystal cannot be predicted.
    """
    path = path or packaged("examples") / "urea.cif"
    crystal = read(path)[0]
    predicted = predictor.predict(crystal)
    meter, work = EnergyMeter(), time.process_time()
    times = [_seconds(predictor, crystal) for _ in range(repeats)]
    work, joules = time.process_time() - work, meter.joules()
    urea = read(packaged("examples") / "urea.cif")[0]
    copies = [n for n in SUPERCELLS if len(urea) * math.prod(n) <= largest]
    sizes = [_supercell(urea, n) for n in copies]
    only = copy.copy(predictor)
    if _NUCLEUS in predictor.networks:
        only.networks = {_NUCLEUS: predictor.networks[_NUCLEUS]}
    series = [_seconds(only, cell) for cell in sizes]
    atoms = tuple(len(cell) for cell in sizes)
    slope = float(np.polyfit(np.log(atoms), np.log(series), 1)[0]) if len(sizes) > 1 else None
    return EndToEnd(
        crystal=path.name,
        distinct=len(predicted.sites),
        cold=_cold_start(path, arguments),
        warm=statistics.median(times),
        warm_spread=(min(times), max(times)),
        batch=repeats / sum(times),
        atoms=atoms,
        sites=tuple(int((cell.elements == _NUCLEUS).sum()) for cell in sizes),
        seconds=tuple(series),
        exponent=slope,
        peak_memory=_peak_memory(predictor.device),
        steps=measure_steps(path, predictor.settings),
        core_hours=1000 * work / repeats / 3600,
        kilowatt_hours=None if joules is None else 1000 * joules / repeats / 3.6e6,
    )


def _seconds(predictor: Predictor, crystal: Crystal) -> float:
    """Time of one prediction; its results are on the CPU, so nothing is left to wait for."""
    # A copy, whose distinct sites have not been found yet.
    crystal = replace(crystal)
    start = time.perf_counter()
    predictor.predict(crystal)
    return time.perf_counter() - start


def _supercell(crystal: Crystal, copies: tuple[int, int, int]) -> Crystal:
    """A larger cell of slightly displaced atoms, all distinct."""
    shifts = np.array(list(np.ndindex(*copies)), dtype=float) @ crystal.cell
    rng = np.random.default_rng(0)
    positions = (crystal.positions[None] + shifts[:, None]).reshape(-1, 3)
    count = len(shifts)
    return Crystal(
        elements=np.tile(crystal.elements, count),
        positions=positions + rng.normal(0.0, _DISPLACEMENT, positions.shape),
        cell=crystal.cell * np.array(copies)[:, None],
        labels=tuple(f"{e}{k}" for k, e in enumerate(np.tile(crystal.elements, count))),
        site_ids=np.arange(len(positions)),
        source=f"{crystal.source} × {count}",
    )


def _cold_start(path: Path, arguments: Sequence[str]) -> float:
    """Seconds of a fresh process."""
    command = [sys.executable, "-m", "shiftcli", "predict", str(path), "--format", "csv"]
    start = time.perf_counter()
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise ShiftcliError(f"a fresh process failed: {done.stderr.strip()[-200:]}")
    return seconds


def _peak_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
