"""Labelled crystals become networks."""

from shiftcli.training.config import Configuration
from shiftcli.training.data import is_validation
from shiftcli.training.run import load_labelled, train

__all__ = ["Configuration", "is_validation", "load_labelled", "train"]
