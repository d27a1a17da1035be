"""`shiftcli rank`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Literal, TypeVar

import typer

from shiftcli.cli.batch import Batch
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    ComparisonOptions,
    ExperimentOptions,
    OutputOptions,
    PlotOptions,
    RankingOptions,
    RunOptions,
    ShieldingOptions,
    StructureOptions,
)
from shiftcli.errors import counted
from shiftcli.options import TableFormat
from shiftcli.results.look import Look

T = TypeVar("T")

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
    look: Look,
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
    from shiftcli.nmr.candidates import (
        Naming,
        check_labels,
        find_reference,
        read_candidates,
        read_reference,
        unassigned,
    )
    from shiftcli.nmr.frames import refuse_frames
    from shiftcli.nmr.kinds import widening
    from shiftcli.nmr.ranking import rank
    from shiftcli.readers import find_files
    from shiftcli.results.rankings import ranking_document
    from shiftcli.views import check_outputs, choose_format
    from shiftcli.views.formats import TABLES
    from shiftcli.views.plots.ranking import plot_ranking
    from shiftcli.views.terminal import (
        emit_document,
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
    reference = (
        read_reference(*named, disorder=structures.disorder)
        if named
        else find_reference(
            read_candidates(paths, **structures.reading), experiment, shifts.average
        )
    )
    batch = Batch.of(paths, networks, structures, many, experiment.elements)
    batch.show_references(fixed)
    naming = None if reference is None else Naming(reference, experiment, shifts.average)
    before = partial(check_labels, experiment=experiment, naming=naming, exchange=shifts.average)
    ranking = rank(
        _advised(batch.predict(before=before), many), experiment,
        labels_from=reference, references=fixed,
        exchange=shifts.average, theory_errors=shifts.theory_errors,
        factors=widening(batch.predictor), tolerance=comparing.family_tolerance,
        beside=networks.beside,
    )  # fmt: skip
    show_some([f"{c.title}: {text}" for c in ranking.candidates for text in c.warnings])
    show_notes("", ranking.notes)
    show_failures(ranking.failures, f"{counted(len(ranking.candidates), 'candidate')} ranked")
    emit_document(ranking_document(ranking, batch.predictor, to.precision), kind, output)
    if plot is not None and ranking.candidates:
        plot_ranking(ranking, plot, look)
    if ranking.failures:
        raise typer.Exit(1)


def _advised(items: Iterable[T], many: RunOptions) -> Iterator[T]:
    """The same, with advice once there are many."""
    from shiftcli.views.terminal import note

    for number, item in enumerate(items, 1):
        if number == _MANY and many.work is None:
            note(f"note: over {_MANY} structures; with --work DIR a stopped run can go on")
        yield item
