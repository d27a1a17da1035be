"""Spectra and diagrams as SVG inside the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from shiftcli.nmr.spectrum import Spectrum, spread
from shiftcli.results.sections import Diagram, Lanes, Measured, Point
from shiftcli.views.documents import plain
from shiftcli.views.labels import nuclide

#: Places in the picture: width, the axis from left to right, top of lines, and baseline.
_WIDTH, _LEFT, _RIGHT, _TOP, _BASE = 680.0, 14.0, 666.0, 92.0, 222.0

#: Heights below the baseline: numbers of the axis, and measured shifts.
_NUMBERS, _MEASURED = 46.0, 30.0

#: Labels at most, letters of one at most; up to so many there is room for larger letters.
_MOST_LABELS, _LONGEST_LABEL, _FEW_LABELS = 48, 13, 16

#: Height of one of several spectra, and of what is above the first.
_LANE, _ABOVE = 84.0, 22.0

#: Side of a diagram, the ends of its axes, numbers on one of them at most.
_SIDE, _NEAR, _FAR, _MOST_NUMBERS = 420.0, 62.0, 408.0, 6

#: Classes of points by how odd they are.
_CLASSES = ("point", "point doubtful", "point bad")

#: Points of a curve at most.
_MOST_POINTS = 1200


def spectra_svg(lanes: Lanes) -> str:
    """Draw spectra of one nucleus: one with its labels, or several above each other.

    Returns
    -------
    str
        A ``figure`` with an ``svg`` element without links to anything; every peak names its atoms
        in ``data-atoms`` where there is one spectrum.
    """
    one = len(lanes.spectra) == 1 and not lanes.names
    drawn = _one(lanes.spectra[0], lanes) if one else _several(lanes)
    return f"<figure>{drawn}</figure>"


def _across(spectrum: Spectrum) -> tuple[Callable[[float], float], float, float]:
    """Where a position stands in the picture, and the ends of the axis."""
    low, high = float(spectrum.positions[0]), float(spectrum.positions[-1])
    scale = (_RIGHT - _LEFT) / (high - low)
    if spectrum.axis.falls:
        return lambda value: _RIGHT - (value - low) * scale, low, high
    return lambda value: _LEFT + (value - low) * scale, low, high


def _one(spectrum: Spectrum, lanes: Lanes) -> str:
    measured = lanes.measured
    across, low, high = _across(spectrum)
    base = _BASE + (_MEASURED if measured else 0.0)
    crowded = " crowded" if len(spectrum.peaks) > _FEW_LABELS else ""
    parts = [
        f'<svg viewBox="0 0 {_WIDTH:g} {base + _NUMBERS:g}" role="img" class="spectrum{crowded}">',
        f"<title>{plain(f'Spectrum of {spectrum.axis.species}')}</title>",
        *_trace(lanes.trace, across),
        f'<path class="curve" d="{_curve(spectrum.positions, spectrum.intensity, across)}"/>',
        *_ticks(low, high, across, base),
        _axis_title(spectrum, base),
        *_measured(measured, across),
        *_peaks(spectrum, across),
        "</svg>",
    ]
    return "".join(parts)


def _several(lanes: Lanes) -> str:
    """Spectra above each other, the first on top, measured shifts through all of them."""
    across, low, high = _across(lanes.spectra[0])
    base = _ABOVE + _LANE * len(lanes.spectra)
    species = lanes.spectra[0].axis.species
    parts = [
        f'<svg viewBox="0 0 {_WIDTH:g} {base + _NUMBERS:g}" role="img" class="spectrum lanes">',
        f"<title>{plain(f'Spectra of {species}')}</title>",
    ]
    for one in lanes.measured:
        parts.append(
            f'<g class="measured through"><title>measured {plain(one.label)}</title>'
            f'<path d="M{across(one.shift):.1f},{_ABOVE:g}V{base:g}"/></g>'
        )
    for k, (spectrum, name) in enumerate(zip(lanes.spectra, lanes.names, strict=True)):
        bottom = _ABOVE + _LANE * (k + 1)
        points = spectrum.positions, spectrum.intensity
        curve = _curve(*points, across, bottom - _LANE + 20, bottom)
        parts.append(
            f'<path class="lane" d="M{_LEFT:g},{bottom:g}H{_RIGHT:g}"/>'
            f'<path class="curve" d="{curve}"/>'
            f'<text class="title" x="{_LEFT:g}" y="{bottom - _LANE + 16:g}">{plain(name)}</text>'
        )
        for peak in spectrum.peaks:
            x = across(peak.position)
            text = plain(f"{name}, {peak.label}: {peak.position:.2f}")
            parts.append(
                f'<g class="peak"><title>{text}</title>'
                f'<path class="stick" d="M{x:.1f},{bottom:g}V{bottom - _LANE + 24:g}"/></g>'
            )
    parts += [*_ticks(low, high, across, base), _axis_title(lanes.spectra[0], base), "</svg>"]
    return "".join(parts)


def _axis_title(spectrum: Spectrum, base: float) -> str:
    return (
        f'<text class="axis" x="{(_LEFT + _RIGHT) / 2:g}" y="{base + 41:g}">'
        f"{plain(nuclide(spectrum.axis.title))}</text>"
    )


def diagram_svg(diagram: Diagram) -> str:
    """Draw points over two axes.

    Returns
    -------
    str
        A ``figure`` with an ``svg`` element; every point names its atoms in ``data-atoms``.
    """
    xs = [point.x for point in diagram.points]
    ys = [p.y + sign * p.error for p in diagram.points for sign in (-1, 1)]
    first, second = (_ends(xs + ys),) * 2 if diagram.diagonal else (_ends(xs), _ends(ys))
    scale = (_FAR - _NEAR) / (first[1] - first[0]), (_FAR - _NEAR) / (second[1] - second[0])
    top = _SIDE - _FAR

    def across(value: float) -> float:
        step = (value - first[0]) * scale[0]
        return _FAR - step if diagram.falls else _NEAR + step

    def down(value: float) -> float:
        step = (value - second[0]) * scale[1]
        return top + step if diagram.falls else top + _FAR - _NEAR - step

    bottom = top + _FAR - _NEAR
    middle = (top + bottom) / 2
    parts = [
        f'<svg viewBox="0 0 {_SIDE:g} {_SIDE:g}" role="img" class="diagram">',
        f"<title>{plain(diagram.title)}</title>",
        f'<text class="title" x="{_NEAR + 8:g}" y="{top + 18:g}">'
        f"{plain(nuclide(diagram.title))}</text>",
        f'<path class="line" d="M{_NEAR:g},{top:g}V{bottom:g}H{_FAR:g}"/>',
        *_ticks(*first, across, bottom, _MOST_NUMBERS),
        *_numbers_beside(*second, down),
        f'<text class="axis" x="{(_NEAR + _FAR) / 2:g}" y="{bottom + 42:g}">'
        f"{plain(nuclide(diagram.axes[0]))}</text>",
        f'<text class="axis" transform="translate(14 {middle:g}) rotate(-90)">'
        f"{plain(nuclide(diagram.axes[1]))}</text>",
    ]
    if diagram.diagonal:
        parts.append(f'<path class="lane" d="M{_NEAR:g},{bottom:g}L{_FAR:g},{top:g}"/>')
    parts += [_point(point, across, down) for point in diagram.points]
    return f"<figure>{''.join(parts)}</svg></figure>"


def _point(point: Point, across: Callable[[float], float], down: Callable[[float], float]) -> str:
    x, y = across(point.x), down(point.y)
    bar = ""
    if point.error:
        ends = down(point.y - point.error), down(point.y + point.error)
        bar = f'<path class="error" d="M{x:.1f},{ends[0]:.1f}V{ends[1]:.1f}"/>'
    atoms = " ".join(map(str, point.atoms))
    return (
        f'<g class="{_CLASSES[point.mark]}" data-atoms="{atoms}"><title>{plain(point.label)}'
        f'</title>{bar}<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/></g>'
    )


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that has room about its points."""
    room = max(0.06 * (max(values) - min(values)), 0.5)
    return min(values) - room, max(values) + room


