"""`shiftcli predict`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from shiftcli.cli.batch import Batch, find_inputs
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    Files,
    PredictorOptions,
    ReferenceOptions,
    ReportOptions,
    ResultOptions,
    RunOptions,
    StructureOptions,
)
from shiftcli.errors import UsageError
from shiftcli.results.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shiftcli.prediction.predictor import Prediction
    from shiftcli.results.predictions import Results

#: Sites are not averaged unless that is asked for.
AS_THEY_ARE = ReferenceOptions(average=())


@dataclass(frozen=True)
class PredictionOptions(ResultOptions):
    """The same, or a folder of them."""

    @property
    def folder(self) -> Path | None:
        """The output, where it is a folder."""
        from shiftcli.pipeline.folder import is_folder

        return self.output if self.output is not None and is_folder(self.output) else None

    @property
    def kind(self) -> str:
        """The format, CSV in a folder."""
        return "csv" if self.folder and not self.form else super().kind


@command
def predict(
    *,
    files: Files,
    to: PredictionOptions,
    seen: Choice,
    page: ReportOptions,
    shifts: ReferenceOptions = AS_THEY_ARE,
    structures: StructureOptions,
    networks: PredictorOptions,
    many: RunOptions,
) -> None:
    """Predict the shielding of every H, C, N and O atom of crystal structures.

    With --output FOLDER (one that is there, or a name without a suffix) each structure gets a file
    of its own, and the same command goes on with what is left.

    Example: shiftcli predict structure.cif --references C:168.64,H:30.96

    Example: shiftcli predict structures/ --output results/ --jobs 4

    Example: shiftcli predict structure.cif --nucleus C --report page.html
    """
    from shiftcli.pipeline.spool import Spool
    from shiftcli.results.predictions import Results, site_columns
    from shiftcli.views.formats import check_references, suffix_of
    from shiftcli.views.progress import follow
    from shiftcli.views.terminal import emit_results

    folder, kind = to.folder, to.kind
    if folder is not None and many.work is not None:
        raise UsageError("a folder keeps the shieldings, too: leave --work out")
    if folder is not None and page.report is not None:
        raise UsageError("--report needs all predictions at once, which a folder does not keep")
    outputs = [None if folder else to.output, page.checked()]
    paths = find_inputs(files, shifts.files, outputs, networks, many)
    references = shifts.read()
    seen.check(site_columns(to.precision))
    check_references(kind, references)
    batch = Batch.of(paths, networks, structures, many, folder=folder, shifts=shifts)
    batch.show_references(references)
    results, spool = Results(batch.predictor, [], [], references, to.precision, seen), Spool()
    finish = partial(finished, results=results, kind=kind, average=shifts.average, before=spool)
    if folder is None:
        failures = follow(batch.predict(finish), spool)
        results = replace(results, predictions=spool, failures=failures)
        if len(spool) or to.output is None:  # where all failed, the earlier file stays
            emit_results(results, kind, to.output)
        if len(spool) and page.report is not None:
            from shiftcli.results.pages import prediction_page  # all that pages show, at once

            page.write(partial(prediction_page, results), networks.weights)
    else:
        decisive = {"format": kind, "references": references, "average": sorted(shifts.average),
                    "frame_weights": shifts.frame_weights,
                    "precision": to.precision, "choice": seen}  # fmt: skip
        text = partial(_text, finish=finish, results=results, kind=kind)
        failures = batch.predict_into(text, suffix_of(kind), decisive)
    if failures:
        raise typer.Exit(1)


def finished(
    prediction: Prediction,
    results: Results,
    kind: str,
    average: Sequence[str],
    before: Sequence[Prediction],
) -> Prediction:
    """The rows that are shown of a prediction, refused where the format cannot hold them."""
    from shiftcli.nmr.averaging import average_prediction
    from shiftcli.views.formats import check_holds

    made = results.chosen(average_prediction(prediction, average))
    check_holds(results, made, kind, len(before))
    return made


def _text(
    prediction: Prediction,
    finish: Callable[[Prediction], Prediction],
    results: Results,
    kind: str,
) -> str | bytes:
    from shiftcli.views.formats import render

    made: str | bytes = render(replace(results, predictions=[finish(prediction)]), kind)
    return made
