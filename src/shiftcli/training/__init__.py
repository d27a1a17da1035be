"""Labelled crystals become networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

#: Where each name lives: the hyperparameters must not import torch on the way to ``--help``.
_HOMES = {
    "Configuration": "config", "Task": "folder", "Variation": "studies", "is_validation": "data",
    "load_labelled": "sources", "load_levels": "sources", "make_configuration": "config",
    "Refit": "refits", "refit": "refits", "study": "studies", "train": "run",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'shiftcli.training' has no attribute '{name}'")
    return getattr(import_module(f"shiftcli.training.{_HOMES[name]}"), name)