def _numbers_beside(low: float, high: float, down: Callable[[float], float]) -> Iterator[str]:
    step, decimals, ticks = _numbers(low, high, _MOST_NUMBERS)
    for k in ticks:
        y = down(k * step)
        yield f'<path class="line" d="M{_NEAR:g},{y:.1f}h-5"/>'
        yield (
            f'<text class="number beside" x="{_NEAR - 8:g}" y="{y + 4:.1f}">'
            f"{_number(k * step, decimals)}</text>"
        )


def _numbers(low: float, high: float, most: int) -> tuple[float, int, range]:
    """Distance and decimals of the numbers of an axis, and their multiples of the distance."""
    step = nice_step(high - low, most)
    decimals = max(0, -math.floor(math.log10(step)))
    return step, decimals, range(math.ceil(low / step), math.floor(high / step) + 1)


def _number(value: float, decimals: int) -> str:
    return f"{value + 0.0:.{decimals}f}".replace("-", "−")


def _trace(
    trace: tuple[np.ndarray, np.ndarray] | None, across: Callable[[float], float]
) -> Iterator[str]:
    """A measured spectrum, behind the predicted one."""
    if trace is not None and len(trace[0]):
        yield f'<path class="trace" d="{_curve(*trace, across)}"/>'


def _curve(
    positions: np.ndarray,
    intensity: np.ndarray,
    across: Callable[[float], float],
    top: float = _TOP,
    base: float = _BASE,
) -> str:
    """The line through the highest point of each of many short pieces."""
    step = math.ceil(len(positions) / _MOST_POINTS)
    count = len(positions) // step * step
    x = positions[:count].reshape(-1, step).mean(axis=1)
    y = intensity[:count].reshape(-1, step).max(axis=1)
    y = base - y / (y.max() or 1.0) * (base - top)
    points = " ".join(
        f"{across(a):.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)
    )
    return f"M{points}"


