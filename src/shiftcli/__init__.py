"""shiftcli: NMR shieldings and shifts of molecular crystals from their structures.

The Python API is what the command line calls::

    import shiftcli

    (crystal,) = shiftcli.read("examples/urea.cif")
    for row in shiftcli.Predictor().predict(crystal).sites:
        print(row.site.label, row.shielding, row.uncertainty)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shiftcli.benchmark import measure_accuracy, measure_speed, run_benchmark
    from shiftcli.nmr.assignment import compare
    from shiftcli.nmr.averaging import average
    from shiftcli.nmr.calibration import calibrate
    from shiftcli.nmr.experiment import read_experiment
    from shiftcli.nmr.ranking import rank
    from shiftcli.nmr.spectrum import correlate_nuclei, simulate_spectra
    from shiftcli.prediction.ase_interface import from_ase, get_shieldings
    from shiftcli.prediction.predictor import Predictor
    from shiftcli.readers import read
    from shiftcli.training import refit, study, train
    from shiftcli.views import Results, write
    from shiftcli.views.report import write_report

__all__ = [
    "Predictor",
    "Results",
    "__version__",
    "average",
    "calibrate",
    "compare",
    "correlate_nuclei",
    "from_ase",
    "get_shieldings",
    "measure_accuracy",
    "measure_speed",
    "rank",
    "read",
    "read_experiment",
    "refit",
    "run_benchmark",
    "simulate_spectra",
    "study",
    "train",
    "write",
    "write_report",
]

#: Where each public name lives; importing the package must not import torch.
_HOMES = {
    "Predictor": "prediction.predictor",
    "Results": "views",
    "average": "nmr.averaging",
    "calibrate": "nmr.calibration",
    "compare": "nmr.assignment",
    "correlate_nuclei": "nmr.spectrum",
    "from_ase": "prediction.ase_interface",
    "get_shieldings": "prediction.ase_interface",
    "measure_accuracy": "benchmark",
    "measure_speed": "benchmark",
    "rank": "nmr.ranking",
    "read": "readers",
    "read_experiment": "nmr.experiment",
    "refit": "training",
    "run_benchmark": "benchmark",
    "simulate_spectra": "nmr.spectrum",
    "study": "training",
    "train": "training",
    "write": "views",
    "write_report": "views.report",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'shiftcli' has no attribute '{name}'")
    return getattr(import_module(f"shiftcli.{_HOMES[name]}"), name)
