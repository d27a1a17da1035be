"""How right and how fast shiftcli is on this machine."""

from shiftcli.benchmark.accuracy import Accuracy, measure_accuracy
from shiftcli.benchmark.baseline import Baseline, measure_baseline
from shiftcli.benchmark.compare import Comparison, compare, load_benchmark
from shiftcli.benchmark.endtoend import EndToEnd, measure_end_to_end
from shiftcli.benchmark.regression import check_extra
from shiftcli.benchmark.speed import Speed, benchmark_crystal, measure_speed
from shiftcli.benchmark.suites import Benchmark, check_suite, run_benchmark
from shiftcli.results.machine import Machine, describe_machine
from shiftcli.results.statistics import Errors, Versus

__all__ = [
    "Accuracy",
    "Baseline",
    "Benchmark",
    "Comparison",
    "EndToEnd",
    "Errors",
    "Machine",
    "Speed",
    "Versus",
    "benchmark_crystal",
    "check_extra",
    "check_suite",
    "compare",
    "describe_machine",
    "load_benchmark",
    "measure_accuracy",
    "measure_baseline",
    "measure_end_to_end",
    "measure_speed",
    "run_benchmark",
]
