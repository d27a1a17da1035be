"""Tables as comma-separated values, Excel workbooks and Parquet: a row for each row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from shiftcli.errors import needing, visible
from shiftcli.readers import STDIN
from shiftcli.results.tables import Document


def write_csv(document: Document) -> Iterator[str]:
    """First tables of all structures below each other, as comma-separated values.

    Text that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-``,
    ``@`` or a tab, and is not ``-`` alone) has a ``'`` in front.
    """
    heads: list[str] | None = None
    for entry in document.entries:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        found, rows = entry.flat()
        if heads is None:
            writer.writerow(heads := found)
        writer.writerows([harmless(cell) for cell in row] for row in rows)
        yield stream.getvalue()


def harmless(value: Any) -> Any:
    """Keep text from a file from starting a formula, or a row, in a spreadsheet."""
    if not isinstance(value, str):
        return value
    is_formula = value != STDIN and value[:1] in ("=", "+", "-", "@", "\t")
    return ("'" if is_formula else "") + visible(value, 100_000)


def write_xlsx(document: Document) -> Iterator[bytes]:
    """A workbook: a sheet for each kind of table, and one that says where it comes from.

    Raises
    ------
    UsageError
        If openpyxl is not installed.
    """
    with needing("openpyxl", "workbooks need"):
        from openpyxl import Workbook
    book = Workbook(write_only=True)
    sheets: dict[str, Any] = {}
    for entry in document.entries:
        for table in entry.tables:
            heads, rows = entry.flat(table)
            if table.key not in sheets:
                sheets[table.key] = book.create_sheet(table.key[:31])
                sheets[table.key].append(heads)
            for row in rows:
                sheets[table.key].append([harmless(cell) for cell in row])
    origin = book.create_sheet("origin")
    for key, value in document.head.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        origin.append([key, harmless(text)])
    stream = io.BytesIO()
    book.save(stream)
    yield stream.getvalue()


def write_parquet(document: Document) -> Iterator[bytes]:
    """First tables of all structures below each other; what JSON begins with as metadata.

    Raises
    ------
    UsageError
        If pyarrow is not installed.
    """
    with needing("pyarrow", "Parquet needs"):
        import pyarrow
        from pyarrow import parquet
    heads: list[str] = []
    rows: list[list[Any]] = []
    for entry in document.entries:
        heads, found = entry.flat()
        rows += [[visible(c, 100_000) if isinstance(c, str) else c for c in row] for row in found]
    columns = dict(zip(heads, zip(*rows, strict=True), strict=True)) if rows else {}
    table = pyarrow.table({head: list(values) for head, values in columns.items()})
    about = {"shiftcli": json.dumps(document.head, ensure_ascii=False)}
    stream = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(about), stream)
    yield stream.getvalue()
