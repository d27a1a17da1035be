"""Results become files that other programs open, one module a format."""

from __future__ import annotations

from shiftcli.views.files import check_outputs, check_writable, write_text
from shiftcli.views.formats import (
    FORMATS,
    SUFFIXES,
    check_references,
    choose_format,
    render,
    write,
)
from shiftcli.views.results import COLUMNS, Results, provenance

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
