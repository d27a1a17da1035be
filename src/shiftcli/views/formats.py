"""Which format a file is written in."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import References
from shiftcli.views.files import write_text
from shiftcli.views.results import Results

#: Names of the output formats, and the suffixes that choose them; ``.gz`` may follow.
FORMATS = ("table", "csv", "json", "xyz", "magres", "cif", "chemiscope", "simpson")
SUFFIXES = {
    ".txt": "table",
    ".csv": "csv",
    ".chemiscope.json": "chemiscope",
    ".json": "json",
    ".xyz": "xyz",
    ".extxyz": "xyz",
    ".magres": "magres",
    ".cif": "cif",
    ".spinsys": "simpson",
}

# Modules are named and not imported, so that CSV does not wait for ASE.
_WRITERS = {
    "csv": ("csv_table", "write_csv"),
    "json": ("json_document", "write_json"),
    "xyz": ("extended_xyz", "write_xyz"),
    "magres": ("magres", "write_magres"),
    "cif": ("cif", "write_cif"),
    "chemiscope": ("chemiscope", "write_chemiscope"),
    "simpson": ("simpson", "write_simpson"),
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
    name = output.name.lower().removesuffix(".gz")
    found = next((form for suffix, form in SUFFIXES.items() if name.endswith(suffix)), None)
    if found is None or found not in formats:
        raise UsageError(
            f"the suffix of '{output}' names no format", hint=f"--format {'|'.join(formats)}"
        )
    return found


def suffix_of(form: str) -> str:
    """Suffix of the files of a format, such as ``.csv``."""
    return next(suffix for suffix, name in SUFFIXES.items() if name == form)


def check_references(form: str, references: References) -> None:
    """Refuse a format that holds shifts where there are none, before anything is predicted.

    Parameters
    ----------
    form : str
        One of `FORMATS`.
    references : References
        How shieldings are to become shifts.

    Raises
    ------
    UsageError
        If the format needs references and there are none.
    """
    if form == "simpson":
        simpson = import_module("shiftcli.views.simpson")
        simpson.check_references(references)


def write(results: Results, output: str | Path, form: str | None = None) -> None:
    """Write predictions into a file.

    Parameters
    ----------
    results : Results
        What was predicted.
    output : str or pathlib.Path
        The file; replaced if it is there. It is whole or not written at all.
    form : str, optional
        One of `FORMATS` other than ``table``; without it the suffix of `output` says.

    Raises
    ------
    UsageError
        If the format is none of them, cannot hold these predictions, or the file cannot be
        written.
    """
    kind = choose_format(form, Path(output), FORMATS[1:])
    if kind not in _WRITERS:
        raise UsageError(f"no format '{kind}'", hint=f"one of {', '.join(_WRITERS)}")
    write_text(render(results, kind), Path(output))


def render(results: Results, form: str) -> str:
    """Write predictions in one of the machine formats.

    Parameters
    ----------
    results : Results
        What was predicted.
    form : str
        One of `FORMATS` other than ``table``.

    Returns
    -------
    str
        The text of the file.

    Raises
    ------
    UsageError
        If the format cannot hold these predictions; the message names another.
    """
    module, function = _WRITERS[form]
    return getattr(import_module(f"shiftcli.views.{module}"), function)(results)
