"""Tables and notes: results to stdout, everything else to stderr."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from shiftcli.errors import shortened, visible
from shiftcli.files import Chunks, encoded, write_file
from shiftcli.views.formats import chunks, document_chunks

if TYPE_CHECKING:
    from shiftcli.results.predictions import Results
    from shiftcli.results.tables import Document, Table

#: Width of tables that go into a file or a pipe, where no terminal says one.
_WIDE = 160

#: Paths keep so many characters.
_SHORTEST_PATH = 16

#: Before columns go below, text wraps in so many characters, in the first column in these.
_LEAST_TEXT, _LEAST_NAME = 14, 24

#: Structures that take a while to be written.
_MANY = 200

#: Notes on single structures shown at most where all are shown at the end; JSON has all.
_MOST_NOTES = 10


def stderr() -> Console:
    """Where notes and progress go."""
    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """One line on stderr."""
    stderr().print(Text(visible(text, 100_000)), soft_wrap=True)


def emit(content: str | Chunks, output: Path | None) -> None:
    """Write to stdout, or whole into a file."""
    pieces = [content] if isinstance(content, str) else content
    if output is not None:
        write_file(pieces, output)
        return
    for piece in pieces:
        if isinstance(piece, bytes):
            sys.stdout.buffer.write(piece)
        else:
            sys.stdout.write(encoded(piece).decode())
    sys.stdout.flush()


def emit_tables(tables: Iterable[Table], output: Path | None) -> None:
    """Show tables, or write them into a file or a pipe without colours."""
    if _is_seen(output):
        console = Console(highlight=False)
        for table in tables:
            console.print(*lines(table, console.width), "", sep="\n")
    else:
        emit(plain_text(tables), output)


def _is_seen(output: Path | None) -> bool:
    """Whether results go to a terminal, where notes stand on stderr already."""
    return output is None and sys.stdout.isatty()


def emit_document(document: Document, form: str, output: Path | None) -> None:
    """Any result in any format that holds tables, on a terminal with colours."""
    if form == "table":
        emit_tables(document.tables(notes=not _is_seen(output)), output)
    else:
        emit(document_chunks(document, form), output)


def emit_results(results: Results, form: str, output: Path | None) -> None:
    """Predictions in any format, on a terminal with colours; of many a bar shows how it goes."""
    if form == "table":
        emit_document(results.document(), form, output)
        return
    pieces, count = chunks(results, form), len(results.predictions)
    if count >= _MANY and output is not None:
        from shiftcli.views.progress import progress

        pieces = progress(pieces, count, "written")
    emit(pieces, output)


def plain_text(tables: Iterable[Table]) -> Iterator[str]:
    """Tables as text without colours, of the width of a file."""
    for table in tables:
        console = Console(highlight=False, width=_WIDE, color_system=None)
        with console.capture() as capture:
            console.print(*lines(table, _WIDE), sep="\n")
        yield "".join(line.rstrip() + "\n" for line in capture.get().splitlines()) + "\n"


def lines(table: Table, width: int) -> Iterator[RichTable | Text]:
    """What stands above a table, the table, and its notes."""
    if table.title:
        yield Text(_heading(table, width), style="bold")
    yield from _parts(table, width)
    for text in table.lines:
        yield Text(visible(text), style="dim")


def _parts(table: Table, width: int) -> Iterator[RichTable | Text]:
    """A table no wider than `width`: groups wrap in their cells, paths lose their middle.

    Numbers are never cut: columns that have no room stand below, again behind the first words.
    """
    columns, cells = table.shown()
    if not columns:  # no rows
        return
    heads = [column.head for column in columns]
    is_number = [table.is_numeric(column) for column in columns]
    if sum(_widths(heads, cells)) > width:
        heads = [re.sub(" (?!%)", "\n", head) for head in heads]
        cells = [[at_commas(cell) for cell in row] for row in cells]
    paths = {
        k for row in cells for k, cell in enumerate(row) if "/" in cell and len(cell) > _LEAST_NAME
    }
    if paths and (excess := sum(_widths(heads, cells)) - width) > 0:
        longest = max(len(row[k]) for row in cells for k in paths)
        room = max(_SHORTEST_PATH, longest - excess)
        cells = [
            [shortened(cell, room) if k in paths else cell for k, cell in enumerate(row)]
            for row in cells
        ]
    widths = [
        own if is_number[k] else min(own, 2 + (_LEAST_TEXT if k else _LEAST_NAME))
        for k, own in enumerate(_widths(heads, cells))
    ]
    first = list(takewhile(lambda k: not is_number[k], range(len(columns)))) or [0]
    if 2 * sum(widths[k] for k in first) > width:
        first = first[:1]
    rest = list(range(len(first), len(columns)))
    while True:
        taken = list(first)
        while rest and (taken == first or sum(widths[k] for k in (*taken, rest[0])) <= width):
            taken.append(rest.pop(0))
        made = RichTable(
            box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False,
        )  # fmt: skip
        for k in taken:
            made.add_column(
                Text(heads[k]), justify="right" if is_number[k] else "left", overflow="fold",
                no_wrap=is_number[k],
            )  # fmt: skip
        for row in cells:
            made.add_row(*(Text(row[k]) for k in taken))
        yield made
        if not rest:
            return
        yield Text()


def _widths(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """Width of each column, and of what is between two, where nothing is wrapped."""
    columns = zip(heads, *cells, strict=True)
    return [2 + max(len(line) for cell in own for line in cell.split("\n")) for own in columns]


def at_commas(cell: str, width: int = 12) -> str:
    """Lines of a cell that names several sites, no name broken."""
    lines = [""]
    for part in re.findall(r"[^,]*,|[^,]+$", cell) if " " not in cell else [cell]:
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _heading(table: Table, width: int) -> str:
    title = visible(table.title)
    if not table.detail:
        return shortened(title, width)
    return f"{shortened(title, max(20, width - len(table.detail) - 2))}  {table.detail}"


def show_notes(where: str, texts: Iterable[str]) -> None:
    """What the user should know, of one structure where it is named, on stderr."""
    for text in texts:
        note(f"note: {where}: {text}" if where else f"note: {text}")


def show_document_notes(document: Document, done: str) -> None:
    """Notes of all structures and the failures, on stderr, and how many there were of each."""
    entries = list(document.entries)
    for entry in entries:
        show_notes(entry.where, entry.notes)
    plural = "s" * (len(entries) != 1)
    show_failures(document.failures, f"{len(entries)} structure{plural} {done}")


def show_failures(failures: Iterable[Any], done: str) -> None:
    """Each on stderr, and how much was done beside them."""
    failures = list(failures)
    for failure in failures:
        note(f"failed: {failure.error}")
    if failures:
        note(f"{done}, {len(failures)} failed")


def show_some(notes: list[str]) -> None:
    """The first of many notes."""
    for text in notes[:_MOST_NOTES]:
        note(f"note: {text}")
    if len(notes) > _MOST_NOTES:
        note(f"note: {len(notes) - _MOST_NOTES} more notes on structures; --format json has all")