def _ticks(
    low: float, high: float, across: Callable[[float], float], base: float, most: int = 10
) -> Iterator[str]:
    """Numbers below a horizontal axis."""
    ends = sorted((across(low), across(high)))
    yield f'<path class="line" d="M{ends[0]:g},{base:g}H{ends[1]:g}"/>'
    step, decimals, ticks = _numbers(low, high, most)
    for k in ticks:
        x = across(k * step)
        yield f'<path class="line" d="M{x:.1f},{base:g}v5"/>'
        yield (
            f'<text class="number" x="{x:.1f}" y="{base + 20:g}">'
            f"{_number(k * step, decimals)}</text>"
        )


def nice_step(span: float, most: int = 10) -> float:
    """Distance between about `most` numbers of an axis: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= span)


def _measured(measured: Iterable[Measured], across: Callable[[float], float]) -> Iterator[str]:
    """A stick below the baseline for each measured shift, tied to its prediction."""
    for one in measured:
        x, atoms, text = across(one.shift), " ".join(map(str, one.atoms)), ""
        origin = x
        if one.predicted is not None:
            origin, text = across(one.predicted), f", predicted {one.predicted:.2f} ppm"
        named = f"{one.label}: " if one.label else ""
        yield (
            f'<g class="measured" data-atoms="{atoms}">'
            f"<title>{plain(f'{named}measured {one.shift:.2f} ppm{text}')}</title>"
            f'<path d="M{origin:.1f},{_BASE:g}L{x:.1f},{_BASE + 12:g}V{_BASE + _MEASURED:g}"/></g>'
        )


def _peaks(spectrum: Spectrum, across: Callable[[float], float]) -> Iterator[str]:
    peaks = sorted(spectrum.peaks, key=lambda peak: across(peak.position))
    places = [across(peak.position) for peak in peaks]
    labelled = len(peaks) <= _MOST_LABELS
    gap = 20.0 if len(peaks) <= _FEW_LABELS else 13.0
    columns = spread(places, gap, _LEFT + 4, _RIGHT - 4)
    highest = spectrum.intensity.max() or 1.0
    for peak, x, column in zip(peaks, places, columns, strict=True):
        own = np.interp(peak.position, spectrum.positions, spectrum.intensity) / highest
        top = _BASE - float(own) * (_BASE - _TOP)
        atoms = " ".join(map(str, peak.row.site.atoms.tolist()))
        text = f"{peak.label}: {peak.position:.2f}, {peak.multiplicity} in the cell"
        yield f'<g class="peak" data-atoms="{atoms}"><title>{plain(text)}</title>'
        yield f'<path class="stick" d="M{x:.1f},{_BASE:g}V{top:.1f}"/>'
        if labelled:
            label = peak.label
            if len(label) > _LONGEST_LABEL:
                label = label[: _LONGEST_LABEL - 1] + "…"
            yield (
                f'<path class="lead" d="M{x:.1f},{top:.1f}V{_TOP - 4:g}'
                f'L{column:.1f},{_TOP - 12:g}"/>'
                f'<text class="name" transform="translate({column + 3.5:.1f} {_TOP - 15:g}) '
                f'rotate(-90)">{plain(label)}</text>'
            )
        yield "</g>"
