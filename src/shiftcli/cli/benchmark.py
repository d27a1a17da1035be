"""`shiftcli benchmark`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.batch import make_predictor
from shiftcli.cli.command import command
from shiftcli.cli.options import RunningOptions, parse_counts
from shiftcli.errors import UsageError


@command
def benchmark(
    *,
    suite: Annotated[
        Literal["accuracy", "baseline", "speed", "all"] | None,
        typer.Option(
            help="Errors; errors beside kernel ridge regression on SOAP; times; or all.",
            show_default="accuracy with --data, else speed",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Structures with shieldings: measure the errors on them."),
    ] = None,
    split: Annotated[
        Literal["validation", "train", "all"],
        typer.Option(help="Every eighth family of crystals validates, the others train."),
    ] = "validation",
    classes: Annotated[
        bool, typer.Option("--classes", help="Errors by kind of environment, too (JSON has them).")
    ] = False,
    crystals: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Numbers of training crystals for the learning curve of the baseline.",
            show_default="all, a half, a quarter, an eighth",
        ),
    ] = None,
    largest: Annotated[
        int,
        typer.Option(min=128, help="Atoms in the largest cell timed; 10240 takes a minute."),
    ] = 1024,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="OLD.json", help="Show what has changed since that benchmark."),
    ] = None,
    form: Annotated[
        Literal["table", "json"] | None,
        typer.Option("--format", help="Format.", show_default="from the suffix, else table"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here.", show_default="stdout"),
    ] = None,
    gpu: Annotated[
        int | None,
        typer.Option(min=0, max=1024, metavar="N", help="The same as --device cuda:N."),
    ] = None,
    networks: RunningOptions,
) -> None:
    """Measure how fast the networks are on this machine, and with --data how right.

    Example: shiftcli benchmark --gpu 0
    """
    import json

    from shiftcli.benchmark import check_suite, load_benchmark, run_benchmark
    from shiftcli.benchmark import compare as compare_figures
    from shiftcli.benchmark.tables import comparison_table
    from shiftcli.views import check_outputs, choose_format
    from shiftcli.views.terminal import emit, emit_tables, note, show_notes

    if gpu is not None:
        if networks.device != "auto":
            raise UsageError("give --gpu or --device, not both")
        networks = replace(networks, device=f"cuda:{gpu}")
    places, sizes = data or [], None if crystals is None else parse_counts(crystals)
    check_suite(suite, places, split, sizes)
    kind = choose_format(form, output, ("table", "json"))
    check_outputs([output], [*places, *([compare] if compare else [])])
    old = None if compare is None else load_benchmark(compare)
    found = run_benchmark(
        make_predictor(networks), suite, data=places, split=split, crystals=sizes,
        largest=largest, on_note=note,
    )  # fmt: skip
    document, tables = found.to_dict(), found.tables(classes)
    if old is not None:
        comparison = compare_figures(old, document, str(compare))
        show_notes("", comparison.differences)
        if not comparison.changes:
            show_notes(str(compare), ["no figure in common with this benchmark"])
        document |= comparison.to_dict()
        tables.append(comparison_table(comparison, classes))
    if kind == "json":
        emit(json.dumps(document, indent=1) + "\n", output)
    else:
        emit_tables(tables, output)
