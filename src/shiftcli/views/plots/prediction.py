"""Shieldings of one crystal with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.nmr.spectrum import distinct_names
from shiftcli.prediction.predictor import Prediction
from shiftcli.results.look import Look
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.plots.figure import nuclide, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_prediction(
    prediction: Prediction, output: Path | None = None, look: Look | None = None
) -> Figure:
    """Draw shieldings with their 68 % intervals, a panel for each nucleus; raises as `picture`."""
    groups = {
        species: rows
        for species in SPECIES.values()
        if (rows := [row for row in prediction.sites if row.site.species == species])
    }
    (title,) = distinct_names([(prediction.crystal.source, prediction.crystal.name)])
    count = max(len(groups), 1)
    with picture(output, look, rows=count, size=(170.0, 45.0), title=title) as (figure, panels):
        for axes, (species, own) in zip(panels, groups.items(), strict=False):
            places = range(len(own))
            values, widths = [r.shielding for r in own], [r.uncertainty for r in own]
            axes.errorbar(places, values, widths, fmt="o", markersize=3, elinewidth=1)
            labels = [row.site.label for row in own]
            axes.set_xticks(places, labels, rotation=90, fontsize="x-small", parse_math=False)
            axes.set_ylabel(f"{nuclide(species)} shielding/ppm")
    return figure
