"""`shiftcli predict`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.options import (
    AverageOption,
    DeviceOption,
    DtypeOption,
    NucleusOption,
    ReportOption,
    ViewsOption,
    WeightsOption,
    parse_allow,
    parse_exchange,
    parse_nuclei,
)
from shiftcli.errors import UsageError


def predict(
    files: Annotated[
        list[str], typer.Argument(help="Structures: files, directories, globs, or - for stdin.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            show_default="stdout",
            help="Write here. A folder (one that is there, or a name without a suffix) takes one "
            "file a structure, and the same command goes on with it.",
        ),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json", "xyz", "magres", "cif", "chemiscope", "simpson"] | None,
        typer.Option(
            "--format", help="Format.", show_default="from the suffix, else table; csv in a folder"
        ),
    ] = None,
    report: ReportOption = None,
    nucleus: NucleusOption = None,
    references: Annotated[
        str,
        typer.Option(
            help="Reference shieldings, C:168.64,H:30.96, a named set (probasn) or a .toml file: "
            "shifts are added."
        ),
    ] = "",
    gradients: Annotated[str, typer.Option(help="Slopes, C:-0.97; -1 unless given.")] = "",
    average: AverageOption = "none",
    orientations: Annotated[
        Literal["frames", "octahedral", "random"] | None,
        typer.Option(help="Orientations to average.", show_default="as trained"),
    ] = None,
    views: ViewsOption = None,
    hydrogens: Annotated[
        Literal["auto", "keep", "normalise"],
        typer.Option(help="X-H bonds of X-ray length: move to neutron lengths, or keep."),
    ] = "auto",
    disorder: Annotated[
        Literal["major", "error"], typer.Option(help="Keep the major component, or refuse.")
    ] = "major",
    allow: Annotated[
        str,
        typer.Option(
            metavar="WORDS",
            help="Predict in spite of elements,hydrogens,overlaps,valence; marks them.",
        ),
    ] = "",
    precision: Annotated[int, typer.Option(min=0, max=8, help="Decimals.")] = 2,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    weights: WeightsOption = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes at work.")] = 1,
) -> None:
    """Predict the shielding of every H, C, N and O atom of crystal structures.

    Example: shiftcli predict structure.cif --references C:168.64,H:30.96
    """
    from shiftcli.nmr.averaging import average_prediction
    from shiftcli.nmr.shifts import parse_references
    from shiftcli.pipeline import Spool, is_folder, predict_into, predict_many
    from shiftcli.prediction.predictor import Prediction, Predictor
    from shiftcli.readers import find_files
    from shiftcli.results.citations import find_citations
    from shiftcli.views import Results, check_references, check_writable, choose_format
    from shiftcli.views.formats import suffix_of
    from shiftcli.views.report import check_report, write_report
    from shiftcli.views.terminal import common as render

    folder = output if output is not None and is_folder(output) else None
    kind = choose_format(form or ("csv" if folder else None), output)
    if output is not None and folder is None:
        check_writable(output)
    if report is not None:
        if folder is not None:
            raise UsageError("--report needs all predictions at once, which a folder does not keep")
        check_report(report)
    nuclei, exchange = parse_nuclei(nucleus), parse_exchange(average)
    parsed = parse_references(references, gradients)
    check_references(kind, parsed)
    predictor = Predictor(
        weights,
        nuclei=nuclei,
        device=device,
        orientations=orientations,
        views=views,
        dtype=dtype,
        hydrogens=hydrogens,
        allow=parse_allow(allow),
    )
    render.show_reference_notes(parsed, predictor)
    paths = find_files(files)
    results = Results(predictor, [], [], parsed, precision)

    def finish(prediction: Prediction) -> Prediction:
        return average_prediction(prediction, exchange)

    def text(prediction: Prediction) -> str:
        return render.text_of(replace(results, predictions=[finish(prediction)]), kind)

    if folder is None:
        spool = Spool()
        outcomes = predict_many(predictor, paths, disorder=disorder, jobs=jobs, finish=finish)
        failures = render.follow(outcomes, len(paths), spool)
        results = replace(results, predictions=spool, failures=failures)
        render.emit_results(results, kind, output)
        if report is not None:
            write_report(report, results, citations=find_citations(weights))
    else:
        decisive = {"format": kind, "references": parsed, "average": sorted(exchange),
                    "precision": precision}  # fmt: skip
        made = predict_into(
            folder, predictor, paths, text,
            suffix=suffix_of(kind), options=decisive, disorder=disorder, jobs=jobs,
        )  # fmt: skip
        failures = render.follow(made, len(paths))
    if failures:
        raise typer.Exit(1)
