"""Labelled crystals become networks."""

from shiftcli.training.config import Configuration, make_configuration
from shiftcli.training.data import is_validation
from shiftcli.training.folder import Task
from shiftcli.training.run import train
from shiftcli.training.sources import load_labelled, load_levels
from shiftcli.training.study import Variation, study

__all__ = [
    "Configuration",
    "Task",
    "Variation",
    "is_validation",
    "load_labelled",
    "load_levels",
    "make_configuration",
    "study",
    "train",
]
