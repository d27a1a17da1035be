"""`shiftcli rank`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

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
from shiftcli.results.choice import Selection
from shiftcli.results.look import Look
from shiftcli.structure.nuclei import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shiftcli.nmr.experiment import Experiment
    from shiftcli.structure.crystal import Crystal

#: Candidates differ in the third decimal of their RMSE.
_PRECISE = TableOptions(precision=3)


@command
def rank(
    *,
    candidates: Files,
    measured: ExperimentOptions,
    to: TableOptions = _PRECISE,
    seen: Selection,
    picture: PlotOptions,
    look: Look,
    page: ReportOptions,
    shifts: ComparisonOptions,
    comparing: RankingOptions,
    structures: StructureOptions,
    networks: ShieldingOptions,
    many: RunOptions,
) -> None:
    """Rank candidate structures by how well they explain measured shifts.

    Example: shiftcli rank candidates/ --experiment shifts.csv --plot ranking.svg
    """
    from shiftcli.nmr.candidates import unassigned
    from shiftcli.nmr.kinds import widening
    from shiftcli.nmr.ranking import rank
    from shiftcli.results.pages import ranking_page
    from shiftcli.results.predictions import Results
    from shiftcli.results.rankings import ranking_columns, ranking_document
    from shiftcli.views.plots.ranking import plot_ranking
    from shiftcli.views.terminal import emit_document, show_failures, show_notes, show_some

    kind, plot = to.kind, picture.checked()
    inputs = [measured.experiment, *shifts.files, *filter(None, [comparing.labels_from])]
    paths = find_inputs(candidates, inputs, [to.output, plot, page.checked()], networks, many)
    fixed = shifts.read(alone=True)
    experiment = measured.read(networks.nuclei)
    seen.check(ranking_columns(experiment.species, to.precision, beside=networks.beside))
    experiment = unassigned(experiment) if comparing.assignment == "best" else experiment
    # Nuclei that were asked for and not measured say which to measure next; files hold all.
    of_file = ELEMENTS if networks.shieldings == "file" else experiment.elements
    batch = Batch.of(paths, networks, structures, many, networks.nuclei or of_file, shifts=shifts)
    batch.show_references(fixed)
    outcomes, reference = _predicted(batch, experiment, comparing, shifts.average)
    ranking = rank(
        outcomes, experiment,
        labels_from=reference, references=fixed, exchange=shifts.average,
        theory_errors=shifts.theory_errors, factors=widening(batch.predictor),
        tolerance=comparing.family_tolerance, beside=networks.beside,
    )  # fmt: skip
    show_some([f"{c.title}: {text}" for c in ranking.candidates for text in c.warnings])
    show_notes("", ranking.notes)
    show_failures(ranking.failures, f"{counted(len(ranking.candidates), 'candidate')} ranked")
    if ranking.candidates or to.output is None:  # where all failed, the earlier file stays
        document = ranking_document(ranking, batch.predictor, to.precision)
        emit_document(seen.of_document(document), kind, to.output)
    if ranking.candidates:
        if plot is not None:
            plot_ranking(ranking, plot, look)
        results = Results(batch.predictor, (), (), fixed, to.precision)
        shown = partial(ranking_page, ranking, results, exchange=shifts.average)
        page.write(shown, networks.weights)
    if ranking.failures:
        raise typer.Exit(1)


def _predicted(
    batch: Batch, experiment: Experiment, comparing: RankingOptions, exchange: Sequence[str]
) -> tuple[Iterator[Any], Crystal | None]:
    """Candidates as they are predicted, and the structure whose atoms the experiment names."""
    from shiftcli.nmr.candidates import check_labels, find_naming
    from shiftcli.readers import STDIN

    naming = find_naming(
        batch.files, experiment, labels_from=comparing.labels_from, exchange=exchange,
        symmetry_tolerance=batch.predictor.symmetry_tolerance, **batch.reading,
    )  # fmt: skip
    if naming is None and STDIN in batch.files:
        return batch.predict(), None  # it is read once: labels are found in what is predicted
    before = partial(check_labels, experiment=experiment, naming=naming, exchange=exchange)
    return batch.predict(before=before), None if naming is None else naming.crystal
