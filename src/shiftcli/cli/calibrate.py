"""`shiftcli calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.options import (
    AverageOption,
    DeviceOption,
    DtypeOption,
    NucleusOption,
    ViewsOption,
    WeightsOption,
    parse_allow,
    parse_exchange,
    parse_nuclei,
)
from shiftcli.errors import UsageError


def calibrate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="STRUCTURES...", help="Files, directories, globs, or - for stdin."),
    ],
    experiment: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="CSV of assigned shifts: site,species,shift. One for each structure, in order, "
            "or any with a column structure.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.toml", help="Write references here, for --references."
        ),
    ] = None,
    slope: Annotated[
        Literal["fitted", "fixed"], typer.Option(help="Fit the slope, or fix it at -1.")
    ] = "fitted",
    nucleus: NucleusOption = None,
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
    precision: Annotated[int, typer.Option(min=0, max=8, help="Decimals of ppm.")] = 2,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    weights: WeightsOption = None,
) -> None:
    """Fit reference shieldings and slopes to measured shifts of known assignment.

    Example: shiftcli calibrate a.cif b.cif --experiment a.csv --experiment b.csv -o refs.toml
    """
    from shiftcli.nmr.calibration import calibrate
    from shiftcli.nmr.experiment import read_experiment
    from shiftcli.prediction.predictor import Failure, Predictor
    from shiftcli.readers import find_files
    from shiftcli.views import check_writable, provenance
    from shiftcli.views.terminal import common as render
    from shiftcli.views.terminal import compare as render_compare

    if output is not None:
        if output.suffix.lower() != ".toml":
            raise UsageError(f"'{output}' should end in .toml, by which --references knows it")
        check_writable(output)
    exchange = parse_exchange(average)
    nuclei = parse_nuclei(nucleus)
    measured = [read_experiment(file) for file in experiment]
    if nuclei:
        measured = [one.only(nuclei) for one in measured]
    elements = tuple(dict.fromkeys(e for one in measured for e in one.elements))
    if not elements:
        raise UsageError(f"--nucleus: no shift of {nucleus} is in {', '.join(experiment)}")
    predictor = Predictor(
        weights,
        nuclei=elements,
        device=device,
        views=views,
        dtype=dtype,
        hydrogens=hydrogens,
        allow=parse_allow(allow),
    )
    paths = find_files(files)
    outcomes = list(render.progress(predictor.predict_files(paths, disorder=disorder), len(paths)))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    if failures:
        # Experiments may be paired with structures by their order, so none can be left out.
        raise failures[0].error
    predictions = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    found = calibrate(predictions, measured, exchange=exchange, slope=slope)
    for prediction in predictions:
        for text in prediction.crystal.warnings:
            render.note(f"note: {prediction.crystal.where}: {text}")
    for text in found.notes:
        render.note(f"note: {text}")
    render.emit_tables([render_compare.calibration_table(found, precision)], None)
    if output is not None:
        render.emit(found.to_toml(provenance(predictor)), output)
