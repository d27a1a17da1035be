"""Labelled crystals become networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shiftcli.lazy import lazily

if TYPE_CHECKING:
    from shiftcli.training.config import Configuration, make_configuration
    from shiftcli.training.data import is_validation
    from shiftcli.training.folder import Task
    from shiftcli.training.refits import Refit, refit
    from shiftcli.training.run import train
    from shiftcli.training.sources import load_labelled, load_levels
    from shiftcli.training.studies import Variation, study

__all__ = [
    "Configuration",
    "Refit",
    "Task",
    "Variation",
    "is_validation",
    "load_labelled",
    "load_levels",
    "make_configuration",
    "refit",
    "study",
    "train",
]

# The hyperparameters must not import torch on the way to ``--help``.
__getattr__ = lazily(
    __name__,
    {
        "Configuration": "config", "Task": "folder", "Variation": "studies",
        "is_validation": "data", "load_labelled": "sources", "load_levels": "sources",
        "make_configuration": "config",
        "Refit": "refits", "refit": "refits", "study": "studies", "train": "run",
    },
)  # fmt: skip
