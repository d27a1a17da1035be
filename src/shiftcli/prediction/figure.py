"""A picture of one prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shiftcli.errors import UsageError, install
from shiftcli.structure.crystal import SPECIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shiftcli.prediction.records import Prediction


def draw(prediction: Prediction) -> Figure:
    """Draw the shieldings of a prediction with their 68 % intervals, one panel a nuclide.

    Raises
    ------
    UsageError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("a plot needs matplotlib", hint=install("matplotlib")) from error
    groups = {
        species: [row for row in prediction.sites if row.site.species == species]
        for species in SPECIES.values()
    }
    groups = {species: rows for species, rows in groups.items() if rows}
    figure = Figure(figsize=(6.7, 0.6 + 1.8 * max(len(groups), 1)), layout="constrained")
    panels = figure.subplots(max(len(groups), 1), squeeze=False)[:, 0]
    for axes, (species, rows) in zip(panels, groups.items(), strict=False):
        places = range(len(rows))
        values, widths = [r.shielding for r in rows], [r.uncertainty for r in rows]
        axes.errorbar(places, values, widths, fmt="o", markersize=3, elinewidth=1)
        axes.set_xticks(places, [row.site.label for row in rows], rotation=90, fontsize=6)
        axes.set_ylabel(f"$^{{{species[:-1]}}}${species[-1]} σ / ppm")
    return figure
