"""`shiftcli benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.options import (
    DeviceOption,
    DtypeOption,
    NucleusOption,
    OutputOption,
    ViewsOption,
    WeightsOption,
    parse_nuclei,
)
from shiftcli.errors import UsageError


def benchmark(
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Structures with shieldings: measure the errors on them."),
    ] = None,
    split: Annotated[
        Literal["validation", "train", "all"],
        typer.Option(help="Every eighth crystal validates, the others train."),
    ] = "validation",
    nucleus: NucleusOption = None,
    views: ViewsOption = None,
    form: Annotated[
        Literal["table", "json"] | None,
        typer.Option("--format", help="Format.", show_default="from the suffix, else table"),
    ] = None,
    output: OutputOption = None,
    gpu: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="The same as --device cuda:N.")
    ] = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    weights: WeightsOption = None,
) -> None:
    """Measure how fast the networks are on this machine, and with --data how right.

    Example: shiftcli benchmark --gpu 0
    """
    import json

    from shiftcli.benchmark import benchmark_crystal, measure_accuracy, measure_speed
    from shiftcli.cli import render
    from shiftcli.predictor import Predictor
    from shiftcli.writers import choose_format, provenance

    if gpu is not None and device != "auto":
        raise UsageError("give --gpu or --device, not both")
    form = choose_format(form, output, ("table", "json"))
    predictor = Predictor(
        weights,
        nuclei=parse_nuclei(nucleus),
        device=device if gpu is None else f"cuda:{gpu}",
        views=views,
        dtype=dtype,
    )
    if data:
        result = measure_accuracy(predictor, data, split, on_note=render.note)
        tables = [render.accuracy_table(result)]
    else:
        result = measure_speed(predictor, benchmark_crystal())
        tables = [render.speed_table(result)]
    if form == "json":
        document = {**provenance(predictor), **result.to_dict()}
        render.emit(json.dumps(document, indent=1) + "\n", output)
    else:
        render.emit_tables(tables, output)
