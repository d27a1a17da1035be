"""Several measurements in one document: what `shiftcli benchmark` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftcli.benchmark.accuracy import Accuracy, measure_accuracy
from shiftcli.benchmark.baseline import Baseline, measure_baseline
from shiftcli.benchmark.endtoend import EndToEnd, measure_end_to_end
from shiftcli.benchmark.regression import check_extra
from shiftcli.benchmark.speed import Speed, benchmark_crystal, measure_speed
from shiftcli.benchmark.tables import (
    accuracy_tables,
    baseline_tables,
    end_to_end_table,
    speed_table,
    steps_table,
)
from shiftcli.errors import UsageError
from shiftcli.prediction.predictor import Predictor
from shiftcli.results.machine import Machine, describe_machine
from shiftcli.results.provenance import provenance
from shiftcli.results.tables import Table

#: What each suite measures, in this order.
SUITES = {
    "accuracy": ("accuracy",),
    "baseline": ("baseline",),
    "speed": ("speed",),
    "all": ("accuracy", "baseline", "speed"),
}


@dataclass(frozen=True)
class Benchmark:
    """What was measured, None what was not.

    Attributes
    ----------
    made_by : dict of str to value
        Program, networks and machine-independent settings (`shiftcli.results.provenance`).
    machine : Machine
        Where.
    accuracy : Accuracy or None
        Errors.
    baseline : Baseline or None
        SOAP-KRR on the same crystals.
    speed : Speed or None
        Rates of the parts.
    end_to_end : EndToEnd or None
        Seconds from structures to shieldings.
    """

    made_by: dict[str, Any]
    machine: Machine
    accuracy: Accuracy | None = None
    baseline: Baseline | None = None
    speed: Speed | None = None
    end_to_end: EndToEnd | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        parts = (self.machine, self.accuracy, self.baseline, self.speed, self.end_to_end)
        document = dict(self.made_by)
        for part in parts:
            document |= {} if part is None else part.to_dict()
        return document

    def tables(self, classes: bool = False) -> list[Table]:
        """Tables of it all, those of kinds of environments if asked for."""
        tables = []
        if self.accuracy is not None:
            tables += accuracy_tables(self.accuracy, classes)
        if self.baseline is not None:
            tables += baseline_tables(self.baseline)
        if self.speed is not None:
            tables.append(speed_table(self.speed))
        if self.end_to_end is not None:
            tables += [end_to_end_table(self.end_to_end), steps_table(self.end_to_end)]
        return tables


def check_suite(
    suite: str | None,
    data: Sequence[str | Path],
    split: str = "validation",
    crystals: Sequence[int] | None = None,
) -> tuple[str, ...]:
    """What a suite measures of ``accuracy``, ``baseline`` and ``speed``.

    Arguments as of `run_benchmark`. `UsageError` for what contradicts itself or lacks its extra
    packages, before anything is read.
    """
    suite = suite or ("accuracy" if data else "speed")
    if suite not in SUITES:
        raise UsageError(f"suite '{suite}' is none of {', '.join(SUITES)}")
    parts = SUITES[suite]
    if parts == ("speed",) and data:
        raise UsageError("--suite speed takes no --data")
    if parts != ("speed",) and not data:
        raise UsageError(f"--suite {suite} needs --data")
    if "baseline" in parts:
        if split != "validation":
            raise UsageError(
                "the baseline is tested on the validation crystals: --split validation"
            )
        check_extra()
    elif crystals is not None:
        raise UsageError("--crystals is for --suite baseline and --suite all")
    return parts


def run_benchmark(
    predictor: Predictor,
    suite: str | None = None,
    *,
    data: Sequence[str | Path] = (),
    split: str = "validation",
    crystals: Sequence[int] | None = None,
    largest: int = 1024,
    format: str | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Benchmark:
    """Measure how fast networks are on this machine, and with data how right.

    Parameters
    ----------
    predictor : Predictor
        The networks.
    suite : {"accuracy", "baseline", "speed", "all"}, optional
        What is measured; without it accuracy where there are data, else speed.
    data, split, format
        As for `measure_accuracy`.
    crystals : sequence of int, optional
        Points of the baseline's learning curve, as for `measure_baseline`.
    largest : int
        Atoms in the largest cell that is timed.
    on_note : callable
        Told how it goes.

    Raises
    ------
    UsageError, TrainingError
        As `check_suite`, `measure_accuracy` and `measure_baseline`.
    """
    parts = check_suite(suite, data, split, crystals)
    accuracy = baseline = speed = times = None
    if data:
        accuracy = measure_accuracy(predictor, data, split, format=format, on_note=on_note)
        if "baseline" in parts:
            baseline = measure_baseline(
                accuracy, data, crystals or (), format=format, on_note=on_note
            )
    if "speed" in parts:
        weights, dtype = (predictor.settings[name] for name in ("weights", "dtype"))
        arguments = ["--device", str(predictor.device), "--dtype", str(dtype)]
        arguments += [] if weights is None else ["--weights", str(weights)]
        speed = measure_speed(predictor, benchmark_crystal())
        times = measure_end_to_end(predictor, largest=largest, arguments=arguments)
    return Benchmark(
        provenance(predictor), describe_machine(predictor.device),
        accuracy if "accuracy" in parts else None, baseline, speed, times,
    )  # fmt: skip
