"""Predicted against measured shifts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.nmr.assignment import Comparison, Fit, Row
from shiftcli.nmr.spectrum import spread
from shiftcli.results.look import Look
from shiftcli.views.labels import nuclide
from shiftcli.views.plots.figure import names_along, picture, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours of rows without a flag, and above 2σ and 3σ.
_COLOURS = {"": "C0", ">2σ": "C4", ">3σ": "C1"}

#: Part of a picture's width and of a row's height that a panel has.
_WIDE, _HIGH = 0.65, 0.7

#: Axes reach this fraction of the range beyond the shifts, or this many ppm.
_MARGIN, _LEAST_MARGIN = 0.08, 0.5


def plot_comparison(
    comparison: Comparison, output: Path | None = None, title: str = "", look: Look | None = None
) -> Figure:
    """Draw predicted against measured shifts, a panel for each nucleus below the other.

    Bars are one standard deviation of the difference; rows above 2σ and 3σ have their colour. Names
    stand beside the panel; of many rows those that differ most. Hollow points are assignments
    that were found, not stated. Raises as `picture`.
    """
    rows = len(comparison.fits)
    with picture(output, look, rows=rows, size=(120.0, 105.0), title=title) as (figure, axes):
        for panel, fit in zip(axes, comparison.fits, strict=True):
            own = [row for row in comparison.rows if row.species == fit.species]
            _draw(panel, fit, own, _room(figure, rows))
    return figure


def _room(figure: Figure, rows: int) -> int:
    """Names that fit beside a panel."""
    from matplotlib import rcParams

    width, height = 25.4 * figure.get_size_inches()
    return names_along(min(_WIDE * width, _HIGH * height / rows), rcParams["font.size"])


def _draw(panel: Axes, fit: Fit, rows: list[Row], most: int) -> None:
    values = [row.measured for row in rows]
    values += [row.predicted + sign * row.sigma for row in rows for sign in (-1, 1)]
    margin = max(_MARGIN * (max(values) - min(values)), _LEAST_MARGIN)
    ends = (min(values) - margin, max(values) + margin)
    panel.plot(ends, ends, color="0.6", linewidth=0.8, zorder=0)
    for row in rows:
        colour = _COLOURS[row.flag]
        panel.errorbar(
            row.measured, row.predicted, yerr=row.sigma, fmt="o", color=colour, markersize=4,
            markerfacecolor="white" if row.assigned else colour, elinewidth=0.8,
        )  # fmt: skip
    panel.set_xlim(*ends)
    panel.set_ylim(*ends)
    panel.set_aspect("equal")
    _name(panel, rows, most)
    panel.set_title(f"{nuclide(fit.species)}   RMSE {fit.rmse:.2f} ppm")
    panel.set_xlabel("measured shift/ppm")
    panel.set_ylabel("predicted shift/ppm")


def _name(panel: Axes, rows: list[Row], most: int) -> None:
    """Names beside the panel, each with a hair line to its point, none over another."""
    low, high = panel.get_ylim()
    worst = sorted(rows, key=lambda row: -abs(row.difference) / (row.sigma or 1.0))[:most]
    named = sorted(worst, key=lambda row: row.predicted)
    step = (high - low) / max(most, 1)
    places = spread([row.predicted for row in named], step, low + step / 2, high - step / 2)
    beside = panel.get_yaxis_transform()  # x in parts of the panel, y in ppm
    for row, place in zip(named, places, strict=True):
        panel.annotate(
            plain(row.site), (row.measured, row.predicted), xytext=(1.04, place),
            textcoords=beside, fontsize="x-small", va="center", color=_COLOURS[row.flag],
            arrowprops={
                "arrowstyle": "-", "color": "0.8", "linewidth": 0.4, "zorder": 0,
                "relpos": (0, 0.5),
            },
        )  # fmt: skip
