"""`shiftcli spectrum`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shiftcli.cli.options import (
    AverageOption,
    DeviceOption,
    DtypeOption,
    NucleusOption,
    ViewsOption,
    WeightsOption,
    parse_allow,
    parse_exchange,
    parse_nuclei,
)
from shiftcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from shiftcli.nmr.spectrum import Correlation, Spectrum

#: Suffixes of what is not a picture.
_TEXTS = (".csv", ".txt")


def spectrum(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Structures, laid over each other: files, directories, globs, or - for stdin."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE",
            help="Picture (.png, .svg, .pdf), points or cross peaks (.csv), or table (.txt).",
            show_default="table of peaks on stdout",
        ),
    ] = None,
    nucleus: NucleusOption = None,
    correlate: Annotated[
        str | None,
        typer.Option(metavar="C,H", help="Two-dimensional: bonded pairs of two nuclei."),
    ] = None,
    references: Annotated[
        str,
        typer.Option(
            help="C:168.64,H:30.96, a named set (probasn) or a .toml file; else axes are of "
            "shieldings."
        ),
    ] = "",
    gradients: Annotated[str, typer.Option(help="Slopes, C:-0.97; -1 unless given.")] = "",
    average: AverageOption = "CH3,NH3",
    shape: Annotated[
        Literal["gaussian", "lorentzian", "voigt"], typer.Option(help="Line shape.")
    ] = "gaussian",
    width: Annotated[
        str,
        typer.Option(
            help="Full width at half maximum: 0.5 (ppm), 100Hz (with --field), or H:0.3,C:1.",
            show_default="H:0.3,C:1,N:2,O:4",
        ),
    ] = "",
    mixing: Annotated[
        float, typer.Option(min=0, max=1, help="Lorentzian part of --shape voigt.")
    ] = 0.5,
    limits: Annotated[
        str,
        typer.Option(
            "--range", metavar="LOW:HIGH",
            help="Ends of the axis in its unit, 0:12 or H:0:12,C:0:200.",
            show_default="all peaks",
        ),
    ] = "",
    field: Annotated[
        str | None,
        typer.Option(
            help="Magnetic field, 9.4T, or as the frequency of 1H, 400MHz: axes in Hz from the "
            "reference.",
            show_default="axes in ppm",
        ),
    ] = None,
    area: Annotated[
        Literal["cell", "nucleus"] | None,
        typer.Option(
            help="Area of a spectrum: the number of nuclei in the cell, or 1.",
            show_default="cell for one structure, nucleus for several",
        ),
    ] = None,
    views: ViewsOption = None,
    hydrogens: Annotated[
        Literal["auto", "keep", "normalise"],
        typer.Option(help="X-H bonds of X-ray length: move to neutron lengths, or keep."),
    ] = "auto",
    disorder: Annotated[
        Literal["major", "error"], typer.Option(help="Keep the major component, or refuse.")
    ] = "major",
    allow: Annotated[
        str,
        typer.Option(
            metavar="WORDS", help="Predict in spite of elements,hydrogens,overlaps,valence."
        ),
    ] = "",
    precision: Annotated[int, typer.Option(min=0, max=8, help="Decimals of the table.")] = 2,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    weights: WeightsOption = None,
) -> None:  # fmt: skip
    """Draw spectra of crystals: lines of one nucleus, or correlations of bonded pairs.

    Example: shiftcli spectrum structure.cif --nucleus C --references C:168.64 -o carbon.svg
    """
    from shiftcli.nmr.shifts import parse_references
    from shiftcli.nmr.spectrum import (
        Axis,
        Lines,
        Settings,
        correlate_nuclei,
        parse_field,
        parse_ranges,
        parse_widths,
        simulate_spectra,
    )
    from shiftcli.prediction.predictor import Failure, Prediction, Predictor
    from shiftcli.readers import find_files
    from shiftcli.structure.crystal import ELEMENTS
    from shiftcli.views import Results
    from shiftcli.views.terminal import common as render

    _check_output(output)
    pair = _parse_pair(correlate)
    if pair is not None and (nucleus is not None or area is not None):
        raise UsageError("--correlate names its nuclei itself, and takes no --nucleus or --area")
    elements = pair or parse_nuclei(nucleus)
    parsed = parse_references(references, gradients)
    tesla = None if field is None else parse_field(field)
    for element in elements or ():
        Axis(element, parsed, tesla)  # refuses a field without a reference, before the work
    lines = Lines(shape, parse_widths(width, elements or ELEMENTS, tesla), mixing)
    ranges = parse_ranges(limits, elements or ELEMENTS)
    settings = Settings(parsed, tesla, lines, ranges, parse_exchange(average), area)
    predictor = Predictor(
        weights, nuclei=elements, device=device, views=views, dtype=dtype, hydrogens=hydrogens,
        allow=parse_allow(allow),
    )  # fmt: skip
    render.show_reference_notes(parsed, predictor)
    paths = find_files(files)
    outcomes = list(render.progress(predictor.predict_files(paths, disorder=disorder), len(paths)))
    predictions = [o for o in outcomes if isinstance(o, Prediction)]
    failures = [o for o in outcomes if isinstance(o, Failure)]
    render.show_notes(Results(predictor, predictions, failures, parsed, precision))
    if predictions and pair is not None:
        _show_correlations(correlate_nuclei(predictions, pair, settings), output, precision)
    elif predictions:
        _show_spectra(simulate_spectra(predictions, elements, settings), output, precision)
    if failures:
        raise typer.Exit(1)


def _check_output(output: Path | None) -> None:
    from shiftcli.views import check_writable
    from shiftcli.views.plots.figure import SUFFIXES, check_picture

    if output is None:
        return
    if output.suffix.lower() not in (*_TEXTS, *SUFFIXES):
        raise UsageError(f"'{output.name}' should end in {', '.join((*SUFFIXES, *_TEXTS))}")
    check_writable(output)
    if output.suffix.lower() in SUFFIXES:
        check_picture(output)


def _parse_pair(text: str | None) -> tuple[str, str] | None:
    nuclei = parse_nuclei(text, "--correlate")
    if nuclei is None:
        return None
    if len(nuclei) != 2:
        raise UsageError(f"--correlate: '{text}' is not two nuclei, such as C,H")
    return nuclei[0], nuclei[1]


def _show_spectra(spectra: Sequence[Spectrum], output: Path | None, precision: int) -> None:
    from shiftcli.views.plots import plot_spectra
    from shiftcli.views.spectra import write_spectra
    from shiftcli.views.terminal.spectrum import peak_tables, show_axis_notes

    show_axis_notes(spectra)
    tables = partial(peak_tables, spectra, precision)
    _emit(output, tables, partial(write_spectra, spectra), partial(plot_spectra, spectra))


def _show_correlations(spectra: Sequence[Correlation], output: Path | None, precision: int) -> None:
    from shiftcli.views.plots import plot_correlations
    from shiftcli.views.spectra import write_correlations
    from shiftcli.views.terminal.spectrum import cross_peak_tables, show_axis_notes

    show_axis_notes(spectra)
    tables = partial(cross_peak_tables, spectra, precision)
    _emit(output, tables, partial(write_correlations, spectra), partial(plot_correlations, spectra))


def _emit(
    output: Path | None,
    tables: Callable[[], list[Table]],
    text: Callable[[], str],
    draw: Callable[[Path], None],
) -> None:
    """The one of the three that the output's suffix asks for."""
    from shiftcli.views.terminal import common as render

    if output is None or output.suffix.lower() == ".txt":
        render.emit_tables(tables(), output)
    elif output.suffix.lower() == ".csv":
        render.emit(text(), output)
    else:
        draw(output)
