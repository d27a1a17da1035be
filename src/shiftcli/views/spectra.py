"""Spectra as comma-separated values: points of lines, or a list of cross peaks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from shiftcli.nmr.spectrum import Correlation, CrossPeak, Spectrum
from shiftcli.views.csv_table import harmless

#: Significant digits of positions and intensities.
_DIGITS = 7


def write_spectra(spectra: Sequence[Spectrum]) -> str:
    """One-dimensional spectra, a row for each point.

    Parameters
    ----------
    spectra : sequence of Spectrum
        Of any crystals and nuclei.

    Returns
    -------
    str
        Columns ``file``, ``name``, ``species``, ``axis`` (what the position is, with its
        unit), ``position`` and ``intensity`` (nuclei of the cell, or part of them, per unit
        of the axis).
    """
    columns = ("file", "name", "species", "axis", "position", "intensity")
    return _written(
        columns,
        (
            (s.crystal.source, s.crystal.name, s.axis.species, s.axis.column, x, y)
            for s in spectra
            for x, y in zip(s.positions.tolist(), s.intensity.tolist(), strict=True)
        ),
    )


def write_correlations(spectra: Sequence[Correlation]) -> str:
    """Cross peaks, a row for each.

    Parameters
    ----------
    spectra : sequence of Correlation
        With the same axes, at least one.

    Returns
    -------
    str
        Columns ``file`` and ``name``; for both nuclei, named like ``13C_labels``, their
        labels, position and 68 % uncertainty; ``multiplicity``, the bonds in the cell.
    """
    named = (
        f"{axis.species}_{column}"
        for axis in spectra[0].axes
        for column in ("labels", axis.column, "MS_shielding_uncertainty/ppm")
    )
    return _written(
        ("file", "name", *named, "multiplicity"),
        ((s.crystal.source, s.crystal.name, *_cells(peak)) for s in spectra for peak in s.peaks),
    )


def _cells(peak: CrossPeak) -> Iterable[Any]:
    for own in (peak.first, peak.second):
        yield from (own.label, own.position, own.row.uncertainty)
    yield peak.multiplicity


def _written(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(
            f"{cell:.{_DIGITS}g}" if isinstance(cell, float) else harmless(cell) for cell in row
        )
    return stream.getvalue()
