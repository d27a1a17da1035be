"""Predicted against measured shifts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.nmr.assignment import Comparison, Fit, Row
from shiftcli.views.plots.figure import panels, plain, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of rows without a flag, and above 2σ and 3σ.
_COLOURS = {"": "C0", ">2σ": "C1", ">3σ": "C3"}

#: Axes reach this fraction of the range beyond the shifts, or this many ppm.
_MARGIN, _LEAST_MARGIN = 0.08, 0.5


def plot_comparison(comparison: Comparison, output: Path, title: str = "") -> None:
    """Draw predicted against measured shifts, a panel for each nucleus.

    Parameters
    ----------
    comparison : Comparison
        From `shiftcli.compare`.
    output : pathlib.Path
        Picture; its suffix names the format.
    title : str
        Name of the structure.

    Raises
    ------
    UsageError
        If matplotlib is missing, the format is unknown or it cannot be written.

    Notes
    -----
    Bars are one standard deviation of the difference; rows above 2σ and 3σ have their colour
    and their name. Hollow points are assignments that were found, not stated.
    """
    figure, axes = panels(len(comparison.fits), (4.5, 4.5))
    for panel, fit in zip(axes, comparison.fits, strict=True):
        _draw(panel, fit, [row for row in comparison.rows if row.species == fit.species])
    if title:
        figure.suptitle(plain(title), fontsize="medium")
    save(figure, output)


def _draw(panel: Axes, fit: Fit, rows: list[Row]) -> None:
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
        if row.flag:
            panel.annotate(
                plain(row.site), (row.measured, row.predicted), xytext=(4, 4),
                textcoords="offset points", fontsize="x-small", color=colour,
            )  # fmt: skip
    panel.set_xlim(*ends)
    panel.set_ylim(*ends)
    panel.set_aspect("equal")
    panel.set_title(f"{fit.species}   RMSE {fit.rmse:.2f} ppm")
    panel.set_xlabel("measured shift/ppm")
    panel.set_ylabel("predicted shift/ppm")
