"""Figure 3: errors and training times against the number of training crystals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.benchmark.paper.result import Result
from shiftcli.benchmark.paper.setting import Setting
from shiftcli.files import read_rows
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.config import STUDY, Configuration, make_configuration
from shiftcli.training.folder import Task
from shiftcli.training.studies import StudyRow, Variation, study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: 1H errors (ppm) of SOAP-KRR against the number of crystals, sizes doubling (other groups'
#: runs), for comparison: the last is about 3,300 crystals.
_SOAP_CURVE = (1.10, 0.92, 0.80, 0.70, 0.63, 0.55, 0.50, 0.45)
_SOAP_LARGEST = 3300

#: Training crystals of the curve, quick and thorough.
_QUICK_SIZES, _SIZES = (25, 50, 100), (50, 100, 200, 350)
_QUICK_BATCH = 64


def _configuration(setting: Setting) -> Configuration:
    """The paper's eight fixed rotations; quick, on the compact network for an epoch or two."""
    if setting.quick:
        changes = {"model": "compact", "optimizer": "muon", "learning_rate": 3e-3, "l2": 0.0,
                   "schedule": "cycle", "warmup": 0.1, "clip": 5.0, "copies": "distinct",
                   "epochs": 1, "batch_size": _QUICK_BATCH}  # fmt: skip
        return make_configuration("paper", changes)
    return make_configuration("paper")


def _curve(setting: Setting, element: str) -> tuple[list[StudyRow], dict[Path, int]]:
    """The learning curve, which both figures share, and its runs with augmentation by crystals."""
    sizes = _QUICK_SIZES if setting.quick else _SIZES
    variation = Variation(crystals=sizes, seeds=1 if setting.quick else 3)
    folder = setting.folder / "runs" / f"figure3-{element}"
    task = Task(tuple(map(str, setting.data)), (element,), _configuration(setting))
    rows = study(
        task, folder, variation,
        resume=(folder / STUDY).exists(), device=setting.device,
        on_epoch=setting.epoch, on_note=setting.note,
    )  # fmt: skip
    runs = variation.runs(task.configuration)
    return rows, {folder / name: own.crystals for name, own in runs if own.augmentation != 1}


def _differs(setting: Setting) -> tuple[str, ...]:
    differs = [setting.size_note(trained=True)]
    if setting.quick:
        differs.append("the compact network, one epoch of eight rotations, one seed")
    return tuple(differs)


def figure3a(setting: Setting) -> Result:
    """Errors without augmentation, with it in training, and in training and testing.

    All models of one size see as many batches.
    """
    element = (setting.nuclei or ("H",))[0]
    curve, _ = _curve(setting, element)
    rows = tuple((r.crystals, r.augmentation, r.runs, r.rmse, _number(r.deviation)) for r in curve)
    return Result(
        "figure3a", f"{SPECIES[element]} testing RMSE against the number of training crystals",
        ("crystals", "augmentation", "runs", "RMSE/ppm", "deviation/ppm"), rows,
        _differs(setting), draw=lambda figure: _draw_errors(figure, curve), size=(6.0, 4.5),
    )  # fmt: skip


def _draw_errors(figure: Figure, curve: list[StudyRow]) -> None:
    panel = figure.add_subplot()
    colours = {"none": "tab:red", "training": "tab:green", "training and testing": "tab:blue"}
    for kind, colour in colours.items():
        own = [r for r in curve if r.augmentation == kind]
        error = [0.0 if math.isnan(r.deviation) else r.deviation for r in own]
        x, y = [r.crystals for r in own], [r.rmse for r in own]
        panel.errorbar(x, y, error, color=colour, marker="o", label=f"augmentation: {kind}")
    if all(r.nucleus == "H" for r in curve):
        sizes = _SOAP_LARGEST / 2.0 ** np.arange(len(_SOAP_CURVE))[::-1]
        panel.plot(sizes, _SOAP_CURVE, "k--", label="SOAP-KRR, other groups' runs")
    panel.set(xlabel="training crystals", ylabel="testing RMSE/ppm", xscale="log", yscale="log")
    panel.legend(fontsize="small")


def figure3b(setting: Setting) -> Result:
    """Training time of the runs of figure 3a against the number of samples: it grows linearly."""
    element = (setting.nuclei or ("H",))[0]
    configuration = _configuration(setting).for_element(element)
    _, runs = _curve(setting, element)
    points = [(crystals, *_time(run / "metrics.csv")) for run, crystals in runs.items()]
    slope, offset = np.polyfit([p[1] for p in points], [p[2] for p in points], 1)
    rows = tuple((*p, offset + slope * p[1]) for p in points)
    device = f"{configuration.model} network on {setting.device}; the paper: a Tesla P100"
    return Result(
        "figure3b", f"{SPECIES[element]} training time against the number of samples",
        ("crystals", "samples seen", "time/s", "linear fit/s"), rows,
        (*_differs(setting), device), draw=lambda figure: _draw_times(figure, rows),
        size=(6.0, 4.5),
    )  # fmt: skip


def _time(metrics: Path) -> tuple[int, float]:
    """Samples seen and seconds of training of one run."""
    rows = read_rows(metrics)
    seconds = sum(float(r["samples"]) / float(r["samples_per_second"]) for r in rows)
    return sum(int(r["samples"]) for r in rows), seconds


def _draw_times(figure: Figure, rows: Sequence[tuple[int, int, float, float]]) -> None:
    panel = figure.add_subplot()
    samples = [r[1] for r in rows]
    panel.plot(samples, [r[2] for r in rows], "o", label="measured")
    panel.plot(samples, [r[3] for r in rows], "-", label="linear fit")
    panel.set(xlabel="samples seen, all epochs", ylabel="training time/s")
    panel.legend()


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
