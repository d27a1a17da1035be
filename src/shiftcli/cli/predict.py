"""`shiftcli predict`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from shiftcli.cli.options import (
    AverageOption,
    DeviceOption,
    DtypeOption,
    NucleusOption,
    OutputOption,
    ViewsOption,
    WeightsOption,
    parse_allow,
    parse_exchange,
    parse_nuclei,
)


def predict(
    files: Annotated[
        list[str], typer.Argument(help="Structures: files, directories, globs, or - for stdin.")
    ],
    output: OutputOption = None,
    form: Annotated[
        Literal["table", "csv", "json", "xyz", "magres", "cif", "chemiscope", "simpson"] | None,
        typer.Option("--format", help="Format.", show_default="from the suffix, else table"),
    ] = None,
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
) -> None:
    """Predict the shielding of every H, C, N and O atom of crystal structures.

    Example: shiftcli predict structure.cif --references C:168.64,H:30.96
    """
    from shiftcli.averaging import average_prediction
    from shiftcli.cli import render
    from shiftcli.predictor import Failure, Prediction, Predictor
    from shiftcli.readers import find_files
    from shiftcli.shifts import parse_references
    from shiftcli.writers import Results, check_references, check_writable, choose_format
    from shiftcli.writers import render as render_text

    kind = choose_format(form, output)
    if output is not None:
        check_writable(output)
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
    paths = find_files(files)
    outcomes = list(render.progress(predictor.predict_files(paths, disorder=disorder), len(paths)))
    results = Results(
        predictor,
        [average_prediction(o, exchange) for o in outcomes if isinstance(o, Prediction)],
        [o for o in outcomes if isinstance(o, Failure)],
        parsed,
        precision,
    )
    render.show_reference_notes(parsed, predictor)
    render.show_notes(results)
    if kind == "table":
        render.show_predictions(results, output)
    else:
        render.emit(render_text(results, kind), output)
    if results.failures:
        raise typer.Exit(1)
