"""`shiftcli rank`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from shiftcli.cli.options import (
    AverageOption,
    DeviceOption,
    DtypeOption,
    NucleusOption,
    OutputOption,
    TheoryErrorOption,
    ViewsOption,
    WeightsOption,
    parse_allow,
    parse_exchange,
    parse_nuclei,
    parse_theory_errors,
)
from shiftcli.errors import UsageError


def rank(
    candidates: Annotated[
        list[str],
        typer.Argument(
            help="Candidate structures: files of one or many, directories, globs, or - for stdin."
        ),
    ],
    experiment: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="CSV of measured shifts: site,species,shift[,uncertainty]."
        ),
    ],
    output: OutputOption = None,
    form: Annotated[
        Literal["table", "csv", "json"] | None,
        typer.Option("--format", help="Format.", show_default="from the suffix, else table"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Lollipop diagram here: .png, .svg or .pdf."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write shieldings down here as they come; a run that was stopped goes on.",
        ),
    ] = None,
    assignment: Annotated[
        Literal["given", "best"],
        typer.Option(
            help="Take the labels in the column site, or find the best sites for all peaks."
        ),
    ] = "given",
    nucleus: NucleusOption = None,
    references: Annotated[
        str,
        typer.Option(
            help="Fixed references, C:168.64,H:30.96, a named set (probasn) or a .toml file.",
            show_default="an offset fitted for each candidate",
        ),
    ] = "",
    gradients: Annotated[str, typer.Option(help="Slopes, C:-0.97; -1 unless given.")] = "",
    theory_error: TheoryErrorOption = "",
    average: AverageOption = "CH3,NH3",
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
            metavar="WORDS", help="Predict in spite of elements,hydrogens,overlaps,valence."
        ),
    ] = "",
    precision: Annotated[int, typer.Option(min=0, max=8, help="Decimals of ppm.")] = 3,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    weights: WeightsOption = None,
) -> None:  # fmt: skip
    """Rank candidate structures by how well they explain measured shifts.

    Example: shiftcli rank candidates/ --experiment shifts.csv --plot ranking.svg
    """
    from shiftcli.nmr.experiment import read_experiment
    from shiftcli.nmr.ranking import predict_candidates, rank, read_candidates, unassigned
    from shiftcli.nmr.shifts import parse_references
    from shiftcli.pipeline.store import StoredPredictor
    from shiftcli.prediction.predictor import Predictor
    from shiftcli.readers import find_files
    from shiftcli.views import check_writable, choose_format
    from shiftcli.views.plots.figure import check_picture
    from shiftcli.views.plots.ranking import plot_ranking
    from shiftcli.views.ranking import render_ranking as render_text
    from shiftcli.views.terminal import common as render
    from shiftcli.views.terminal import ranking as render_ranking

    kind = choose_format(form, output, ("table", "csv", "json"))
    if output is not None:
        check_writable(output)
    if plot is not None:
        check_picture(plot)
    exchange = parse_exchange(average)
    errors = parse_theory_errors(theory_error)
    fixed = parse_references(references, gradients, alone=True)
    measured = read_experiment(experiment)
    if nuclei := parse_nuclei(nucleus):
        measured = measured.only(nuclei)
        if not measured.peaks:
            raise UsageError(f"--nucleus: no shift of {nucleus} is in {experiment}")
    if assignment == "best":
        measured = unassigned(measured)
    options: dict[str, Any] = {
        "nuclei": measured.elements,
        "device": device,
        "views": views,
        "dtype": dtype,
        "hydrogens": hydrogens,
        "allow": parse_allow(allow),
    }
    predictor = (
        Predictor(weights, **options) if work is None else StoredPredictor(work, weights, **options)
    )
    render.show_reference_notes(fixed, predictor)
    structures = read_candidates(find_files(candidates), disorder=disorder)
    render_ranking.show_start(len(structures), work)
    predictions = render.progress(
        predict_candidates(predictor, structures, measured, exchange=exchange), len(structures)
    )
    ranking = rank(predictions, measured, references=fixed, exchange=exchange, theory_errors=errors)
    render_ranking.show_notes(ranking, predictor)
    if kind == "table":
        tables = [render_ranking.ranking_table(ranking, precision)] if ranking.candidates else []
        render.emit_tables(tables, output)
    else:
        render.emit(render_text(ranking, predictor, kind, precision), output)
    if plot is not None and ranking.candidates:
        plot_ranking(ranking, plot)
    if ranking.failures:
        raise typer.Exit(1)
