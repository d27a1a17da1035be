"""Which format a file is written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from shiftcli.errors import UsageError
from shiftcli.files import Chunks, write_file
from shiftcli.nmr.shifts import References
from shiftcli.options import AtomFormat, TableFormat
from shiftcli.results.predictions import Results
from shiftcli.results.tables import Document
from shiftcli.structure.nuclei import ELEMENTS

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import Prediction

#: Formats that hold any table, and those that hold atoms with their shieldings.
TABLES: tuple[str, ...] = get_args(TableFormat)
ATOMS: tuple[str, ...] = get_args(AtomFormat)
FORMATS = (*TABLES, *ATOMS)

#: Those of spin systems, by the program, and those of which a file holds one structure.
SPINS = {"simpson": "SIMPSON", "mrsimulator": "mrsimulator"}
SINGLE = ("magres", "simpson")

#: Those that are no text.
BINARY = ("xlsx", "parquet")

#: What writes each format, and the suffixes that choose it; ``.gz`` may follow. Modules are named
#: and not imported, so that CSV does not wait for ASE.
_WRITERS = {
    "table": ("terminal.plain_text", (".txt",)),
    "csv": ("spreadsheets.write_csv", (".csv",)),
    "xlsx": ("spreadsheets.write_xlsx", (".xlsx",)),
    "parquet": ("spreadsheets.write_parquet", (".parquet",)),
    "chemiscope": ("chemiscope.write_chemiscope", (".chemiscope.json",)),
    "json": ("documents.write_json", (".json",)),
    "md": ("documents.write_markdown", (".md",)),
    "tex": ("documents.write_latex", (".tex",)),
    "html": ("documents.write_html", (".html",)),
    "xyz": ("extended_xyz.write_xyz", (".xyz", ".extxyz")),
    "magres": ("magres.write_magres", (".magres",)),
    "cif": ("cif.write_cif", (".cif",)),
    "simpson": ("simpson.write_simpson", (".spinsys",)),
    "mrsimulator": ("mrsimulator.write_mrsimulator", (".mrsim",)),
}
SUFFIXES = {suffix: form for form, (_, suffixes) in _WRITERS.items() for suffix in suffixes}


def choose_format(name: str | None, output: Path | None, formats: Sequence[str] = FORMATS) -> str:
    """Format from ``--format``, else from the output's suffix, else ``table``.

    `UsageError` if the suffix names none of `formats`.
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
    """Refuse a format that holds shifts where there are none, before anything is predicted."""
    if form in SPINS and not any(references.shift(e, 0.0) is not None for e in ELEMENTS):
        raise UsageError(
            f"a spin system of {SPINS[form]} holds shifts, and there are no references",
            hint="--references C:168.64,H:30.96",
        )


def check_holds(results: Results, prediction: Prediction, form: str, before: int = 0) -> None:
    """Refuse a structure that a format cannot hold, so that it fails and no other.

    `before` is the number of structures that the file holds already; raises `UsageError`.
    """
    if before and form in SINGLE:
        raise UsageError(
            f"a {form} file holds one structure",
            where=prediction.crystal.where,
            hint="--output FOLDER takes one file a structure",
        )
    if form in ATOMS:
        render(replace(results, predictions=[prediction]), form)


def write(results: Results, output: str | Path, form: str | None = None) -> None:
    """Write predictions into a file.

    Parameters
    ----------
    results : Results
        What was predicted.
    output : str or pathlib.Path
        The file; replaced if it is there. It is whole or not written at all.
    form : str, optional
        One of `FORMATS`; without it the suffix of `output` says.

    Raises
    ------
    UsageError
        If the format is none of them, cannot hold these predictions, or the file cannot be
        written.
    """
    kind = choose_format(form, Path(output))
    write_file(chunks(results, kind), Path(output))


def chunks(results: Results, form: str) -> Chunks:
    """Predictions in one of `FORMATS`, piece by piece.

    Raises
    ------
    UsageError
        If there is no such format, or it cannot hold these predictions; the message names
        another.
    """
    if form not in ATOMS:
        return document_chunks(results.document(), form)
    if form != "xyz":
        return [_writer(form)(results)]
    return (_writer(form)(replace(results, predictions=[own])) for own in results.predictions)


def document_chunks(document: Document, form: str) -> Chunks:
    """Any result in one of `TABLES`, piece by piece.

    Raises
    ------
    UsageError
        If there is no such format, or what writes it is not installed.
    """
    if form not in TABLES:
        raise UsageError(f"no format '{form}'", hint=f"one of {', '.join(FORMATS)}")
    return _writer(form)(document.tables() if form == "table" else document)


def _writer(form: str) -> Callable[[Any], Any]:
    module, _, function = _WRITERS[form][0].partition(".")
    return getattr(import_module(f"shiftcli.views.{module}"), function)


def render(results: Results, form: str) -> Any:
    """Predictions in one of `FORMATS`, as one text, or bytes of a workbook or of Parquet.

    Raises
    ------
    UsageError
        As `chunks` does.
    """
    pieces: list[Any] = list(chunks(results, form))
    return b"".join(pieces) if form in BINARY else "".join(pieces)
