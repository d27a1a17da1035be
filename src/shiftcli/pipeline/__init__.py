"""Thousands of files through a predictor: several processes, little memory, resumable."""

from __future__ import annotations

from shiftcli.pipeline.folder import Finished, is_folder, predict_into
from shiftcli.pipeline.spool import Spool
from shiftcli.pipeline.workers import Outcome, predict_in_processes, predict_many

__all__ = [
    "Finished",
    "Outcome",
    "Spool",
    "is_folder",
    "predict_in_processes",
    "predict_into",
    "predict_many",
]
