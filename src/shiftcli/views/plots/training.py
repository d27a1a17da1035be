"""Curves of training runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.errors import UsageError
from shiftcli.files import read_rows
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.labels import nuclide
from shiftcli.views.plots.figure import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_training(metrics: Sequence[Path], output: Path) -> None:
    """Draw training and validation errors against the epoch, a panel for each nucleus.

    From files ``metrics.csv`` of training runs. Raises as `picture`, and `UsageError` if there is
    nothing to draw.
    """
    curves: dict[str, list[tuple[str, list[dict[str, str]]]]] = {}
    for path in metrics:
        rows = read_rows(path)
        run = path.parent.name if len(metrics) > 1 else ""
        for nucleus, member in dict.fromkeys((r["nucleus"], r["member"]) for r in rows):
            own = [r for r in rows if (r["nucleus"], r["member"]) == (nucleus, member)]
            curves.setdefault(nucleus, []).append((f"{run} #{member}".strip(), own))
    if not curves:
        raise UsageError("no epoch has been trained that could be drawn")
    with picture(output, rows=len(curves), size=(120.0, 80.0)) as (_, axes):
        for panel, (nucleus, runs) in zip(axes, curves.items(), strict=True):
            _draw_curves(panel, runs)
            panel.set_title(nuclide(SPECIES[nucleus]))


def _draw_curves(panel: Axes, runs: Sequence[tuple[str, list[dict[str, str]]]]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    for number, (name, rows) in enumerate(runs):
        epochs = [int(r["epoch"]) for r in rows]
        colour = f"C{number}"
        panel.plot(epochs, [float(r["train_rmse"]) for r in rows], ":", color=colour)
        values = [float(r["validation_rmse"]) for r in rows]
        panel.plot(epochs, values, "-", color=colour, label=f"{name} validation")
    baseline = float(runs[0][1][0]["baseline_rmse"])
    if not math.isnan(baseline):
        panel.axhline(baseline, color="0.5", linestyle="--", label="baseline in the data")
    panel.set_yscale("log")
    panel.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 4, 5, 6, 8)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter("{x:g}")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("epoch")
    panel.set_ylabel("RMSE/ppm (dotted: training)")
    panel.legend(fontsize="small")
