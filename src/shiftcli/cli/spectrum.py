"""`shiftcli spectrum`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from shiftcli.cli.batch import Batch, find_inputs
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    Files,
    OutputOptions,
    ReferenceOptions,
    ReportOptions,
    RunOptions,
    ShieldingOptions,
    StructureOptions,
)
from shiftcli.cli.words import parse_pair
from shiftcli.errors import UsageError
from shiftcli.options import option
from shiftcli.results.look import Look
from shiftcli.structure.nuclei import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shiftcli.files import Chunks
    from shiftcli.nmr.spectrum import Correlation, Measured, Settings, Spectrum
    from shiftcli.results.tables import Table

#: Suffixes of what is not a picture.
_TEXTS = (".csv", ".txt")

_PANEL = "Spectrum"


@dataclass(frozen=True)
class SpectrumOptions:
    """What is drawn, and how."""

    correlate: tuple[str, str] | None = option(
        None, "Two-dimensional: pairs of two nuclei, or of one with itself (H,H), bonded unless "
        "--within.", metavar="C,H", parse=parse_pair, shown="none", panel=_PANEL,
    )  # fmt: skip
    within: float | None = option(
        None, "Pairs of --correlate up to this distance in Å.", limits=(0.5, 10.0), metavar="Å",
        shown="bonded pairs", panel=_PANEL,
    )  # fmt: skip
    double_quantum: bool = option(
        False, "Second axis of --correlate H,H: the sum of both shifts.", panel=_PANEL
    )
    shape: Literal["gaussian", "lorentzian", "voigt"] = option(
        "gaussian", "Line shape", panel=_PANEL
    )
    width: str = option(
        "", "Full width at half maximum: 0.5 (ppm), 100Hz (with --field), or H:0.3,C:1.",
        metavar="WIDTH", shown="H:0.3,C:1,N:2,O:4", panel=_PANEL,
    )  # fmt: skip
    mixing: float = option(
        0.5, "Lorentzian part of --shape voigt.", limits=(0.0, 1.0), metavar="PART", panel=_PANEL
    )
    limits: str = option(
        "", "Ends of the axis in its unit, 0:12 or H:0:12,C:0:200.", name="range",
        metavar="LOW:HIGH", shown="all peaks", panel=_PANEL,
    )  # fmt: skip
    field: str = option(
        "", "Magnetic field, 9.4T, or as the frequency of 1H, 400MHz: axes in Hz from the "
        "reference.", metavar="FIELD", shown="axes in ppm", panel=_PANEL,
    )  # fmt: skip
    experiment: str = option(
        "", "Draw this behind: measured peaks, as compare takes them, or a trace, CSV of ppm and "
        "intensity or JCAMP-DX.", metavar="FILE", shown="none", panel=_PANEL,
    )  # fmt: skip
    area: Literal["cell", "nucleus"] | None = option(
        None, "Area of a spectrum: the number of nuclei in the cell, or 1",
        shown="cell for one structure, nucleus for several", panel=_PANEL,
    )  # fmt: skip

    def settings(
        self, shifts: ReferenceOptions, nuclei: tuple[str, ...] | None
    ) -> tuple[tuple[str, ...] | None, Settings]:
        """The nuclei that are drawn (None: all that are there), and how.

        `UsageError` if options contradict each other, before any work is done.
        """
        from shiftcli.nmr.spectrum import (
            Axis,
            Lines,
            Settings,
            parse_field,
            parse_ranges,
            parse_widths,
        )

        if self.correlate is not None and (nuclei is not None or self.area is not None):
            raise UsageError(
                "--correlate names its nuclei itself, and takes no --nucleus or --area"
            )
        if self.correlate is None and (self.within is not None or self.double_quantum):
            raise UsageError("--within and --double-quantum are of --correlate")
        drawn = self.correlate or nuclei
        references = shifts.read()
        tesla = parse_field(self.field) if self.field else None
        for element in drawn or ():
            Axis(element, references, tesla)  # refuses a field without a reference
        lines = Lines(self.shape, parse_widths(self.width, drawn or ELEMENTS, tesla), self.mixing)
        ranges = parse_ranges(self.limits, drawn or ELEMENTS)
        return drawn, Settings(references, tesla, lines, ranges, shifts.average, self.area)

    def measured(
        self, output: Path | None, report: Path | None, nuclei: tuple[str, ...] | None
    ) -> list[Measured]:
        """What is drawn behind the spectra; `UsageError` if no picture of spectra is drawn."""
        from shiftcli.nmr.spectrum import read_measured

        if not self.experiment:
            return []
        is_drawn = output is not None and output.suffix.lower() not in _TEXTS
        if self.correlate is not None or not (is_drawn or report is not None):
            raise UsageError(
                "--experiment is drawn behind spectra of one nucleus: give -o FILE.svg or --report",
                hint="shiftcli compare holds numbers against each other",
            )
        return read_measured(self.experiment, nuclei or ())


@dataclass(frozen=True)
class DrawingOptions(OutputOptions):
    """Where it goes, and as what."""

    output: Path | None = option(
        None, "Picture (.png, .svg, .pdf), points or cross peaks (.csv), or table (.txt).",
        short="o", metavar="FILE", shown="table of peaks on stdout",
    )  # fmt: skip

    def checked(self) -> Path | None:
        """The output, if its suffix names something that can be made of spectra."""
        from shiftcli.views.plots.figure import SUFFIXES, check_picture

        output, known = self.output, (*SUFFIXES, *_TEXTS)
        if output is not None and output.suffix.lower() not in known:
            raise UsageError(f"'{output.name}' should end in {', '.join(known)}")
        if output is not None and output.suffix.lower() in SUFFIXES:
            check_picture(output)
        return output


@command
def spectrum(
    *,
    files: Files,
    to: DrawingOptions,
    drawing: SpectrumOptions,
    look: Look,
    page: ReportOptions,
    shifts: ReferenceOptions,
    structures: StructureOptions,
    networks: ShieldingOptions,
    many: RunOptions,
) -> None:
    """Draw spectra of crystals: lines of one nucleus, or correlations of pairs.

    Example: shiftcli spectrum structure.cif --nucleus C --references C:168.64 -o carbon.svg

    Example: shiftcli spectrum structure.cif --correlate H,H --within 3 --double-quantum -o dq.svg
    """
    from shiftcli.nmr.spectrum import correlate_nuclei, simulate_spectra
    from shiftcli.nmr.stated import with_stated
    from shiftcli.results.pages import spectrum_page
    from shiftcli.results.predictions import Results
    from shiftcli.views.terminal import show_document_notes

    output, precision = to.checked(), to.precision
    inputs = [*shifts.files, *filter(None, [drawing.experiment])]
    paths = find_inputs(files, inputs, [output, page.checked()], networks, many)
    nuclei, settings = drawing.settings(shifts, networks.nuclei)
    if measured := drawing.measured(output, page.report, nuclei):
        nuclei = nuclei or tuple(own.element for own in measured)
        settings.refuse_shieldings([own.element for own in measured])
    batch = Batch.of(paths, networks, structures, many, nuclei, shifts=shifts)
    batch.show_references(settings.references)
    predictions, failures = batch.split()
    if networks.beside:
        predictions = list(with_stated(predictions))
    results = Results(batch.predictor, predictions, failures, settings.references, precision)
    show_document_notes(results.document(), "predicted")
    made: list[Any] = []
    if predictions and drawing.correlate is not None:
        made = correlate_nuclei(
            predictions, drawing.correlate, settings,
            within=drawing.within, double_quantum=drawing.double_quantum,
        )  # fmt: skip
        _show_correlations(made, output, precision, look)
    elif predictions:
        made = simulate_spectra(predictions, nuclei, settings)
        _show_spectra(made, measured, output, precision, look)
    if made:
        shown = partial(spectrum_page, results, settings, made, measured=measured)
        page.write(shown, networks.weights)
    if failures:
        raise typer.Exit(1)


def _show_spectra(
    spectra: Sequence[Spectrum],
    measured: Sequence[Measured],
    output: Path | None,
    precision: int,
    look: Look,
) -> None:
    from shiftcli.results.spectra import axis_notes, measured_notes, peak_tables, point_document
    from shiftcli.views.plots import plot_spectra
    from shiftcli.views.spreadsheets import write_csv
    from shiftcli.views.terminal import show_notes

    show_notes("", [*axis_notes(spectra), *measured_notes(spectra, measured)])
    tables = partial(peak_tables, spectra, precision)
    text = partial(write_csv, point_document(spectra))
    _emit(output, tables, text, partial(plot_spectra, spectra, look=look, measured=measured))


def _show_correlations(
    spectra: Sequence[Correlation], output: Path | None, precision: int, look: Look
) -> None:
    from shiftcli.results.spectra import axis_notes, cross_peak_document
    from shiftcli.views.plots import plot_correlations
    from shiftcli.views.spreadsheets import write_csv
    from shiftcli.views.terminal import show_notes

    show_notes("", axis_notes(spectra))
    document = cross_peak_document(spectra, precision)
    text = partial(write_csv, document)
    _emit(
        output,
        lambda: list(document.tables()),
        text,
        partial(plot_correlations, spectra, look=look),
    )


def _emit(
    output: Path | None,
    tables: Callable[[], list[Table]],
    text: Callable[[], Chunks],
    draw: Callable[[Path], object],
) -> None:
    """The one of the three that the output's suffix asks for."""
    from shiftcli.views.terminal import emit, emit_tables

    if output is None or output.suffix.lower() == ".txt":
        emit_tables(tables(), output)
    elif output.suffix.lower() == ".csv":
        emit(text(), output)
    else:
        draw(output)
