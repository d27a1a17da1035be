"""Figure 4: histograms of the errors, beside those of the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftcli.benchmark.paper.result import Result, Value
from shiftcli.benchmark.paper.setting import Setting
from shiftcli.results.statistics import percentile
from shiftcli.structure.crystal import SPECIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Largest error (ppm) that the histograms show, and their bins.
_RANGE = {"H": 2.0, "C": 20.0, "N": 60.0, "O": 80.0}
_BINS = 60


def figure4(setting: Setting) -> Result:
    """How the errors of the networks and of the KRR, the data's second label, are distributed."""
    rows: list[tuple[Value, ...]] = []
    histograms: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = []
    for element, tested, ours in setting.tested():
        krr, weights = tested.atoms.baseline - tested.atoms.reference, tested.atoms.weights
        edges = np.linspace(-_RANGE[element], _RANGE[element], _BINS + 1)
        first, second = (np.histogram(e, edges, weights=weights)[0] for e in (ours, krr))
        histograms.append((element, edges, first, second))
        for name, error in (("shiftcli", ours), ("KRR 2018", krr)):
            if np.isfinite(error).all():
                size = np.abs(error)
                within = float(np.average(size <= _RANGE[element], weights=weights))
                median, high = (percentile(size, weights, level) for level in (0.5, 0.9))
                rows.append((SPECIES[element], name, median, high, within))
    series = [
        (SPECIES[element], float(low), float(high), float(a), float(b))
        for element, edges, ours_counts, krr_counts in histograms
        for low, high, a, b in zip(edges[:-1], edges[1:], ours_counts, krr_counts, strict=True)
    ]
    return Result(
        "figure4", "Distribution of the testing errors",
        ("nucleus", "model", "median |error|/ppm", "90 % below/ppm", "within the histogram"),
        tuple(rows),
        (setting.size_note(), "the paper prints no numbers with this figure"),
        {"histogram": (("nucleus", "from/ppm", "to/ppm", "shiftcli", "KRR 2018"), series)},
        draw=lambda figure: _draw(figure, histograms), size=(9.0, 6.5),
    )  # fmt: skip


def _draw(figure: Figure, histograms: Sequence[tuple[Any, ...]]) -> None:
    panels = figure.subplots(2, 2).ravel()
    for panel, (element, edges, ours, krr) in zip(panels, histograms, strict=False):
        panel.stairs(krr, edges, fill=True, alpha=0.4, color="tab:grey", label="KRR 2018")
        panel.stairs(ours, edges, color="tab:blue", label="shiftcli")
        panel.set(title=SPECIES[element], xlabel="error/ppm", ylabel="atoms")
        panel.legend(fontsize="small")
    for panel in panels[len(histograms) :]:
        panel.set_visible(False)
