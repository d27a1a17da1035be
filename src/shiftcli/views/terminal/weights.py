"""Tables of networks, and the progress of their download."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from shiftcli.structure.crystal import SPECIES
from shiftcli.views.terminal.common import emit, emit_tables, note
from shiftcli.weights import Checked, Listed
from shiftcli.weights.download import Progress as Report


@contextmanager
def downloads() -> Iterator[Report | None]:
    """A bar for each file that is downloaded, where stderr is a terminal; else None."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks = {}

        def report(file: str, received: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file)
            bars.update(tasks[file], completed=received, total=total)

        yield report


def show_inventory(rows: Sequence[Listed], form: str, output: Path | None) -> None:
    """A table of all networks, or JSON."""
    if form == "json":
        _emit_json(
            [
                {
                    **asdict(row.network),
                    "default": row.is_default,
                    "origin": row.origin,
                    "folder": str(row.folder) if row.folder else None,
                }
                for row in rows
            ],
            output,
        )
        return
    table = Table("model", "species", "member", "MB", "RMSE/ppm", "crystals", "file", "where")
    for column in table.columns[2:6]:
        column.justify = "right"
    for row in rows:
        network, figures = row.network, row.network.validation
        cells = (
            network.model + (" (default)" if row.is_default else ""),
            SPECIES[network.nucleus],
            str(network.member),
            f"{network.bytes / 1e6:.1f}",
            f"{figures['rmse']:.3f}" if "rmse" in figures else "",
            str(figures.get("crystals", "")),
            network.file,
            row.origin,
        )
        table.add_row(*(Text(cell) for cell in cells))
    emit_tables([table], output)


def show_checked(rows: Sequence[Checked], form: str, output: Path | None) -> None:
    """A table of the files and what is wrong with them, or JSON; a summary on stderr."""
    if form == "json":
        _emit_json([{**asdict(row), "path": str(row.path)} for row in rows], output)
    else:
        table = Table("model", "species", "file", "state")
        for row in rows:
            sound = "sound" if row.is_listed else "sound (no manifest gives its hash)"
            cells = (row.model, SPECIES[row.nucleus], str(row.path), row.reason or sound)
            table.add_row(*(Text(cell, overflow="fold") for cell in cells))
        emit_tables([table], output)
    wrong = sum(bool(row.reason) for row in rows)
    if wrong:
        note(
            f"{wrong} of {len(rows)} files are wrong (shiftcli weights download MODEL replaces "
            "those in the cache; install shiftcli again for those of the package)"
        )


def show_folders(folders: Sequence[Path]) -> None:
    """One folder a line, as a shell can use it."""
    sys.stdout.write("".join(f"{folder}\n" for folder in folders))


def show_removed(removed: Sequence[tuple[Path, int]]) -> None:
    """What was deleted, on stderr."""
    for folder, freed in removed:
        note(f"removed {folder} ({freed / 1e6:.1f} MB)")
    if not removed:
        note("nothing in the cache")


def _emit_json(rows: list[dict[str, object]], output: Path | None) -> None:
    emit(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", output)
