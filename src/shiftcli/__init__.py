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

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shiftcli import errors as errors
    from shiftcli import weights as weights
    from shiftcli.benchmark.accuracy import measure_accuracy as measure_accuracy
    from shiftcli.benchmark.paper import reproduce as reproduce
    from shiftcli.benchmark.paper.setting import Setting as Setting
    from shiftcli.benchmark.speed import measure_speed as measure_speed
    from shiftcli.benchmark.suites import run_benchmark as run_benchmark
    from shiftcli.errors import ShiftcliError as ShiftcliError
    from shiftcli.nmr.assignment import compare as compare
    from shiftcli.nmr.averaging import average as average
    from shiftcli.nmr.calibration import calibrate as calibrate
    from shiftcli.nmr.experiment_files import read_experiment as read_experiment
    from shiftcli.nmr.ranking import rank as rank
    from shiftcli.nmr.shifts import References as References
    from shiftcli.nmr.shifts import parse_references as parse_references
    from shiftcli.nmr.spectrum.correlation import correlate_nuclei as correlate_nuclei
    from shiftcli.nmr.spectrum.simulate import simulate_spectra as simulate_spectra
    from shiftcli.pipeline.collect import collect as collect
    from shiftcli.pipeline.workers import predict_many as predict_many
    from shiftcli.prediction.ase_interface import (
        from_ase as from_ase,
    )
    from shiftcli.prediction.ase_interface import (
        get_shieldings as get_shieldings,
    )
    from shiftcli.prediction.predictor import Predictor as Predictor
    from shiftcli.readers import read as read
    from shiftcli.results.citations import find_citations as find_citations
    from shiftcli.results.installation import describe_installation as describe_installation
    from shiftcli.results.predictions import Results as Results
    from shiftcli.structure.crystal import Crystal as Crystal
    from shiftcli.training.config import Configuration as Configuration
    from shiftcli.training.refits import refit as refit
    from shiftcli.training.run import train as train
    from shiftcli.training.studies import study as study
    from shiftcli.views.formats import write as write
    from shiftcli.views.report.page import write_report as write_report

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

__all__ = sorted((*_HOMES, *_ROOMS, "__version__"))


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
