"""`shiftcli rank`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.command import command
from shiftcli.cli.networks import make_predictor
from shiftcli.cli.options import (
    ComparisonOptions,
    ExperimentOptions,
    OutputOptions,
    PlotOptions,
    PredictorOptions,
    RankingOptions,
    StructureOptions,
)

#: Candidates differ in the third decimal of their RMSE.
_PRECISE = OutputOptions(precision=3)


@command
def rank(
    *,
    candidates: Annotated[
        list[str],
        typer.Argument(
            help="Candidate structures: files of one or many, directories, globs, or - for stdin."
        ),
    ],
    measured: ExperimentOptions,
    to: OutputOptions = _PRECISE,
    form: Annotated[
        Literal["table", "csv", "json"] | None,
        typer.Option("--format", help="Format.", show_default="from the suffix, else table"),
    ] = None,
    picture: PlotOptions,
    work: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write shieldings down here as they come; a run that was stopped goes on.",
        ),
    ] = None,
    assignment: Annotated[
        Literal["given", "best"],
        typer.Option(help="Labels of the experiment, or the best sites for all peaks."),
    ] = "given",
    shifts: ComparisonOptions,
    comparing: RankingOptions,
    structures: StructureOptions,
    networks: PredictorOptions,
) -> None:
    """Rank candidate structures by how well they explain measured shifts.

    Example: shiftcli rank candidates/ --experiment shifts.csv --plot ranking.svg
    """
    from shiftcli.nmr.candidates import (
        predict_candidates,
        read_candidates,
        read_reference,
        unassigned,
    )
    from shiftcli.nmr.ranking import rank
    from shiftcli.readers import find_files
    from shiftcli.views import check_outputs, choose_format
    from shiftcli.views.plots.ranking import plot_ranking
    from shiftcli.views.ranking import render_ranking as render_text
    from shiftcli.views.terminal import common as render
    from shiftcli.views.terminal import ranking as render_ranking

    paths, output, plot = find_files(candidates), to.output, picture.checked()
    kind = choose_format(form, output, ("table", "csv", "json"))
    named = [comparing.labels_from] if comparing.labels_from else []
    check_outputs([output, plot], [*paths, measured.experiment, *shifts.files, *named])
    fixed = shifts.read(alone=True)
    experiment = measured.read(networks.nuclei)
    if assignment == "best":
        experiment = unassigned(experiment)
    reference = read_reference(*named, disorder=structures.disorder) if named else None
    predictor = make_predictor(networks, structures, experiment.elements, work)
    render.show_reference_notes(fixed, predictor)
    crystals = read_candidates(paths, disorder=structures.disorder)
    render_ranking.show_start(len(crystals), work)
    predictions = render.progress(
        predict_candidates(
            predictor, crystals, experiment, labels_from=reference, exchange=shifts.average
        ),
        len(crystals),
    )
    ranking = rank(
        predictions, experiment, labels_from=reference, references=fixed,
        exchange=shifts.average, theory_errors=shifts.theory_errors,
        tolerance=comparing.family_tolerance,
    )  # fmt: skip
    render_ranking.show_notes(ranking, predictor)
    if kind == "table":
        tables = [render_ranking.ranking_table(ranking, to.precision)] if ranking.candidates else []
        render.emit_tables(tables, output)
    else:
        render.emit(render_text(ranking, predictor, kind, to.precision), output)
    if plot is not None and ranking.candidates:
        plot_ranking(ranking, plot)
    if ranking.failures:
        raise typer.Exit(1)
