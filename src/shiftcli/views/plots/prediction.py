"""Shieldings of one crystal with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.nmr.spectrum import distinct_names
from shiftcli.prediction.predictor import Prediction
from shiftcli.results.look import Look
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.labels import nuclide
from shiftcli.views.plots.figure import letters_of, names_along, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Width in mm, and the part of it that a panel has.
_WIDTH, _PANEL = 170.0, 0.8


def plot_prediction(
    prediction: Prediction, output: Path | None = None, look: Look | None = None
) -> Figure:
    """Draw shieldings with their 68 % intervals, a panel for each nucleus, or several where the
    names of its sites do not fit below one; raises as `picture`.
    """
    look = look or Look()
    width = look.size[0] if look.size else _WIDTH
    most = names_along(_PANEL * width, letters_of(look, width))
    groups = []
    for species in SPECIES.values():
        rows = [row for row in prediction.sites if row.site.species == species]
        size = -(-len(rows) // max(1, -(-len(rows) // most)))  # panels of a nucleus are alike
        groups += [(species, rows[k : k + size]) for k in range(0, len(rows), max(1, size))]
    (title,) = distinct_names([(prediction.crystal.source, prediction.crystal.name)])
    count = max(len(groups), 1)
    with picture(output, look, rows=count, size=(_WIDTH, 45.0), title=title) as (figure, panels):
        for axes, (species, own) in zip(panels, groups, strict=False):
            places = range(len(own))
            values, widths = [r.shielding for r in own], [r.uncertainty for r in own]
            axes.errorbar(places, values, widths, fmt="o", markersize=3, elinewidth=1)
            labels = [row.site.label for row in own]
            axes.set_xticks(places, labels, rotation=90, fontsize="x-small", parse_math=False)
            axes.set_ylabel(f"{nuclide(species)} shielding/ppm")
    return figure
