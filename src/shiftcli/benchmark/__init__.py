"""How right and how fast shiftcli is on this machine."""

from shiftcli.benchmark.accuracy import Accuracy, Errors, measure_accuracy
from shiftcli.benchmark.speed import Speed, measure_speed

__all__ = ["Accuracy", "Errors", "Speed", "measure_accuracy", "measure_speed"]
