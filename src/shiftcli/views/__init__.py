"""Results become files, tables on a terminal, pictures and one page, one module a format."""

from __future__ import annotations

from shiftcli.files import check_outputs, check_writable, write_text
from shiftcli.results.predictions import COLUMNS, Results
from shiftcli.results.provenance import provenance
from shiftcli.views.formats import (
    FORMATS,
    SUFFIXES,
    check_references,
    choose_format,
    render,
    write,
)

__all__ = [
    "COLUMNS",
    "FORMATS",
    "SUFFIXES",
    "Results",
    "check_outputs",
    "check_references",
    "check_writable",
    "choose_format",
    "provenance",
    "render",
    "write",
    "write_text",
]
