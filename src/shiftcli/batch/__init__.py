"""Thousands of files through a predictor: several processes, little memory, resumable."""

from __future__ import annotations

from shiftcli.batch.folder import finished, predict_into
from shiftcli.batch.spool import Spool
from shiftcli.batch.workers import predict_in_processes

__all__ = ["Spool", "finished", "predict_in_processes", "predict_into"]
