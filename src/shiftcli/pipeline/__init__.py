"""Many structures: processes, shards, and a folder that a later run goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shiftcli.lazy import lazily

if TYPE_CHECKING:
    from shiftcli.pipeline.folder import Finished, is_folder, predict_into
    from shiftcli.pipeline.shards import Shard, parse_shard, shard_of_array
    from shiftcli.pipeline.spool import Spool
    from shiftcli.pipeline.stored import StoredPredictor
    from shiftcli.pipeline.workers import Outcome, predict_in_processes, predict_many

__all__ = [
    "Finished",
    "Outcome",
    "Shard",
    "Spool",
    "StoredPredictor",
    "is_folder",
    "parse_shard",
    "predict_in_processes",
    "predict_into",
    "predict_many",
    "shard_of_array",
]

__getattr__ = lazily(
    __name__,
    {
        "Finished": "folder", "is_folder": "folder", "predict_into": "folder",
        "Shard": "shards", "parse_shard": "shards", "shard_of_array": "shards",
        "Spool": "spool", "StoredPredictor": "stored", "Outcome": "workers",
        "predict_in_processes": "workers", "predict_many": "workers",
    },
)  # fmt: skip
