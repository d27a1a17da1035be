"""`shiftcli predict`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from shiftcli.cli.batch import Batch
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    OutputOptions,
    PredictorOptions,
    ReferenceOptions,
    ReportOptions,
    RunOptions,
    StructureOptions,
)
from shiftcli.errors import UsageError
from shiftcli.options import AnyFormat
from shiftcli.results.choice import Choice

#: Sites are not averaged unless that is asked for.
_AS_THEY_ARE = ReferenceOptions(average=())


@command
def predict(
    *,
    files: Annotated[
        list[str], typer.Argument(help="Structures: files, directories, globs, or - for stdin.")
    ],
    to: OutputOptions,
    form: Annotated[
        AnyFormat | None,
        typer.Option(
            "--format", help="Format.", show_default="from the suffix, else table; csv in a folder"
        ),
    ] = None,
    seen: Choice,
    page: ReportOptions,
    shifts: ReferenceOptions = _AS_THEY_ARE,
    structures: StructureOptions,
    networks: PredictorOptions,
    many: RunOptions,
) -> None:
    """Predict the shielding of every H, C, N and O atom of crystal structures.

    With --output FOLDER (one that is there, or a name without a suffix) each structure gets a file
    of its own, and the same command goes on with what is left.

    Example: shiftcli predict structure.cif --references C:168.64,H:30.96
    """
    from shiftcli.nmr.averaging import average_prediction
    from shiftcli.nmr.frames import refuse_frames
    from shiftcli.pipeline import Spool, StoredPredictor, is_folder, predict_into
    from shiftcli.prediction.predictor import Prediction
    from shiftcli.readers import find_files
    from shiftcli.results.citations import find_citations
    from shiftcli.results.predictions import site_columns
    from shiftcli.views import Results, check_outputs, check_references, choose_format
    from shiftcli.views.formats import check_holds, render, suffix_of
    from shiftcli.views.progress import follow, progress
    from shiftcli.views.report import check_report, write_report
    from shiftcli.views.terminal import emit_results

    paths, output, report = find_files(files), to.output, page.report
    folder = output if output is not None and is_folder(output) else None
    kind = choose_format(form or ("csv" if folder else None), output)
    if folder is not None and many.work is not None:
        raise UsageError("a folder keeps the shieldings, too: leave --work out")
    if folder is not None and report is not None:
        raise UsageError("--report needs all predictions at once, which a folder does not keep")
    if report is not None:
        check_report(report)
    check_outputs([None if folder else output, report], [*paths, *shifts.files])
    references, exchange = shifts.read(), shifts.average
    refuse_frames(exchange, "predict")
    seen.check(site_columns(to.precision))
    check_references(kind, references)
    batch = Batch.of(paths, networks, structures, many, folder=folder)
    batch.show_references(references)
    results = Results(batch.predictor, [], [], references, to.precision, seen)
    spool = Spool()

    def finish(prediction: Prediction) -> Prediction:
        made = results.chosen(average_prediction(prediction, exchange))
        check_holds(results, made, kind, len(spool))
        return made

    def text(prediction: Prediction) -> str | bytes:
        return render(replace(results, predictions=[finish(prediction)]), kind)

    if folder is None:
        failures = follow(batch.predict(finish), spool)
        results = replace(results, predictions=spool, failures=failures)
        if len(spool) or output is None:  # where all failed, the earlier file stays
            emit_results(results, kind, output)
        if len(spool) and report is not None:
            write_report(report, results, citations=find_citations(networks.weights))
    else:
        decisive = {"format": kind, "references": references, "average": sorted(exchange),
                    "precision": to.precision, "choice": seen}  # fmt: skip
        assert isinstance(batch.predictor, StoredPredictor)
        made = predict_into(
            batch.predictor, paths, text, suffix=suffix_of(kind), options=decisive,
            part=batch.part, jobs=many.jobs, **structures.reading,
        )  # fmt: skip
        with batch.predictor.store:
            failures = follow(progress(made, len(batch.part(paths))))
    if failures:
        raise typer.Exit(1)
