"""A path becomes crystals; `shiftcli.readers.registry` lists the formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from shiftcli import limits
from shiftcli.errors import ReadError, UsageError, visible
from shiftcli.options import Disorder as Disorder
from shiftcli.readers.registry import Format, format_of_name, format_of_text, named, titles
from shiftcli.readers.sources import (
    STDIN,
    cut_short,
    find_files,
    load,
    refuse_too_large,
    safe_text,
)
from shiftcli.structure.crystal import Crystal

if TYPE_CHECKING:
    from shiftcli.readers.atoms import AtomTable

__all__ = ["STDIN", "Disorder", "find_files", "iter_structures", "read", "read_text"]


def iter_structures(
    path: str | Path,
    *,
    disorder: Disorder = "major",
    shielding_column: str | None = None,
    format: str | None = None,
) -> Iterator[Crystal | ReadError]:
    """Read the structures of a file one by one.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, plain or gzipped, or ``-`` for standard input. The suffix names the
        format; where the contents are those of another, they decide.
    disorder : {"major", "error"}
        Keep the major component of disorder, or refuse disordered structures.
    shielding_column : str, optional
        Column with shieldings of an extended XYZ file, or of the table beside an SDF file;
        without it the usual names.
    format : str, optional
        Read the file as this: a name out of `shiftcli.readers.registry.FORMATS`, or one of
        ASE's formats of text.

    Yields
    ------
    Crystal or ReadError
        One item a structure; a structure that cannot be read is its error, and the next
        follows.

    Raises
    ------
    UsageError
        If `disorder` or `format` is none of the choices.
    """
    if disorder not in get_args(Disorder):
        raise UsageError(f"disorder is 'major' or 'error', not '{safe_text(disorder)}'")
    source = str(path)
    found: Iterator[Crystal | ReadError]
    try:
        text = load(path)
        kind, note = (named(format), "") if format else _format_of(text, source)
        note = "; ".join(filter(None, (note, cut_short(text))))
        found = read_text(
            text, kind.name, source, disorder=disorder, shielding_column=shielding_column, note=note
        )
    except ReadError as error:
        found = iter([error])
    for item in islice(found, limits.STRUCTURES):
        if isinstance(item, ReadError) and not item.where:
            item.where = visible(source)
        yield item
    if next(found, None) is not None:
        yield ReadError(
            f"more than {limits.STRUCTURES} structures; the rest is not read", where=visible(source)
        )


def _format_of(text: str, source: str) -> tuple[Format, str]:
    """The format of a text, and a note where the file's name speaks of another."""
    said = None if source == STDIN else format_of_name(source)
    seen = said if said and said.looks_like(text) else format_of_text(text) or said
    if seen is None:
        from shiftcli.readers.through_ase import format_of_file

        if other := "" if source == STDIN else format_of_file(source):
            return named(other), ""
        raise ReadError(
            "no known structure format", where=visible(source), hint=f"{titles()} are read"
        )
    if said in (None, seen):
        return seen, ""
    return seen, f"called {Path(source).suffix or source} but read as {seen.title}"


def read_text(
    text: str,
    format: str,
    source: str = "",
    *,
    disorder: Disorder = "major",
    shielding_column: str | None = None,
    note: str = "",
) -> Iterator[Crystal | ReadError]:
    """Read the structures of a text in a known format, as `iter_structures` does those of a file.

    `source` names the file in messages, and finds a table of shieldings beside it; `note` is a
    warning for each structure.
    """
    from shiftcli.readers.build import build_crystal

    for item in _tables(named(format), text, source, shielding_column):
        if isinstance(item, ReadError):
            yield item
            continue
        try:
            yield build_crystal(replace(item, source=source).with_warning(note), disorder)
        except ReadError as error:
            yield error


def _tables(
    kind: Format, text: str, source: str, shielding_column: str | None
) -> Iterator[AtomTable | ReadError]:
    """What a reader finds; what it raises is the last item, for there the file ends."""
    try:
        if not kind.many:
            refuse_too_large(len(text), limits.PARSED_BYTES, visible(source), f" of {kind.name}")
        yield from kind.read(text, source, shielding_column)
    except ReadError as error:
        yield error


def read(
    path: str | Path,
    *,
    disorder: Disorder = "major",
    shielding_column: str | None = None,
    format: str | None = None,
) -> list[Crystal]:
    """Read all structures of a file.

    Parameters
    ----------
    path, disorder, shielding_column, format
        As in `iter_structures`.

    Returns
    -------
    list of Crystal
        The structures in the order of the file.

    Raises
    ------
    ReadError
        At the first structure that cannot be read.
    UsageError
        If `disorder` or `format` is none of the choices.
    """
    crystals = []
    for item in iter_structures(
        path, disorder=disorder, shielding_column=shielding_column, format=format
    ):
        if isinstance(item, ReadError):
            raise item
        crystals.append(item)
    return crystals
