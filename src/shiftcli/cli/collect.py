"""`shiftcli collect`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from shiftcli.cli.command import command
from shiftcli.cli.options import ReferenceOptions, TableOptions


@command
def collect(
    *,
    folder: Annotated[
        Path, typer.Argument(help="Folder that predict --output or --work has filled.")
    ],
    to: TableOptions,
    run: Annotated[
        str,
        typer.Option(
            metavar="HASH", help="Of several sets of options, the one that begins like this.",
            show_default="the only one",
        ),
    ] = "",
    shifts: ReferenceOptions,
) -> None:  # fmt: skip
    """Put what many runs, or the tasks of an array, have kept in a folder into one table.

    Example: shiftcli collect results/ --output all.csv
    """
    from shiftcli.files import check_outputs
    from shiftcli.pipeline.collect import collect
    from shiftcli.pipeline.store import Entry, lines_of, lists_of
    from shiftcli.views.terminal import emit_document, note

    kind = to.kind
    read: list[str | Path] = [*lists_of(folder), *shifts.files]
    if to.output is not None and os.path.realpath(to.output.parent) == os.path.realpath(folder):
        entries = filter(None, map(Entry.read, lines_of(folder)))
        read += [folder / name for entry in entries for name in entry.results]
    check_outputs([to.output], read)
    document = collect(folder, references=shifts.read(), precision=to.precision, run=run)
    emit_document(document, kind, to.output)
    for failure in document.failures:
        note(f"failed: {failure.error}")
    if document.failures:
        raise typer.Exit(1)
