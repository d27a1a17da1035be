"""Spectra as pages show them: of one structure over what was measured, or of several in lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.shifts import References, from_line
from shiftcli.nmr.spectrum import Settings, Spectrum, short_names, simulate_spectra
from shiftcli.results.sections import Lanes, Measured
from shiftcli.structure.crystal import SPECIES

if TYPE_CHECKING:
    from shiftcli.nmr.spectrum import Measured as MeasuredSpectrum
    from shiftcli.prediction.predictor import Prediction

#: Spectra above each other at most.
MOST_LANES = 8


def fitted_settings(given: References, structure: StructureComparison) -> Settings:
    """Spectra of one structure by what was compared: for measured nuclei the fitted references."""
    element, fits = {s: e for e, s in SPECIES.items()}, structure.comparison.fits
    lines = {element[fit.species]: from_line(fit.offset, fit.slope) for fit in fits}
    fitted = References(
        {**given.references, **{e: line[0] for e, line in lines.items()}},
        {**given.gradients, **{e: line[1] for e, line in lines.items()}},
        given.sources,
    )
    exchange = sorted({group.kind for group in structure.groups if group.kind})
    return Settings(fitted, exchange=tuple(exchange))


def wide_spectrum(
    predictions: Sequence[Prediction],
    element: str,
    settings: Settings,
    measured: Sequence[Measured],
    ends: tuple[float, float] | None = None,
) -> Spectrum:
    """The spectrum of one structure, on an axis that reaches over all that was measured."""
    (spectrum,) = simulate_spectra(predictions, [element], settings)
    if not measured and ends is None:
        return spectrum
    room = settings.lines.width(spectrum.axis)
    places = [m.shift for m in measured]
    low = min([float(spectrum.positions[0]), *(p - room for p in places)])
    high = max([float(spectrum.positions[-1]), *(p + room for p in places)])
    wider = replace(settings, ranges={element: ends or (low, high)})
    (spectrum,) = simulate_spectra(predictions, [element], wider)
    return spectrum


def over_measured(
    lanes: Lanes,
    prediction: Prediction,
    settings: Settings,
    measured: Sequence[MeasuredSpectrum],
) -> Lanes:
    """The spectrum of one structure over what was measured of its nucleus."""
    (spectrum,) = lanes.spectra
    axis = spectrum.axis
    own = next((m for m in measured if m.element == axis.element), None)
    if own is None or axis.quantity != "shift":
        return lanes
    if own.intensity is not None:
        ends = float(spectrum.positions[0]), float(spectrum.positions[-1])
        return Lanes((spectrum,), trace=own.on(axis, *ends))
    marks = tuple(Measured(float(shift)) for shift in own.shifts)
    if axis.element not in settings.ranges:
        spectrum = wide_spectrum([prediction], axis.element, settings, marks)
    low, high = float(spectrum.positions[0]), float(spectrum.positions[-1])
    return Lanes((spectrum,), measured=tuple(m for m in marks if low <= m.shift <= high))


def candidate_lanes(
    compared: Sequence[StructureComparison], names: Sequence[str], references: References
) -> Iterator[Lanes]:
    """Spectra of the best candidates above each other, for each nucleus that was measured."""
    element = {species: e for e, species in SPECIES.items()}
    for species in dict.fromkeys(fit.species for fit in compared[0].comparison.fits):
        rows = [row for row in compared[0].comparison.rows if row.species == species]
        measured = tuple(Measured(row.measured, f"{row.measured:.2f} ppm") for row in rows)
        pairs = [([s.prediction], fitted_settings(references, s)) for s in compared]
        alone = [wide_spectrum(p, element[species], own, measured) for p, own in pairs]
        ends = (
            min(float(s.positions[0]) for s in alone),
            max(float(s.positions[-1]) for s in alone),
        )
        spectra = [wide_spectrum(p, element[species], own, measured, ends) for p, own in pairs]
        yield Lanes(tuple(spectra), tuple(names[: len(spectra)]), measured)


def structure_lanes(spectra: Sequence[Spectrum]) -> Iterator[Lanes]:
    """Spectra of several structures above each other, for each nucleus."""
    for species in dict.fromkeys(s.axis.species for s in spectra):
        own = [s for s in spectra if s.axis.species == species][:MOST_LANES]
        yield Lanes(tuple(own), tuple(short_names([s.crystal for s in own])))
