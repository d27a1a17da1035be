"""Spectra as tables: their peaks, the points of their lines, their cross peaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shiftcli.nmr.spectrum import Axis, Correlation, Measured, Spectrum
from shiftcli.results.predictions import about, describe
from shiftcli.results.tables import Column, Document, Entries, Entry, Table
from shiftcli.structure.crystal import SPECIES, Crystal

#: Significant digits of positions and intensities.
_DIGITS = 7


def peak_tables(spectra: Sequence[Spectrum], precision: int) -> list[Table]:
    """One table a structure, its nuclei below each other."""

    ppm = ("ppm", precision)
    columns = (
        Column("labels"),
        Column("species"),
        Column("multiplicity", "mult."),
        Column("shielding", "σ/ppm", *ppm, name="MS_shielding/ppm", spread="uncertainty"),
        Column("uncertainty", "±68 %", *ppm, name="MS_shielding_uncertainty/ppm"),
        Column("shift", "δ/ppm", *ppm, name="MS_shift/ppm"),
        Column("frequency", "ν/Hz", "Hz", 1),
    )
    pages: dict[int, tuple[Crystal, list[tuple[Any, ...]]]] = {}
    for spectrum in spectra:
        _, rows = pages.setdefault(id(spectrum.crystal), (spectrum.crystal, []))
        axis = spectrum.axis
        for peak in reversed(spectrum.peaks) if axis.falls else spectrum.peaks:
            row = peak.row
            rows.append((
                row.site.label, row.site.species, row.site.multiplicity, row.shielding,
                row.uncertainty, axis.references.shift(axis.element, row.shielding),
                peak.position if axis.quantity == "frequency" else None,
            ))  # fmt: skip
    return [
        Table("peaks", columns, rows, crystal.where, describe(crystal))
        for crystal, rows in pages.values()
    ]


def point_document(spectra: Sequence[Spectrum]) -> Document:
    """One-dimensional spectra, a row for each point.

    Columns ``file``, ``name``, ``species``, ``axis`` (what the position is, with its unit),
    ``position`` and ``intensity`` (nuclei of the cell, or part of them, per unit of the axis).
    """
    columns = (
        Column("species"), Column("axis"), Column("position", digits=_DIGITS),
        Column("intensity", digits=_DIGITS),
    )  # fmt: skip

    def entry(s: Spectrum) -> Entry:
        points = zip(s.positions.tolist(), s.intensity.tolist(), strict=True)
        rows = [(s.axis.species, s.axis.column, x, y) for x, y in points]
        return Entry(about(s.crystal), (Table("points", columns, rows),))

    return Document({}, Entries(spectra, entry), "spectra")


def cross_peak_document(spectra: Sequence[Correlation], precision: int = 2) -> Document:
    """Cross peaks of spectra on the same axes, a row for each.

    For both nuclei, named like ``13C_labels``, their labels, position and 68 % uncertainty;
    ``multiplicity``, the pairs in the cell. Where both are one nuclide, the second has a 2 after it
    (``1H2_labels``); on an axis of two quanta its position is the sum.
    """
    columns: list[Column] = []
    is_alone = spectra[0].axes[0].species == spectra[0].axes[1].species
    for axis, number in zip(spectra[0].axes, ("", "2" if is_alone else ""), strict=True):
        decimals = 1 if axis.quantity == "frequency" else precision
        species = f"{axis.species}{number}"
        sums = "double_quantum_" if axis.quanta == 2 else ""
        name = f"{species}_{sums}{axis.column}"
        uncertainty = f"{species}_MS_shielding_uncertainty/ppm"
        columns += [
            Column(f"{species}_labels", f"{axis.species} labels"),
            Column(name, axis.title, name=name, decimals=decimals),
            Column(uncertainty, None, name=uncertainty, decimals=precision),
        ]
    columns.append(Column("multiplicity", "mult."))

    def entry(s: Correlation) -> Entry:
        rows = [
            (
                *(x for p in (q.first, q.second) for x in (p.label, p.position, p.row.uncertainty)),
                q.multiplicity,
            )
            for q in s.peaks
        ]
        table = Table("cross peaks", columns, rows, s.crystal.where, describe(s.crystal))
        return Entry(about(s.crystal), (table,))

    return Document({}, Entries(spectra, entry), "correlations")


def measured_notes(spectra: Sequence[Spectrum], measured: Sequence[Measured]) -> list[str]:
    """What of a measurement is not seen in a picture of spectra."""
    shown = {spectrum.axis.element: spectrum for spectrum in spectra}
    notes = []
    for own in measured:
        spectrum = shown.get(own.element)
        if spectrum is None:
            notes.append(f"{SPECIES[own.element]} was measured, but is not drawn")
        elif own.intensity is None:
            low, high = spectrum.positions[[0, -1]]
            out = len(own.shifts) - len(own.on(spectrum.axis, low, high)[0])
            if out:
                notes.append(f"{out} measured peaks of {spectrum.axis.species} are out of range")
    return notes


def axis_notes(spectra: Sequence[Spectrum | Correlation]) -> list[str]:
    """What the axes are where nobody asked for it, and what they leave out."""
    axes: dict[str, Axis] = {}
    for spectrum in spectra:
        own = spectrum.axes if isinstance(spectrum, Correlation) else (spectrum.axis,)
        axes |= {axis.species: axis for axis in own}
    bare = [axis for axis in axes.values() if axis.quantity == "shielding"]
    notes = []
    if bare:
        species = ", ".join(axis.species for axis in bare)
        elements = ",".join(f"{axis.element}:VALUE" for axis in bare)
        notes.append(f"axis of shieldings for {species} (--references {elements} makes it shifts)")
    return notes + [
        f"{spectrum.crystal.where}: {spectrum.left_out} peaks are out of range"
        for spectrum in spectra
        if spectrum.left_out
    ]
