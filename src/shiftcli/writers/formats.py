"""Which format a file is written in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from shiftcli.errors import UsageError
from shiftcli.writers.results import Results

#: Names of the output formats, and the suffixes that choose them.
FORMATS = ("table", "csv", "json", "xyz", "magres")
SUFFIXES = {
    ".txt": "table",
    ".csv": "csv",
    ".json": "json",
    ".xyz": "xyz",
    ".extxyz": "xyz",
    ".magres": "magres",
}

# Modules are named and not imported, so that CSV does not wait for ASE.
_WRITERS = {
    "csv": ("csv_table", "write_csv"),
    "json": ("json_document", "write_json"),
    "xyz": ("extended_xyz", "write_xyz"),
    "magres": ("magres", "write_magres"),
}


def choose_format(name: str | None, output: Path | None, formats: Sequence[str] = FORMATS) -> str:
    """Format from ``--format``, else from the output's suffix, else ``table``.

    Parameters
    ----------
    name : str, optional
        What the user asked for.
    output : pathlib.Path, optional
        The output file.
    formats : sequence of str
        Formats that this command writes.

    Returns
    -------
    str
        One of `formats`.

    Raises
    ------
    UsageError
        If the suffix names none of them.
    """
    if name is not None:
        return name
    if output is None:
        return "table"
    found = SUFFIXES.get(output.suffix.lower())
    if found is None or found not in formats:
        raise UsageError(
            f"the suffix of '{output}' names no format", hint=f"--format {'|'.join(formats)}"
        )
    return found


def render(results: Results, form: str) -> str:
    """Write predictions in one of the machine formats.

    Parameters
    ----------
    results : Results
        What was predicted.
    form : {"csv", "json", "xyz", "magres"}
        The format.

    Returns
    -------
    str
        The text of the file.

    Raises
    ------
    UsageError
        If magres is asked for more than one structure.
    """
    module, function = _WRITERS[form]
    return getattr(import_module(f"shiftcli.writers.{module}"), function)(results)
