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
    RankingOptions,
    ShieldingOptions,
    StructureOptions,
)
from shiftcli.options import TableFormat

#: Candidates differ in the third decimal of their RMSE.
_PRECISE = OutputOptions(precision=3)


#: Structures whose prediction takes so long that it should not be lost.
_MANY = 100


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
        TableFormat | None,
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
    networks: ShieldingOptions,
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
    from shiftcli.nmr.frames import refuse_frames
    from shiftcli.nmr.kinds import widening
    from shiftcli.nmr.ranking import rank
    from shiftcli.pipeline.store import StoredPredictor
    from shiftcli.readers import find_files
    from shiftcli.results.rankings import ranking_document
    from shiftcli.views import check_outputs, choose_format
    from shiftcli.views.formats import TABLES
    from shiftcli.views.plots.ranking import plot_ranking
    from shiftcli.views.progress import progress
    from shiftcli.views.terminal import (
        emit_document,
        note,
        show_failures,
        show_notes,
        show_some,
    )

    refuse_frames(shifts.average, "rank")
    paths, output, plot = find_files(candidates), to.output, picture.checked()
    kind = choose_format(form, output, TABLES)
    named = [comparing.labels_from] if comparing.labels_from else []
    check_outputs([output, plot], [*paths, measured.experiment, *shifts.files, *named])
    fixed = shifts.read(alone=True)
    experiment = measured.read(networks.nuclei)
    if assignment == "best":
        experiment = unassigned(experiment)
    reference = read_reference(*named, disorder=structures.disorder) if named else None
    predictor = make_predictor(networks, structures, experiment.elements, work)
    show_notes("", fixed.notes({file.sha256 for file in predictor.files}))
    crystals = read_candidates(paths, disorder=structures.disorder)
    if work is None and len(crystals) >= _MANY:
        note(f"note: {len(crystals)} structures; with --work DIR a run that is stopped can go on")
    predictions = progress(
        predict_candidates(
            predictor, crystals, experiment, labels_from=reference, exchange=shifts.average
        ),
        len(crystals),
    )
    ranking = rank(
        predictions, experiment, labels_from=reference, references=fixed,
        exchange=shifts.average, theory_errors=shifts.theory_errors,
        factors=widening(predictor), tolerance=comparing.family_tolerance,
    )  # fmt: skip
    if isinstance(predictor, StoredPredictor) and predictor.taken:
        note(f"note: shieldings of {predictor.taken} structures taken from {predictor.path}")
    show_some([f"{c.title}: {text}" for c in ranking.candidates for text in c.warnings])
    show_notes("", ranking.notes)
    show_failures(ranking.failures, f"{len(ranking.candidates)} candidates ranked")
    emit_document(ranking_document(ranking, predictor, to.precision), kind, output)
    if plot is not None and ranking.candidates:
        plot_ranking(ranking, plot)
    if ranking.failures:
        raise typer.Exit(1)
