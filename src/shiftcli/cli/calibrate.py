"""`shiftcli calibrate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.batch import Batch, find_inputs
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    AverageOptions,
    Files,
    RunOptions,
    ShieldingOptions,
    StructureOptions,
)
from shiftcli.errors import UsageError


@command
def calibrate(
    *,
    files: Files,
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
        Literal["fitted", "fixed"], typer.Option(help="Of a fit, or -1 and fixed.")
    ] = "fitted",
    precision: Annotated[int, typer.Option(min=0, max=8, metavar="N", help="Decimals of ppm.")] = 2,
    shifts: AverageOptions,
    structures: StructureOptions,
    networks: ShieldingOptions,
    many: RunOptions,
) -> None:
    """Fit reference shieldings and slopes to measured shifts of known assignment.

    Example: shiftcli calibrate a.cif b.cif --experiment a.csv --experiment b.csv -o refs.toml
    """
    from shiftcli.nmr.calibration import calibrate
    from shiftcli.nmr.experiment_files import read_experiment
    from shiftcli.nmr.stated import stated_or_refused
    from shiftcli.results.comparisons import calibration_table
    from shiftcli.views import provenance
    from shiftcli.views.terminal import emit, emit_tables, show_notes

    if output is not None and output.suffix.lower() != ".toml":
        raise UsageError(f"'{output}' should end in .toml, by which --references knows it")
    if output is not None and networks.beside:
        raise UsageError("--output is one set of references: --shieldings predicted or file")
    paths = find_inputs(files, experiment, outputs=[output])
    measured = [read_experiment(file) for file in experiment]
    if networks.nuclei:
        measured = [one.only(networks.nuclei) for one in measured]
    elements = tuple(dict.fromkeys(e for one in measured for e in one.elements))
    if not elements:
        raise UsageError(f"--nucleus: no shift of such a nucleus is in {', '.join(experiment)}")
    batch = Batch.of(paths, networks, structures, many, elements, shifts=shifts)
    predictions, failures = batch.split()
    if failures:
        # Experiments may be paired with structures by their order, so none can be left out.
        raise failures[0].error
    fit = partial(calibrate, experiments=measured, exchange=shifts.average, slope=slope)
    fitted = fit(predictions)
    for prediction in predictions:
        show_notes(prediction.crystal.where, prediction.crystal.warnings)
    show_notes("", fitted.notes)
    emit_tables([calibration_table(fitted, precision)], None)
    if networks.beside:
        stated = [stated_or_refused(prediction) for prediction in predictions]
        emit_tables([calibration_table(fit(stated), precision, "shieldings of the files")], None)
    if output is not None:
        emit(fitted.to_toml(provenance(batch.predictor)), output)
