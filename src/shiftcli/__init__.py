"""shiftcli: NMR shieldings and shifts of molecular crystals from their structures.

The Python API is what the command line calls::

    import shiftcli

    (crystal,) = shiftcli.read("examples/urea.cif")
    for row in shiftcli.Predictor().predict(crystal).sites:
        print(row.site.label, row.shielding, row.uncertainty)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shiftcli.lazy import lazily

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shiftcli import errors, weights
    from shiftcli.benchmark.accuracy import measure_accuracy
    from shiftcli.benchmark.paper import reproduce
    from shiftcli.benchmark.paper.setting import Setting
    from shiftcli.benchmark.speed import measure_speed
    from shiftcli.benchmark.suites import run_benchmark
    from shiftcli.errors import ShiftcliError
    from shiftcli.nmr.assignment import compare
    from shiftcli.nmr.averaging import average
    from shiftcli.nmr.calibration import calibrate
    from shiftcli.nmr.experiment_files import read_experiment
    from shiftcli.nmr.ranking import rank
    from shiftcli.nmr.shifts import References, parse_references
    from shiftcli.nmr.spectrum.correlation import correlate_nuclei
    from shiftcli.nmr.spectrum.simulate import simulate_spectra
    from shiftcli.pipeline.collect import collect
    from shiftcli.pipeline.workers import predict_many
    from shiftcli.prediction.ase_interface import from_ase, get_shieldings
    from shiftcli.prediction.predictor import Predictor
    from shiftcli.readers import read
    from shiftcli.results.citations import find_citations
    from shiftcli.results.installation import describe_installation
    from shiftcli.results.predictions import Results
    from shiftcli.structure.crystal import Crystal
    from shiftcli.training.config import Configuration
    from shiftcli.training.refits import refit
    from shiftcli.training.run import train
    from shiftcli.training.studies import study
    from shiftcli.views.formats import write
    from shiftcli.views.report.page import write_report

#: Where each public name lives; importing the package must not import torch.
_HOMES = {
    "Configuration": "training.config",
    "Crystal": "structure.crystal",
    "Predictor": "prediction.predictor",
    "References": "nmr.shifts",
    "Results": "results.predictions",
    "Setting": "benchmark.paper.setting",
    "ShiftcliError": "errors",
    "average": "nmr.averaging",
    "calibrate": "nmr.calibration",
    "collect": "pipeline.collect",
    "compare": "nmr.assignment",
    "correlate_nuclei": "nmr.spectrum.correlation",
    "describe_installation": "results.installation",
    "find_citations": "results.citations",
    "from_ase": "prediction.ase_interface",
    "get_shieldings": "prediction.ase_interface",
    "measure_accuracy": "benchmark.accuracy",
    "measure_speed": "benchmark.speed",
    "parse_references": "nmr.shifts",
    "predict_many": "pipeline.workers",
    "rank": "nmr.ranking",
    "read": "readers",
    "read_experiment": "nmr.experiment_files",
    "refit": "training.refits",
    "reproduce": "benchmark.paper",
    "run_benchmark": "benchmark.suites",
    "simulate_spectra": "nmr.spectrum.simulate",
    "study": "training.studies",
    "train": "training.run",
    "write": "views.formats",
    "write_report": "views.report.page",
}

#: Rooms that are public as they are.
_ROOMS = ("errors", "weights")

__all__ = [
    "Configuration",
    "Crystal",
    "Predictor",
    "References",
    "Results",
    "Setting",
    "ShiftcliError",
    "__version__",
    "average",
    "calibrate",
    "collect",
    "compare",
    "correlate_nuclei",
    "describe_installation",
    "errors",
    "find_citations",
    "from_ase",
    "get_shieldings",
    "measure_accuracy",
    "measure_speed",
    "parse_references",
    "predict_many",
    "rank",
    "read",
    "read_experiment",
    "refit",
    "reproduce",
    "run_benchmark",
    "simulate_spectra",
    "study",
    "train",
    "weights",
    "write",
    "write_report",
]

_find = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    return import_module(f"{__name__}.{name}") if name in _ROOMS else _find(name)


def __dir__() -> list[str]:
    return __all__
