"""Spectra as SVG inside the page: lines above the axis, measured shifts below it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from shiftcli.nmr.spectrum import Spectrum, spread
from shiftcli.views.documents import plain

#: Places in the picture: width, the axis from left to right, top of lines, and baseline.
_WIDTH, _LEFT, _RIGHT, _TOP, _BASE = 680.0, 14.0, 666.0, 86.0, 216.0

#: Heights below the baseline: numbers of the axis, and measured shifts.
_NUMBERS, _MEASURED = 40.0, 30.0

#: Labels at most, letters of one at most.
_MOST_LABELS, _LONGEST_LABEL = 48, 13

#: Points of a curve at most.
_MOST_POINTS = 1200


def spectrum_svg(spectrum: Spectrum, measured: Sequence[tuple[float, float, str]] = ()) -> str:
    """Draw the spectrum of one crystal and nucleus as ``svg`` without links to anything.

    Every peak names its atoms in ``data-atoms``. `measured` are shifts on the spectrum's axis:
    where they are, where their predictions are, and their atoms as numbers between blanks.
    """
    low, high = float(spectrum.positions[0]), float(spectrum.positions[-1])
    scale = (_RIGHT - _LEFT) / (high - low)
    falls = spectrum.axis.falls

    def across(value: float) -> float:
        return _RIGHT - (value - low) * scale if falls else _LEFT + (value - low) * scale

    title = f"Spectrum of {spectrum.axis.species}"
    base = _BASE + (_MEASURED if measured else 0.0)
    height = base + _NUMBERS
    parts = [
        f'<svg viewBox="0 0 {_WIDTH:g} {height:g}" role="img" class="spectrum">',
        f"<title>{plain(title)}</title>",
        f'<path class="curve" d="{_curve(spectrum, across)}"/>',
        *_ticks(low, high, across, base),
        f'<text class="axis" x="{(_LEFT + _RIGHT) / 2:g}" y="{base + 36:g}">'
        f"{plain(spectrum.axis.title)}</text>",
        *_measured(measured, across),
        *_peaks(spectrum, across),
        "</svg>",
    ]
    return "".join(parts)


def _curve(spectrum: Spectrum, across: Callable[[float], float]) -> str:
    """The line through the highest point of each of many short pieces."""
    step = math.ceil(len(spectrum.positions) / _MOST_POINTS)
    count = len(spectrum.positions) // step * step
    x = spectrum.positions[:count].reshape(-1, step).mean(axis=1)
    y = spectrum.intensity[:count].reshape(-1, step).max(axis=1)
    y = _BASE - y / (y.max() or 1.0) * (_BASE - _TOP)
    points = " ".join(
        f"{across(a):.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)
    )
    return f"M{points}"


def _ticks(low: float, high: float, across: Callable[[float], float], base: float) -> Iterator[str]:
    yield f'<path class="line" d="M{_LEFT:g},{base:g}H{_RIGHT:g}"/>'
    step = nice_step(high - low)
    decimals = max(0, -math.floor(math.log10(step)))
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        x = across(k * step)
        yield f'<path class="line" d="M{x:.1f},{base:g}v5"/>'
        yield f'<text class="number" x="{x:.1f}" y="{base + 19:g}">{k * step:.{decimals}f}</text>'


def nice_step(span: float, most: int = 10) -> float:
    """Distance between about `most` numbers of an axis: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= span)


def _measured(
    measured: Iterable[tuple[float, float, str]], across: Callable[[float], float]
) -> Iterator[str]:
    """A stick below the baseline for each measured shift, tied to its prediction."""
    for shift, predicted, atoms in measured:
        x, origin = across(shift), across(predicted)
        yield (
            f'<g class="measured" data-atoms="{plain(atoms)}"><title>measured {shift:.2f} ppm, '
            f"predicted {predicted:.2f} ppm</title>"
            f'<path d="M{origin:.1f},{_BASE:g}L{x:.1f},{_BASE + 12:g}V{_BASE + _MEASURED:g}"/></g>'
        )


def _peaks(spectrum: Spectrum, across: Callable[[float], float]) -> Iterator[str]:
    peaks = sorted(spectrum.peaks, key=lambda peak: across(peak.position))
    places = [across(peak.position) for peak in peaks]
    labelled = len(peaks) <= _MOST_LABELS
    columns = spread(places, 13.0, _LEFT, _RIGHT)
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
