"""`shiftcli compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.options import (
    AverageOption,
    DeviceOption,
    DtypeOption,
    NucleusOption,
    OutputOption,
    ReportOption,
    TheoryErrorOption,
    ViewsOption,
    WeightsOption,
    parse_allow,
    parse_exchange,
    parse_nuclei,
    parse_theory_errors,
)
from shiftcli.errors import UsageError


def compare(
    files: Annotated[
        list[str],
        typer.Argument(metavar="STRUCTURE...", help="Files, directories, globs, or - for stdin."),
    ],
    experiment: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="CSV of measured shifts: site,species,shift[,uncertainty]."
        ),
    ],
    output: OutputOption = None,
    form: Annotated[
        Literal["table", "csv", "json"] | None,
        typer.Option("--format", help="Format.", show_default="from the suffix, else table"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Predicted against measured shifts here: .png, .svg or .pdf."
        ),
    ] = None,
    report: ReportOption = None,
    nucleus: NucleusOption = None,
    references: Annotated[
        str,
        typer.Option(
            help="Fixed references, C:168.64,H:30.96, a named set (probasn) or a .toml file.",
            show_default="an offset fitted for each nucleus",
        ),
    ] = "",
    gradients: Annotated[str, typer.Option(help="Slopes, C:-0.97; -1 unless given.")] = "",
    theory_error: TheoryErrorOption = "",
    average: AverageOption = "CH3,NH3",
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
    precision: Annotated[int, typer.Option(min=0, max=8, help="Decimals of ppm.")] = 2,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    weights: WeightsOption = None,
) -> None:
    """Hold the predicted shifts of a structure against measured ones.

    Peaks that name no site are assigned; a flag marks differences above 2σ and 3σ.

    Example: shiftcli compare structure.cif --experiment shifts.csv --plot comparison.svg
    """
    from shiftcli.nmr.comparison import StructureComparison, compare_files
    from shiftcli.nmr.experiment import read_experiment
    from shiftcli.nmr.shifts import parse_references
    from shiftcli.prediction.predictor import Failure, Predictor
    from shiftcli.readers import find_files
    from shiftcli.results.citations import find_citations
    from shiftcli.views import Results, check_writable, choose_format
    from shiftcli.views.comparison import Comparisons, render_comparisons
    from shiftcli.views.plots.comparison import plot_comparison
    from shiftcli.views.plots.figure import check_picture
    from shiftcli.views.report import check_report, write_report
    from shiftcli.views.terminal import common as render
    from shiftcli.views.terminal import compare as render_compare

    kind = choose_format(form, output, ("table", "csv", "json"))
    if output is not None:
        check_writable(output)
    if plot is not None:
        check_picture(plot)
    if report is not None:
        check_report(report)
    exchange, errors = parse_exchange(average), parse_theory_errors(theory_error)
    fixed = parse_references(references, gradients, alone=True)
    measured = read_experiment(experiment)
    if nuclei := parse_nuclei(nucleus):
        measured = measured.only(nuclei)
        if not measured.peaks:
            raise UsageError(f"--nucleus: no shift of {nucleus} is in {experiment}")
    predictor = Predictor(
        weights,
        nuclei=measured.elements,
        device=device,
        views=views,
        dtype=dtype,
        hydrogens=hydrogens,
        allow=parse_allow(allow),
    )
    paths = find_files(files)
    found = compare_files(
        predictor, paths, measured, exchange=exchange, references=fixed, theory_errors=errors,
        disorder=disorder,
    )  # fmt: skip
    outcomes = list(render.progress(found, len(paths)))
    comparisons = Comparisons(
        predictor,
        measured,
        [o for o in outcomes if isinstance(o, StructureComparison)],
        [o for o in outcomes if isinstance(o, Failure)],
        fixed,
        errors,
        precision,
    )
    if plot is not None and len(comparisons.structures) > 1:
        number = len(comparisons.structures)
        raise UsageError(f"--plot draws one structure, these files hold {number}")
    render.show_reference_notes(fixed, predictor)
    render_compare.show_notes(comparisons)
    if kind == "table":
        render.emit_tables(render_compare.comparison_tables(comparisons), output)
    else:
        render.emit(render_comparisons(comparisons, kind), output)
    if plot is not None:
        for structure in comparisons.structures:
            plot_comparison(structure.comparison, plot, structure.prediction.crystal.where)
    if report is not None:
        predictions = [structure.prediction for structure in comparisons.structures]
        results = Results(predictor, predictions, comparisons.failures, fixed, precision)
        write_report(report, results, comparisons.structures, find_citations(weights))
    if comparisons.failures:
        raise typer.Exit(1)
