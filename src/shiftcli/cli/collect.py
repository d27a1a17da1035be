"""`shiftcli collect`."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from shiftcli.cli.command import command
from shiftcli.cli.options import ReferenceOptions, ResultOptions
from shiftcli.cli.predict import AS_THEY_ARE, finished
from shiftcli.results.choice import Choice


@command
def collect(
    *,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="What predict --output or --work has filled."),
    ],
    to: ResultOptions,
    seen: Choice,
    run: Annotated[
        str,
        typer.Option(
            metavar="HASH", help="Of several sets of options, the one that begins like this.",
            show_default="the only one",
        ),
    ] = "",
    shifts: ReferenceOptions = AS_THEY_ARE,
) -> None:  # fmt: skip
    """Put what many runs, or the tasks of an array, have kept in a folder into one file.

    Example: shiftcli collect results/ --output all.csv

    Example: shiftcli collect results/ --output all.chemiscope.json
    """
    from shiftcli.errors import UsageError, attempt
    from shiftcli.files import check_outputs
    from shiftcli.nmr.averaging import FRAMES
    from shiftcli.pipeline.collect import collect
    from shiftcli.pipeline.spool import Spool
    from shiftcli.pipeline.store import Entry, lines_of, lists_of
    from shiftcli.results.predictions import site_columns
    from shiftcli.views.formats import check_references
    from shiftcli.views.progress import follow, progress
    from shiftcli.views.terminal import emit_results

    kind, references = to.kind, shifts.read()
    if FRAMES in shifts.average:
        raise UsageError(f"--average {FRAMES} is of predict, which has the frames of a file")
    seen.check(site_columns(to.precision))
    check_references(kind, references)
    read: list[str | Path] = [*lists_of(folder), *shifts.files]
    if to.output is not None and os.path.realpath(to.output.parent) == os.path.realpath(folder):
        entries = filter(None, map(Entry.read, lines_of(folder)))
        read += [folder / name for entry in entries for name in entry.results]
    check_outputs([to.output], read)
    results = replace(collect(folder, references=references, precision=to.precision, run=run),
                      choice=seen)  # fmt: skip
    spool = Spool()
    finish = partial(finished, results=results, kind=kind, average=shifts.average, before=spool)
    made = (attempt(partial(finish, p), p.crystal.source) for p in results.predictions)
    shown = progress(made, len(results.predictions), "structures read")
    failures = follow(chain(results.failures, shown), spool)
    if len(spool) or to.output is None:
        emit_results(replace(results, predictions=spool, failures=failures), kind, to.output)
    if failures:
        raise typer.Exit(1)
