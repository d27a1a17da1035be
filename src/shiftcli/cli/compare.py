"""`shiftcli compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from shiftcli.cli.command import command
from shiftcli.cli.networks import make_predictor
from shiftcli.cli.options import (
    ComparisonOptions,
    ExperimentOptions,
    OutputOptions,
    PlotOptions,
    ReportOptions,
    ShieldingOptions,
    StructureOptions,
)
from shiftcli.errors import UsageError
from shiftcli.options import TableFormat
from shiftcli.results.choice import Choice


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
    page: ReportOptions,
    shifts: ComparisonOptions,
    structures: StructureOptions,
    networks: ShieldingOptions,
) -> None:
    """Hold the predicted shifts of a structure against measured ones.

    Peaks that name no site are assigned; a flag marks differences above 2σ and 3σ.

    Example: shiftcli compare structure.cif --experiment shifts.csv --plot comparison.svg
    """
    from shiftcli.nmr.comparison import StructureComparison, compare_files
    from shiftcli.prediction.predictor import Failure
    from shiftcli.readers import find_files
    from shiftcli.results.citations import find_citations
    from shiftcli.results.comparisons import Comparisons
    from shiftcli.views import Results, check_outputs, choose_format
    from shiftcli.views.formats import TABLES
    from shiftcli.views.plots.comparison import plot_comparison
    from shiftcli.views.progress import progress
    from shiftcli.views.report import check_report, write_report
    from shiftcli.views.terminal import emit_document, show_document_notes, show_notes

    paths, output, plot, report = find_files(files), to.output, picture.plot, page.report
    kind = choose_format(form, output, TABLES)
    if report is not None:
        check_report(report)
    inputs = [*paths, measured.experiment, *shifts.files]
    check_outputs([output, picture.checked(), report], inputs)
    fixed = shifts.read(alone=True)
    experiment = measured.read(networks.nuclei)
    predictor = make_predictor(networks, structures, experiment.elements)
    found = compare_files(
        predictor, paths, experiment, exchange=shifts.average, references=fixed,
        theory_errors=shifts.theory_errors, disorder=structures.disorder,
    )  # fmt: skip
    outcomes = list(progress(found, len(paths)))
    comparisons = Comparisons(
        predictor,
        experiment,
        [one for one in outcomes if isinstance(one, StructureComparison)],
        [one for one in outcomes if isinstance(one, Failure)],
        fixed, shifts.theory_errors, to.precision,
    )  # fmt: skip
    if plot is not None and len(comparisons.structures) > 1:
        number = len(comparisons.structures)
        raise UsageError(f"--plot draws one structure, these files hold {number}")
    show_notes("", fixed.notes({file.sha256 for file in predictor.files}))
    document = comparisons.document()
    show_document_notes(document, "compared")
    emit_document(seen.of_document(document), kind, output)
    if plot is not None:
        for structure in comparisons.structures:
            plot_comparison(structure.comparison, plot, structure.prediction.crystal.where)
    if report is not None:
        predictions = [structure.prediction for structure in comparisons.structures]
        results = Results(predictor, predictions, comparisons.failures, fixed, to.precision)
        write_report(report, results, comparisons.structures, find_citations(networks.weights))
    if comparisons.failures:
        raise typer.Exit(1)
