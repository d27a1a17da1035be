"""`shiftcli compare`."""

from __future__ import annotations

from functools import partial

import typer

from shiftcli.cli.batch import Batch, find_inputs
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    ComparisonOptions,
    ExperimentOptions,
    Files,
    PlotOptions,
    ReportOptions,
    RunOptions,
    ShieldingOptions,
    StructureOptions,
    TableOptions,
)
from shiftcli.errors import UsageError
from shiftcli.results.choice import Choice
from shiftcli.results.look import Look


@command
def compare(
    *,
    files: Files,
    measured: ExperimentOptions,
    to: TableOptions,
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
    from shiftcli.results.comparisons import Comparisons, comparison_columns
    from shiftcli.results.pages import comparison_page
    from shiftcli.views.plots.comparison import plot_comparison
    from shiftcli.views.terminal import emit_document, show_document_notes

    kind, plot = to.kind, picture.checked()
    inputs = [measured.experiment, *shifts.files]
    paths = find_inputs(files, inputs, [to.output, plot, page.checked()], networks, many)
    seen.check(comparison_columns(to.precision, beside=networks.beside))
    fixed = shifts.read(alone=True)
    experiment = measured.read(networks.nuclei)
    batch = Batch.of(paths, networks, structures, many, experiment.elements, shifts=shifts)
    finish = partial(
        compare_prediction, experiment=experiment, exchange=shifts.average, references=fixed,
        theory_errors=shifts.theory_errors, factors=widening(batch.predictor),
        beside=networks.beside,
    )  # fmt: skip
    compared, failures = batch.split(finish)
    if plot is not None and len(compared) > 1:
        raise UsageError(f"--plot draws one structure, these files hold {len(compared)}")
    batch.show_references(fixed)
    comparisons = Comparisons(
        batch.predictor, experiment, compared, failures, fixed, shifts.theory_errors, to.precision
    )
    document = comparisons.document()
    show_document_notes(document, "compared")
    if compared or to.output is None:  # where all failed, the earlier file stays
        emit_document(seen.of_document(document), kind, to.output)
    if plot is not None and compared:
        where = short_names([compared[0].prediction.crystal])[0]
        plot_comparison(compared[0].comparison, plot, where, look)
    if compared:
        page.write(partial(comparison_page, comparisons), networks.weights)
    if failures:
        raise typer.Exit(1)
