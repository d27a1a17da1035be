"""`shiftcli compare`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from shiftcli.cli.batch import Batch
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    ComparisonOptions,
    ExperimentOptions,
    OutputOptions,
    PlotOptions,
    ReportOptions,
    RunOptions,
    ShieldingOptions,
    StructureOptions,
)
from shiftcli.errors import UsageError
from shiftcli.options import TableFormat
from shiftcli.results.choice import Choice
from shiftcli.results.look import Look


@command
def compare(
    *,
    files: Annotated[
        list[str],
        typer.Argument(metavar="STRUCTURE...", help="Files, directories, globs, or - for stdin."),
    ],
    measured: ExperimentOptions,
    to: OutputOptions,
    form: Annotated[
        TableFormat | None,
        typer.Option("--format", help="Format.", show_default="from the suffix, else table"),
    ] = None,
    seen: Choice,
    picture: PlotOptions,
    look: Look,
    page: ReportOptions,
    shifts: ComparisonOptions,
    structures: StructureOptions,
    networks: ShieldingOptions,
    many: RunOptions,
) -> None:
    """Hold the predicted shifts of a structure against measured ones.

    Peaks that name no site are assigned; a flag marks differences above 2σ and 3σ.

    Example: shiftcli compare structure.cif --experiment shifts.csv --plot comparison.svg
    """
    from shiftcli.nmr.comparison import compare_prediction
    from shiftcli.nmr.kinds import widening
    from shiftcli.nmr.spectrum import short_names
    from shiftcli.readers import find_files
    from shiftcli.results.citations import find_citations
    from shiftcli.results.comparisons import Comparisons
    from shiftcli.views import Results, check_outputs, choose_format
    from shiftcli.views.formats import TABLES
    from shiftcli.views.plots.comparison import plot_comparison
    from shiftcli.views.report import check_report, write_report
    from shiftcli.views.terminal import emit_document, show_document_notes

    paths, output, plot, report = find_files(files), to.output, picture.plot, page.report
    kind = choose_format(form, output, TABLES)
    if report is not None:
        check_report(report)
    inputs = [*paths, measured.experiment, *shifts.files]
    check_outputs([output, picture.checked(), report], inputs)
    fixed = shifts.read(alone=True)
    experiment = measured.read(networks.nuclei)
    batch = Batch.of(paths, networks, structures, many, experiment.elements, average=shifts.average)
    finish = partial(
        compare_prediction, experiment=experiment, exchange=shifts.average, references=fixed,
        theory_errors=shifts.theory_errors, factors=widening(batch.predictor),
        beside=networks.beside,
    )  # fmt: skip
    compared, failures = batch.split(finish)
    comparisons = Comparisons(
        batch.predictor, experiment, compared, failures, fixed, shifts.theory_errors, to.precision
    )
    if plot is not None and len(comparisons.structures) > 1:
        number = len(comparisons.structures)
        raise UsageError(f"--plot draws one structure, these files hold {number}")
    batch.show_references(fixed)
    document = comparisons.document()
    show_document_notes(document, "compared")
    emit_document(seen.of_document(document), kind, output)
    if plot is not None:
        for structure in comparisons.structures:
            where = short_names([structure.prediction.crystal])[0]
            plot_comparison(structure.comparison, plot, where, look)
    if report is not None:
        predictions = [structure.prediction for structure in comparisons.structures]
        results = Results(batch.predictor, predictions, comparisons.failures, fixed, to.precision)
        write_report(report, results, comparisons.structures, find_citations(networks.weights))
    if comparisons.failures:
        raise typer.Exit(1)
