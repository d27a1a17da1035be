"""One-dimensional spectra of predicted crystals."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shiftcli.errors import StructureError, UsageError, counted, shortened
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average_prediction
from shiftcli.nmr.shifts import References
from shiftcli.nmr.spectrum.axes import Axis
from shiftcli.nmr.spectrum.lineshapes import DEFAULT_WIDTHS, Shape, line_shape
from shiftcli.nmr.spectrum.options import Range
from shiftcli.notebook import Result
from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.prediction.records import shielding_columns
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal

#: What an area of 1 stands for: one nucleus of the cell, or all of the element in it.
Area = Literal["cell", "nucleus"]

#: Points in a full width at half maximum, on an axis of at least and at most so many.
_POINTS_IN_WIDTH = 16
_FEWEST_POINTS = 501
_MOST_POINTS = 200_001

#: Room about the outermost peaks, in line widths.
_MARGIN = 6.0


@dataclasses.dataclass(frozen=True)
class Peak:
    """A site, or several that exchange, on an axis."""

    #: The site: label (``H11,H12,H13`` for a group), multiplicity, shielding, uncertainty.
    row: SitePrediction
    position: float  #: Where it stands, in the axis' unit.

    @property
    def label(self) -> str:
        """Label of the site, or labels of the group."""
        return self.row.site.label

    @property
    def multiplicity(self) -> int:
        """Its nuclei in the unit cell."""
        return self.row.site.multiplicity


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Result):
    """Spectrum of one nucleus of one crystal.

    Attributes
    ----------
    crystal : Crystal
        Whose spectrum it is.
    axis : Axis
        Its nucleus, quantity and unit.
    peaks : tuple of Peak
        From the lowest position to the highest; those out of range are left out.
    positions : numpy.ndarray
        Points of the axis in its unit, rising, shape (n,).
    intensity : numpy.ndarray
        Intensity per unit of the axis, shape (n,); lines out of range reach in with their
        wings. Its integral is the number of nuclei in the cell, or 1, see `area`.
    area : {"cell", "nucleus"}
        Whether a nucleus counts 1, or all of the element in the cell count 1 together.
    left_out : int
        Peaks out of range.
    """

    crystal: Crystal
    axis: Axis
    peaks: tuple[Peak, ...]
    positions: np.ndarray
    intensity: np.ndarray
    area: Area
    left_out: int = 0

    def __repr__(self) -> str:
        peaks = counted(len(self.peaks), "peak")
        return (
            f"<{SPECIES[self.axis.element]} spectrum of {shortened(self.crystal.where)}: {peaks}>"
        )

    def to_dict(self) -> dict[str, list[Any]]:
        """Its peaks by the names of the CSV, the last column their place on the axis."""
        rows = [peak.row for peak in self.peaks]
        return {
            **shielding_columns(rows),
            self.axis.column: [peak.position for peak in self.peaks],
        }


@dataclasses.dataclass(frozen=True)
class Lines:
    """How lines look."""

    shape: Shape = "gaussian"  #: See `shiftcli.nmr.spectrum.line_shape`.
    #: Full width at half maximum in ppm by element, `DEFAULT_WIDTHS` where none is named.
    widths: Mapping[str, float] = dataclasses.field(default_factory=dict)
    mixing: float = 0.5  #: Lorentzian part of the pseudo-Voigt function.

    def width(self, axis: Axis) -> float:
        """Full width at half maximum in the unit of an axis."""
        return self.widths.get(axis.element, DEFAULT_WIDTHS[axis.element]) * axis.unit

    def at(self, points: np.ndarray, peaks: Sequence[Peak], axis: Axis) -> np.ndarray:
        """Lines of unit area at some points of an axis, shape (peaks, points)."""
        centres = np.array([peak.position for peak in peaks]).reshape(-1, 1)
        return line_shape(points - centres, self.width(axis), self.shape, self.mixing)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How spectra are made.

    Attributes
    ----------
    references : References
        How shieldings become shifts; without one for an element its axis is of shieldings.
    field : float or None
        Magnetic field in T, for axes in Hz from the reference; None for axes in ppm.
    lines : Lines
        Shape and widths of the lines.
    ranges : mapping of str to (float, float)
        Lower and upper end of the axis of an element in its unit; without them all peaks are
        seen.
    exchange : collection of str
        What is averaged, see `shiftcli.nmr.averaging.average`.
    area : {"cell", "nucleus"} or None
        Whether the integral of a spectrum is the number of nuclei in the cell, so that
        intensities are multiplicities, or 1, so that crystals of other cells can be laid over
        each other. None: the former for one crystal, the latter for several.
    """

    references: References = dataclasses.field(default_factory=References)
    field: float | None = None
    lines: Lines = dataclasses.field(default_factory=Lines)
    ranges: Mapping[str, Range] = dataclasses.field(default_factory=dict)
    exchange: Collection[str] = DEFAULT_EXCHANGE
    area: Area | None = None

    def refuse_shieldings(self, elements: Iterable[str]) -> None:
        """Raise `UsageError` where the axis of one would be of shieldings: none was measured."""
        for element in elements:
            if (axis := self.axis(element)).quantity == "shielding":
                raise UsageError(
                    f"--experiment is of shifts, the axis of {axis.species} of shieldings",
                    hint=f"--references {element}:VALUE or a named set, such as probasn",
                )

    def axis(self, element: str) -> Axis:
        """The axis of an element."""
        return Axis(element, self.references, self.field)

    def points(self, peaks: Sequence[Peak], axis: Axis) -> np.ndarray:
        """Points of an axis for at least one peak, see `axis_points`."""
        ends = self.ranges.get(axis.element)
        limits = ends and (axis.quanta * ends[0], axis.quanta * ends[1])
        return axis_points(peaks, axis, self.lines, limits)


