"""`shiftcli benchmark`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shiftcli.cli.batch import data_files, make_predictor, network_files
from shiftcli.cli.command import command
from shiftcli.cli.options import FormatOptions, RunningOptions
from shiftcli.cli.words import parse_counts
from shiftcli.errors import UsageError
from shiftcli.options import option


@dataclass(frozen=True)
class BenchmarkOptions(FormatOptions):
    """What is measured, and what it is held against."""

    suite: Literal["accuracy", "baseline", "speed", "all"] | None = option(
        None, "Errors; errors beside kernel ridge regression on SOAP; times; or all",
        shown="accuracy with --data, else speed",
    )  # fmt: skip
    data: list[Path] | None = option(
        None, "Structures with shieldings: measure the errors on them.", shown="none"
    )
    split: Literal["validation", "train", "all"] = option(
        "validation", "Every eighth family of crystals validates, the others train"
    )
    classes: bool = option(False, "Errors by kind of environment, too (JSON has them).")
    crystals: tuple[int, ...] | None = option(
        None, "Numbers of training crystals for the learning curve of the baseline.",
        metavar="N,N,...", shown="all, a half, a quarter, an eighth", parse=parse_counts,
    )  # fmt: skip
    largest: int = option(
        1024, "Atoms in the largest cell timed; 10240 takes a minute.", limits=(128, math.inf)
    )
    compare: Path | None = option(
        None, "Show what has changed since that benchmark.", metavar="OLD.json", shown="none"
    )
    form: Literal["table", "json"] | None = option(
        None, "Format", name="format", shown="from the suffix, else table"
    )
    output: Path | None = option(None, "Write here.", short="o", metavar="FILE", shown="stdout")
    gpu: int | None = option(
        None, "The same as --device cuda:N.", limits=(0, 1024), metavar="N", shown="none"
    )


@command
def benchmark(*, what: BenchmarkOptions, networks: RunningOptions) -> None:
    """Measure how fast the networks are on this machine, and with --data how right.

    Example: shiftcli benchmark --gpu 0
    """
    import json

    from shiftcli.benchmark.compare import compare, load_benchmark
    from shiftcli.benchmark.suites import check_suite, run_benchmark
    from shiftcli.benchmark.tables import comparison_table
    from shiftcli.files import check_outputs
    from shiftcli.views import choose_format
    from shiftcli.views.terminal import emit, emit_tables, note, show_notes

    if what.gpu is not None:
        if networks.device != "auto":
            raise UsageError("give --gpu or --device, not both")
        networks = replace(networks, device=f"cuda:{what.gpu}")
    data, old = what.data or [], what.compare
    check_suite(what.suite, data, what.split, what.crystals)
    kind = choose_format(what.form, what.output, ("table", "json"))
    used = [*network_files(networks.weights), *([old] if old else [])]
    check_outputs([what.output], [*data_files(data), *used])
    earlier = None if old is None else load_benchmark(old)
    found = run_benchmark(
        make_predictor(networks), what.suite, data=data, split=what.split,
        crystals=what.crystals, largest=what.largest, format=what.format, on_note=note,
    )  # fmt: skip
    document, tables = found.to_dict(), found.tables(what.classes)
    if earlier is not None:
        comparison = compare(earlier, document, str(old))
        show_notes("", comparison.differences)
        if not comparison.changes:
            show_notes(str(old), ["no figure in common with this benchmark"])
        document |= comparison.to_dict()
        tables.append(comparison_table(comparison, what.classes))
    if kind == "json":
        emit(json.dumps(document, indent=1) + "\n", what.output)
    else:
        emit_tables(tables, what.output)
