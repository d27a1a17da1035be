"""Spectra: lines of one nucleus, contours of two, crystals laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftcli.nmr.spectrum import Axis, Correlation, Measured, Spectrum, short_names, spread
from shiftcli.results.look import Look
from shiftcli.views.labels import nuclide
from shiftcli.views.plots.figure import label_room, name_lines, picture, plain, stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Letters of a label at most.
_LONGEST_LABEL = 20

#: Contours as parts of the highest point, each 1.5 times the one below.
_CONTOURS = 0.08 * 1.5 ** np.arange(7)


def plot_spectra(
    spectra: Sequence[Spectrum],
    output: Path | None = None,
    look: Look | None = None,
    measured: Sequence[Measured] = (),
) -> Figure:
    """Draw one-dimensional spectra: panels of the nuclei below each other, crystals as lines.

    Spectra of one nucleus share an axis; what was measured of it is in grey behind, as high as
    the highest line. Raises as `picture`.
    """
    by_nucleus: dict[str, list[Spectrum]] = {}
    for spectrum in spectra:
        by_nucleus.setdefault(spectrum.axis.element, []).append(spectrum)
    names = short_names(list({id(s.crystal): s.crystal for s in spectra}.values()))
    title = names[0] if len(names) == 1 else ""
    with picture(output, look, rows=len(by_nucleus), title=title) as (figure, axes):
        for panel, own in zip(axes, by_nucleus.values(), strict=True):
            _draw_lines(figure, panel, own, label_room(figure, len(by_nucleus)))
            for trace in measured:
                if trace.element == own[0].axis.element:
                    _draw_measured(panel, own, trace)
    return figure


def plot_correlations(
    spectra: Sequence[Correlation], output: Path | None = None, look: Look | None = None
) -> Figure:
    """Draw cross peaks as contours, each crystal in its colour, between their projections.

    All spectra are on the same axes. Raises as `picture`, and `UsageError` if lines are too narrow
    for it.
    """
    names = short_names([spectrum.crystal for spectrum in spectra])
    title = names[0] if len(names) == 1 else ""
    horizontal, vertical = spectra[0].axes
    with picture(output, look, size=(150.0, 140.0), title=title) as (figure, (panel,)):
        top = panel.inset_axes((0.0, 1.02, 1.0, 0.16), sharex=panel)
        side = panel.inset_axes((1.02, 0.0, 0.16, 1.0), sharey=panel)
        for place in ((0.0, 1.19), (1.19, 0.0)):  # the layout leaves no room for what has no axes
            panel.text(*place, " ", transform=panel.transAxes, fontsize="xx-small")
        for number, (spectrum, name) in enumerate(zip(spectra, names, strict=True)):
            _draw_contours(panel, top, side, spectrum, stroke(number))
            panel.plot([], [], **stroke(number), label=plain(name))
        if horizontal.element == vertical.element:
            panel.axline((0.0, 0.0), slope=vertical.quanta, color="0.8", linewidth=0.6, zorder=0)
        panel.set(xlim=spectra[0].points[0][[0, -1]], ylim=spectra[0].points[1][[0, -1]])
        if len(spectra) == 1:
            # The panel is smaller than others by its projections.
            gap, (width, height) = 1.3 * label_room(figure)[0], figure.get_size_inches()
            firsts = {q.first.label: q.first.position for q in spectra[0].peaks}
            _label_edge(top, firsts, gap, is_side=False)
            _label_edge(side, _seconds(spectra[0]), gap * width / height, is_side=True)
        else:
            name_lines(figure, panel, beside=True)
        _dress(panel, horizontal, vertical)
    return figure


def _draw_contours(
    panel: Axes, top: Axes, side: Axes, spectrum: Correlation, style: dict[str, Any]
) -> None:
    """Contours of one crystal, and their sums along both axes."""
    intensity = spectrum.intensity()
    highest = intensity.max(initial=0.0)
    if highest > 0:
        levels = _CONTOURS * highest
        panel.contour(
            *spectrum.points,
            intensity.T,
            levels,
            colors=style["color"],
            linewidths=0.8,
            linestyles=style["linestyle"],
        )
    for projection, sums in ((top, intensity.sum(axis=1)), (side, intensity.sum(axis=0))):
        heights = sums / (sums.max(initial=0.0) or 1.0)
        points = spectrum.points[0 if projection is top else 1]
        curve = (points, heights) if projection is top else (heights, points)
        projection.plot(*curve, **style, linewidth=0.9)
        projection.axis("off")


def _seconds(spectrum: Correlation) -> dict[str, float]:
    """Places on the second axis by the label of the site, or of the pair for two quanta."""
    if spectrum.axes[1].quanta == 1:
        return {q.second.label: q.second.position for q in spectrum.peaks}
    pairs = (
        ("+".join(sorted((q.first.label, q.second.label))), q.second.position)
        for q in spectrum.peaks
    )
    return dict(pairs)


def _label_edge(projection: Axes, places: dict[str, float], gap: float, *, is_side: bool) -> None:
    """Labels beyond a projection, each with a hair line to its place; none where they are many."""
    if not len(places) * gap < 1:
        return
    low, high = sorted(projection.get_ylim() if is_side else projection.get_xlim())
    gap *= high - low
    named = sorted(places.items(), key=lambda one: one[1])
    moved = spread([place for _, place in named], gap, low + gap / 2, high - gap / 2)
    across = projection.get_yaxis_transform() if is_side else projection.get_xaxis_transform()
    for (label, place), column in zip(named, moved, strict=True):
        at, beside = (place, 1.0), (column, 1.2)
        projection.annotate(
            _short(label), at[::-1] if is_side else at, xycoords=across,
            xytext=beside[::-1] if is_side else beside, textcoords=across,
            rotation=0 if is_side else 90, ha="left" if is_side else "center",
            va="center" if is_side else "bottom", fontsize="x-small", parse_math=False,
            arrowprops={
                "arrowstyle": "-", "color": "0.7", "linewidth": 0.4, "shrinkB": 0,
                "relpos": (0, 0.5) if is_side else (0.5, 0),
            },
        )  # fmt: skip


def _draw_lines(
    figure: Figure, panel: Axes, spectra: Sequence[Spectrum], letter: tuple[float, float]
) -> None:
    names = short_names([spectrum.crystal for spectrum in spectra])
    highest = max(spectrum.intensity.max() for spectrum in spectra) or 1.0
    for number, (spectrum, name) in enumerate(zip(spectra, names, strict=True)):
        style = stroke(number)
        panel.plot(spectrum.positions, spectrum.intensity, **style, linewidth=1, label=plain(name))
        # Where the peaks are, also under broad lines: a row of ticks for each crystal.
        places = [peak.position for peak in spectrum.peaks]
        level = -0.04 * highest * (number + 1)
        panel.plot(places, [level] * len(places), "|", color=style["color"], markersize=5)
    axis = spectra[0].axis
    panel.set_xlim(spectra[0].positions[0], spectra[0].positions[-1])
    labelled = len(spectra) == 1 and len(spectra[0].peaks) * letter[0] < 1
    longest = max((len(_short(peak.label)) for peak in spectra[0].peaks), default=0)
    room = 1.17 / max(0.2, 1 - letter[1] * (longest + 1)) if labelled else 1.1
    panel.set_ylim(-0.04 * highest * (len(spectra) + 1), highest * room)
    panel.set_yticks([tick for tick in panel.get_yticks() if 0 <= tick <= highest * room])
    if labelled:
        _label_peaks(panel, spectra[0], highest, letter[0])
    else:
        name_lines(figure, panel)
    _dress(panel, axis)
    own = nuclide(axis.species)
    of = own if spectra[0].area == "cell" else f"part of the {own}"
    panel.set_ylabel(f"{of} per {axis.column.partition('/')[2]}")


def _draw_measured(panel: Axes, spectra: Sequence[Spectrum], measured: Measured) -> None:
    """A trace as an area, peaks as sticks, in grey behind the predicted lines."""
    low, high = spectra[0].positions[[0, -1]]
    positions, heights = measured.on(spectra[0].axis, low, high)
    heights = heights * max(spectrum.intensity.max() for spectrum in spectra)
    if measured.intensity is None:
        panel.vlines(positions, 0.0, heights, color="0.6", linewidth=1.0, zorder=1)
    else:
        panel.fill_between(positions, heights, color="0.82", linewidth=0, zorder=1)
    # Above the panel, where no label of a peak stands.
    panel.set_title("grey: measured", loc="right", fontsize="x-small", color="0.4")


def _label_peaks(panel: Axes, spectrum: Spectrum, highest: float, width: float) -> None:
    """Labels in a row above the lines, each with a hair line down to its peak."""
    low, high = spectrum.positions[0], spectrum.positions[-1]
    places = [peak.position for peak in spectrum.peaks]
    gap = (high - low) * width
    columns = spread(places, gap, low + gap / 2, high - gap / 2)
    for peak, column in zip(spectrum.peaks, columns, strict=True):
        top = np.interp(peak.position, spectrum.positions, spectrum.intensity)
        panel.plot(
            [peak.position, peak.position, column],
            [top, 1.05 * highest, 1.13 * highest],
            color="0.6",
            linewidth=0.5,
        )
        panel.text(
            column, 1.15 * highest, _short(peak.label), rotation=90, ha="center", va="bottom",
            fontsize="x-small", parse_math=False,
        )  # fmt: skip


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _dress(panel: Axes, horizontal: Axis, vertical: Axis | None = None) -> None:
    """Titles of the axes; shifts rise to the left and down, as they are drawn in NMR."""
    panel.set_xlabel(nuclide(horizontal.title))
    if horizontal.falls:
        panel.invert_xaxis()
    if vertical is not None:
        panel.set_ylabel(nuclide(vertical.title))
        if vertical.falls:
            panel.invert_yaxis()
