"""`shiftcli benchmark`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from shiftcli.cli.batch import make_predictor
from shiftcli.cli.command import command
from shiftcli.cli.options import RunningOptions, parse_counts
from shiftcli.errors import UsageError

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import Predictor
    from shiftcli.results.tables import Table

#: What each suite measures, in this order.
_SUITES = {
    "accuracy": ("accuracy",),
    "baseline": ("baseline",),
    "speed": ("speed",),
    "all": ("accuracy", "baseline", "speed"),
}


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
        typer.Option(help="Every eighth crystal validates, the others train."),
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

    from shiftcli import benchmark as library
    from shiftcli.benchmark.tables import comparison_table
    from shiftcli.views import check_outputs, choose_format, provenance
    from shiftcli.views.terminal import emit, emit_tables, show_notes

    if gpu is not None:
        if networks.device != "auto":
            raise UsageError("give --gpu or --device, not both")
        networks = replace(networks, device=f"cuda:{gpu}")
    parts = _SUITES[suite or ("accuracy" if data else "speed")]
    sizes = _check(parts, data, split, crystals)
    kind = choose_format(form, output, ("table", "json"))
    check_outputs([output], [*(data or ()), *([compare] if compare else [])])
    old = None if compare is None else library.load_benchmark(compare)
    predictor = make_predictor(networks)
    figures, tables = _measure(parts, predictor, data or [], split, sizes, classes)
    if "speed" in parts:
        arguments = ["--device", str(predictor.device), "--dtype", networks.dtype]
        arguments += [] if networks.weights is None else ["--weights", str(networks.weights)]
        more_figures, more_tables = _measure_speed(predictor, largest, arguments)
        figures, tables = figures | more_figures, tables + more_tables
    machine = library.describe_machine(predictor.device)
    document = {**provenance(predictor), **machine.to_dict(), **figures}
    if old is not None:
        comparison = library.compare(old, document, str(compare))
        show_notes("", comparison.differences)
        if not comparison.changes:
            show_notes(str(compare), ["no figure in common with this benchmark"])
        document |= comparison.to_dict()
        tables.append(comparison_table(comparison, classes))
    if kind == "json":
        emit(json.dumps(document, indent=1) + "\n", output)
    else:
        emit_tables(tables, output)


def _check(
    parts: tuple[str, ...], data: list[Path] | None, split: str, crystals: str | None
) -> tuple[int, ...]:
    """Numbers of training crystals; refuses what contradicts itself before anything is read."""
    from shiftcli.benchmark import check_extra

    if parts == ("speed",):
        if data:
            raise UsageError("--suite speed takes no --data")
    elif not data:
        raise UsageError(f"--suite {'all' if len(parts) > 1 else parts[0]} needs --data")
    if "baseline" not in parts:
        if crystals is not None:
            raise UsageError("--crystals is for --suite baseline and --suite all")
        return ()
    if split != "validation":
        raise UsageError("the baseline is tested on the validation crystals: --split validation")
    check_extra()
    return () if crystals is None else parse_counts(crystals)


def _measure(
    parts: tuple[str, ...],
    predictor: Predictor,
    data: list[Path],
    split: str,
    sizes: tuple[int, ...],
    classes: bool,
) -> tuple[dict[str, Any], list[Table]]:
    """Figures of the suites for JSON, and their tables."""
    from shiftcli import benchmark as library
    from shiftcli.benchmark import tables as shown
    from shiftcli.views.terminal import note

    figures: dict[str, Any] = {}
    tables: list[Table] = []
    if data:
        accuracy = library.measure_accuracy(predictor, data, split, on_note=note)
        if "accuracy" in parts:
            figures |= accuracy.to_dict()
            tables += shown.accuracy_tables(accuracy, classes)
        if "baseline" in parts:
            baseline = library.measure_baseline(accuracy, data, sizes, on_note=note)
            figures |= baseline.to_dict()
            tables += shown.baseline_tables(baseline)
    return figures, tables


def _measure_speed(
    predictor: Predictor, largest: int, arguments: list[str]
) -> tuple[dict[str, Any], list[Table]]:
    """Times of the parts and of whole crystals."""
    from shiftcli import benchmark as library
    from shiftcli.benchmark import tables as shown

    speed = library.measure_speed(predictor, library.benchmark_crystal())
    times = library.measure_end_to_end(predictor, largest=largest, arguments=arguments)
    tables = [
        shown.speed_table(speed), shown.end_to_end_table(times), shown.steps_table(times),
    ]  # fmt: skip
    return {**speed.to_dict(), **times.to_dict()}, tables