def simulate_spectra(
    predictions: Sequence[Prediction],
    elements: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> list[Spectrum]:
    """Spectra of crystals, those of one nucleus on one axis.

    Parameters
    ----------
    predictions : sequence of Prediction
        Predicted crystals; those without an element give no spectrum of it.
    elements : sequence of str, optional
        H, C, N or O; without it all that were predicted.
    settings : Settings, optional
        How.

    Returns
    -------
    list of Spectrum
        In the order of `elements`, for each in the order of `predictions`.

    Raises
    ------
    StructureError
        If no crystal has nuclei of an element.
    UsageError
        If there is a field but no reference, or a width or shape that cannot be.
    """
    settings = settings or Settings()
    spectra = []
    for element in elements_of(predictions) if elements is None else elements:
        axis = settings.axis(element)
        found = [(p.crystal, find_peaks(p, axis, settings.exchange)) for p in predictions]
        found = [(crystal, peaks) for crystal, peaks in found if peaks]
        if not found:
            raise StructureError(f"no {axis.species} in {_names(predictions)}")
        points = settings.points([q for _, peaks in found for q in peaks], axis)
        area = settings.area or ("cell" if len(predictions) == 1 else "nucleus")
        for crystal, peaks in found:
            spectra.append(_spectrum(crystal, axis, peaks, points, settings.lines, area))
    return spectra


def _spectrum(
    crystal: Crystal,
    axis: Axis,
    peaks: Sequence[Peak],
    points: np.ndarray,
    lines: Lines,
    area: Area,
) -> Spectrum:
    counts = np.array([peak.multiplicity for peak in peaks], dtype=float)
    weights = counts if area == "cell" else counts / counts.sum()
    seen = tuple(q for q in peaks if points[0] <= q.position <= points[-1])
    intensity = np.zeros(len(points))
    for peak, weight in zip(peaks, weights, strict=True):
        intensity += weight * lines.at(points, [peak], axis)[0]
    return Spectrum(crystal, axis, seen, points, intensity, area, len(peaks) - len(seen))


def find_peaks(
    prediction: Prediction, axis: Axis, exchange: Collection[str] = DEFAULT_EXCHANGE
) -> tuple[Peak, ...]:
    """The peaks of one nucleus of a crystal by rising position.

    Symmetry copies, and sites that exchange, are one.
    """
    rows = [r for r in average_prediction(prediction, exchange).sites if math.isfinite(r.shielding)]
    peaks = [Peak(r, axis.position(r.shielding)) for r in rows if r.site.element == axis.element]
    return tuple(sorted(peaks, key=lambda peak: peak.position))


def axis_points(
    peaks: Sequence[Peak], axis: Axis, lines: Lines, limits: Range | None = None
) -> np.ndarray:
    """Points of an axis, rising, in its unit, shape (n,), close enough for its lines.

    Without limits all peaks, at least one, are seen, with room for their wings. `UsageError` if the
    lines are too narrow for so long an axis.
    """
    width = lines.width(axis)
    if limits is None:
        positions = [peak.position for peak in peaks]
        limits = min(positions) - _MARGIN * width, max(positions) + _MARGIN * width
    low, high = limits
    count = math.ceil((high - low) / width * _POINTS_IN_WIDTH) + 1
    if count > _MOST_POINTS:
        raise UsageError(
            f"lines of {width:g} {axis.column.partition('/')[2]} are too narrow for an axis of "
            f"{high - low:g}",
            hint="--width or --range",
        )
    return np.linspace(low, high, max(count, _FEWEST_POINTS))


def elements_of(predictions: Sequence[Prediction]) -> tuple[str, ...]:
    """Elements of which any crystal has a predicted shielding, in the order H, C, N, O."""
    rows = [row for prediction in predictions for row in prediction.sites]
    found = {row.site.element for row in rows if math.isfinite(row.shielding)}
    return tuple(element for element in ELEMENTS if element in found)


def short_names(crystals: Sequence[Crystal]) -> list[str]:
    """What tells crystals apart in a legend, no two alike: name in the file, file, or both."""
    return distinct_names([(crystal.source, crystal.name) for crystal in crystals])


def distinct_names(structures: Sequence[tuple[str, str]]) -> list[str]:
    """The same for structures of which file and name are known, see `short_names`."""
    stems = [Path(source).stem for source, _ in structures]
    own = [name for _, name in structures]
    ways = (
        own,
        stems,
        [": ".join(filter(None, pair)) for pair in zip(stems, own, strict=True)],
        [": ".join(filter(None, pair)) for pair in structures],
    )
    for names in ways:
        if all(names) and len(set(names)) == len(structures):
            return names
    return [f"{stem or 'structure'} {k + 1}" for k, stem in enumerate(stems)]


def _names(predictions: Sequence[Prediction]) -> str:
    names = [p.crystal.where or "the structure" for p in predictions]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
