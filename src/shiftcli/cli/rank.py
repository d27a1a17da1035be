"""`shiftcli rank`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import typer

from shiftcli.cli.batch import Batch, find_inputs
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    ComparisonOptions,
    ExperimentOptions,
    Files,
    PlotOptions,
    RankingOptions,
    ReportOptions,
    RunOptions,
    ShieldingOptions,
    StructureOptions,
    TableOptions,
)
from shiftcli.errors import counted
from shiftcli.results.look import Look

#: Candidates differ in the third decimal of their RMSE.
_PRECISE = TableOptions(precision=3)


@command
def rank(
    *,
    candidates: Files,
    measured: ExperimentOptions,
    to: TableOptions = _PRECISE,
    picture: PlotOptions,
    look: Look,
    page: ReportOptions,
    assignment: Annotated[
        Literal["given", "best"],
        typer.Option(help="Labels of the experiment, or the best sites for all peaks."),
    ] = "given",
    shifts: ComparisonOptions,
    comparing: RankingOptions,
    structures: StructureOptions,
    networks: ShieldingOptions,
    many: RunOptions,
) -> None:
    """Rank candidate structures by how well they explain measured shifts.

    Example: shiftcli rank candidates/ --experiment shifts.csv --plot ranking.svg
    """
    from shiftcli.nmr.candidates import check_labels, find_naming, unassigned
    from shiftcli.nmr.kinds import widening
    from shiftcli.nmr.ranking import rank
    from shiftcli.readers import STDIN
    from shiftcli.results.pages import ranking_page
    from shiftcli.results.predictions import Results
    from shiftcli.results.rankings import ranking_document
    from shiftcli.views.plots.ranking import plot_ranking
    from shiftcli.views.terminal import emit_document, show_failures, show_notes, show_some

    kind, plot = to.kind, picture.checked()
    inputs = [measured.experiment, *shifts.files, *filter(None, [comparing.labels_from])]
    paths = find_inputs(candidates, inputs, outputs=[to.output, plot, page.checked()])
    fixed = shifts.read(alone=True)
    experiment = measured.read(networks.nuclei)
    experiment = unassigned(experiment) if assignment == "best" else experiment
    batch = Batch.of(paths, networks, structures, many, experiment.elements, shifts=shifts)
    batch.show_references(fixed)
    naming = find_naming(
        paths, experiment, labels_from=comparing.labels_from, exchange=shifts.average,
        **structures.reading,
    )  # fmt: skip
    check = partial(check_labels, experiment=experiment, naming=naming, exchange=shifts.average)
    is_read_once = naming is None and STDIN in paths  # its labels are found in what is predicted
    outcomes = batch.predict(before=None if is_read_once else check)
    # A page shows the structures; without one they are taken one by one.
    kept = [] if page.report is None else list(outcomes)
    ranking = rank(
        kept or outcomes, experiment,
        labels_from=None if naming is None else naming.crystal, references=fixed,
        exchange=shifts.average, theory_errors=shifts.theory_errors,
        factors=widening(batch.predictor), tolerance=comparing.family_tolerance,
        beside=networks.beside,
    )  # fmt: skip
    show_some([f"{c.title}: {text}" for c in ranking.candidates for text in c.warnings])
    show_notes("", ranking.notes)
    show_failures(ranking.failures, f"{counted(len(ranking.candidates), 'candidate')} ranked")
    emit_document(ranking_document(ranking, batch.predictor, to.precision), kind, to.output)
    if plot is not None and ranking.candidates:
        plot_ranking(ranking, plot, look)
    if ranking.candidates:
        results = Results(batch.predictor, (), (), fixed, to.precision)
        shown = partial(ranking_page, ranking, kept, results, exchange=shifts.average)
        page.write(shown, networks.weights)
    if ranking.failures:
        raise typer.Exit(1)
