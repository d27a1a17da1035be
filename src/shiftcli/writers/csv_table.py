"""Predictions as comma-separated values."""

from __future__ import annotations

import csv
import io
from typing import Any

from shiftcli.readers import STDIN
from shiftcli.writers.results import COLUMNS, Results


def write_csv(results: Results) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for prediction in results.predictions:
        for site in prediction.sites:
            row = results.row(prediction, site)
            writer.writerow({k: harmless(v) for k, v in row.items()})
    return stream.getvalue()


def harmless(value: Any) -> Any:
    """Keep text from a file from starting a formula in a spreadsheet."""
    if isinstance(value, str) and value != STDIN and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
