"""Labelled crystals become networks."""

from shiftcli.training.config import Configuration
from shiftcli.training.data import is_validation
from shiftcli.training.run import train
from shiftcli.training.sources import load_labelled, load_levels

__all__ = ["Configuration", "is_validation", "load_labelled", "load_levels", "train"]
