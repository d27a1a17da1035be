"""Predictions as comma-separated values."""

from __future__ import annotations

import csv
import io
from typing import Any

from shiftcli.readers import STDIN
from shiftcli.views.results import COLUMNS, Results


def write_csv(results: Results) -> str:
    """Write predictions as CSV.

    Parameters
    ----------
    results : Results
        What was predicted.

    Returns
    -------
    str
        The columns in `COLUMNS`, one row a distinct site. Text that a spreadsheet would
        take for a formula (it begins with ``=``, ``+``, ``-``, ``@`` or a tab, and is
        not ``-`` alone) has a ``'`` in front; a carriage return becomes ``\\r``.
    """
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
    if isinstance(value, str):
        value = value.replace("\r", "\\r")  # which csv leaves unquoted, and readers take for a row
    if isinstance(value, str) and value != STDIN and value[:1] in ("=", "+", "-", "@", "\t"):
        return "'" + value
    return value
