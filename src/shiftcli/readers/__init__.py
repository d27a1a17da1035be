"""A path becomes crystals: CIF, extended XYZ, PDB, magres, POSCAR and SDF, plain or gzipped."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from shiftcli import limits
from shiftcli.errors import ReadError, UsageError, visible
from shiftcli.readers.sources import (
    STDIN,
    find_files,
    format_of_name,
    format_of_text,
    load,
    refuse_too_large,
    safe_text,
)
from shiftcli.structure.crystal import Crystal

__all__ = ["STDIN", "Disorder", "find_files", "iter_structures", "read"]

#: What to do with disorder: keep the major component, or refuse.
Disorder = Literal["major", "error"]

# Modules are named and not imported, so that a CIF does not wait for ASE. A reader of one
# structure returns it or raises; one of several yields structures and errors.
_READERS = {
    "cif": ("shiftcli.readers.cif", "read_cif"),
    "extxyz": ("shiftcli.readers.ase_formats", "read_extxyz"),
    "poscar": ("shiftcli.readers.ase_formats", "read_poscar"),
    "pdb": ("shiftcli.readers.pdb", "read_pdb"),
    "magres": ("shiftcli.readers.magres", "read_magres"),
    "sdf": ("shiftcli.readers.molecules", "read_sdf"),
}
_KNOW_DISORDER = ("cif", "pdb")
_KNOW_COLUMNS = ("extxyz", "sdf")
_HOLD_MANY = ("extxyz", "sdf")


def iter_structures(
    path: str | Path, *, disorder: Disorder = "major", shielding_column: str | None = None
) -> Iterator[Crystal | ReadError]:
    """Read the structures of a file one by one.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, plain or gzipped, or ``-`` for standard input. The suffix names the
        format; where it does not, the contents do.
    disorder : {"major", "error"}
        Keep the major component of disorder, or refuse disordered structures.
    shielding_column : str, optional
        Column with shieldings of an extended XYZ file, or of the table beside an SDF file;
        without it the usual names.

    Yields
    ------
    Crystal or ReadError
        One item a structure; a structure that cannot be read is its error, and the next
        follows.

    Raises
    ------
    UsageError
        If `disorder` is none of the choices.
    """
    if disorder not in get_args(Disorder):
        raise UsageError(f"disorder is 'major' or 'error', not '{safe_text(disorder)}'")
    source = str(path)
    found: Crystal | ReadError | Iterator[Crystal | ReadError]
    try:
        text = load(path)
        kind = ("" if source == STDIN else format_of_name(source)) or format_of_text(text)
        if not kind:
            raise ReadError(
                "no known structure format", where=visible(source),
                hint="CIF, extended XYZ, PDB, magres, POSCAR and SDF are read",
            )  # fmt: skip
        if kind not in _HOLD_MANY:
            refuse_too_large(len(text), limits.PARSED_BYTES, visible(source), f" of {kind}")
        found = _read_as(kind, text, source, disorder, shielding_column)
    except ReadError as error:
        found = error
    found = iter([found]) if isinstance(found, Crystal | ReadError) else found
    for item in islice(found, limits.STRUCTURES):
        if isinstance(item, ReadError) and not item.where:
            item.where = visible(source)
        yield item
    if next(found, None) is not None:
        yield ReadError(
            f"more than {limits.STRUCTURES} structures; the rest is not read", where=visible(source)
        )


def _read_as(
    kind: str, text: str, source: str, disorder: str, shielding_column: str | None
) -> Crystal | Iterator[Crystal | ReadError]:
    module, function = _READERS[kind]
    options: dict[str, object] = {}
    if kind in _KNOW_DISORDER:
        options["disorder"] = disorder
    if kind in _KNOW_COLUMNS:
        options["shielding_column"] = shielding_column
    return getattr(import_module(module), function)(text, source, **options)


def read(
    path: str | Path, *, disorder: Disorder = "major", shielding_column: str | None = None
) -> list[Crystal]:
    """Read all structures of a file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, as in `iter_structures`.
    disorder : {"major", "error"}
        Keep the major component of disorder, or refuse disordered structures.
    shielding_column : str, optional
        Column with shieldings, as in `iter_structures`.

    Returns
    -------
    list of Crystal
        The structures in the order of the file.

    Raises
    ------
    ReadError
        At the first structure that cannot be read.
    UsageError
        If `disorder` is none of the choices.
    """
    crystals = []
    for item in iter_structures(path, disorder=disorder, shielding_column=shielding_column):
        if isinstance(item, ReadError):
            raise item
        crystals.append(item)
    return crystals
