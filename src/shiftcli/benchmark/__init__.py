"""How right and how fast shiftcli is on this machine."""

from shiftcli.benchmark.accuracy import Accuracy, Errors, measure_accuracy
from shiftcli.benchmark.speed import Speed, benchmark_crystal, measure_speed

__all__ = ["Accuracy", "Errors", "Speed", "benchmark_crystal", "measure_accuracy", "measure_speed"]
