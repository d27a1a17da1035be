"""What is seen of a long run while it goes on, on stderr."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich import box
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from shiftcli.errors import Failure, counted
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.terminal import note, show_notes, stderr

if TYPE_CHECKING:
    from shiftcli.pipeline.folder import Finished
    from shiftcli.pipeline.spool import Spool
    from shiftcli.pipeline.workers import Outcome
    from shiftcli.training.loop import EpochReport
    from shiftcli.weights.download import Progress as Report

T = TypeVar("T")

#: Sites of a structure that takes a second.
_MANY_SITES = 50


def progress(items: Iterable[T], total: int, what: str = "structures") -> Iterator[T]:
    """Pass items on, with a progress bar where stderr is a terminal, and one of the sites of a
    large structure.
    """
    console = stderr()
    if not console.is_terminal:
        yield from items
        return
    from shiftcli.network.inference import WATCHER

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
               TimeRemainingColumn())  # fmt: skip
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(what, total=total, visible=total > 1)
    token = WATCHER.set(_Sites(bar))
    try:
        if total > 1:
            bar.start()
        for done, item in enumerate(items, 1):
            yield item
            # A file may hold many structures; how many shows only as they come.
            total = max(total, done)
            bar.update(task, completed=done, total=total, visible=total > 1)
    finally:
        WATCHER.reset(token)
        if bar.live.is_started:  # one without a line would leave empty ones
            bar.stop()


class _Sites:
    """Shows a bar of the sites of the structure in work, where they are many."""

    def __init__(self, bar: Progress) -> None:
        self.bar, self.task = bar, bar.add_task("sites", visible=False)

    def begin(self, sites: int) -> None:
        self.bar.reset(self.task, total=sites, visible=sites >= _MANY_SITES)
        if sites >= _MANY_SITES:
            self.bar.start()

    def advance(self, sites: float) -> None:
        self.bar.advance(self.task, sites)


def follow(
    outcomes: Iterable[Outcome | Finished], predictions: Spool | None = None
) -> list[Failure]:
    """Show a batch as it goes: notes, failures, and a summary at the end.

    Without a spool the predictions are in a folder, and the summary comes always.
    """
    from shiftcli.pipeline.folder import Finished

    predicted, finished = 0, 0
    failures: list[Failure] = []
    for outcome in outcomes:
        if isinstance(outcome, Finished):
            finished += 1
            continue
        if isinstance(outcome, Failure):
            note(f"failed: {outcome.error}")
            failures.append(outcome)
            continue
        show_notes(outcome.crystal.where, outcome.crystal.warnings)
        predicted += 1
        if predictions is not None:
            predictions.append(outcome)
    before = f", {counted(finished, 'file')} finished before" if finished else ""
    if failures or predictions is None:
        note(f"{counted(predicted, 'structure')} predicted, {len(failures)} failed{before}")
    return failures


@contextmanager
def downloads() -> Iterator[Report | None]:
    """A bar for each file that is downloaded, where stderr is a terminal; else None."""
    console = stderr()
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


class TrainingView:
    """A live table on a terminal, else one line an epoch, on stderr; of several processes one.

    `earlier` are the smallest validation errors of a run that is resumed, by nucleus and member.
    """

    def __init__(self, earlier: Mapping[tuple[str, int], float] | None = None) -> None:
        self.earlier = earlier or {}
        self.is_writer = os.environ.get("RANK", "0") == "0"
        self.console = stderr()
        self.rows: dict[tuple[str, int], tuple[EpochReport, float]] = {}
        self.live: Live | None = None
        if self.console.is_terminal and self.is_writer:
            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()

    def note(self, text: str) -> None:
        """Show one line."""
        if self.is_writer:
            self.console.print(Text(text), soft_wrap=True)

    def epoch(self, report: EpochReport) -> None:
        """Show one epoch."""
        key = (report.nucleus, report.member)
        best = report.validation_rmse
        if report.epoch > 1:
            before = self.rows[key][1] if key in self.rows else self.earlier.get(key, math.inf)
            best = min(best, before)
        self.rows[key] = report, best
        if self.live is not None:
            self.live.update(self._table(), refresh=True)
            return
        baseline = "" if math.isnan(report.baseline_rmse) else f"  KRR {report.baseline_rmse:.3f}"
        member = f" #{report.member}" if report.member > 1 else ""
        self.note(
            f"{SPECIES[report.nucleus]:>3}{member} epoch {report.epoch:3d}/{report.epochs}  "
            f"loss {report.loss:.4f}  train {report.train_rmse:.3f}  "
            f"validation {report.validation_rmse:.3f} ppm  best {best:.3f}{baseline}  "
            f"{report.samples_per_second:.0f}/s  left {_duration(_left(report))}"
        )

    def _table(self) -> RichTable:
        # Nine columns in the 80 characters of a small terminal.
        table = RichTable("", box=box.SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
        table.caption = "RMSE in ppm"
        columns = ("epoch", "loss", "train", "valid.", "best", "KRR", "per s", "left")
        for column in columns:
            table.add_column(column, justify="right", no_wrap=True)
        for (nucleus, member), (report, best) in self.rows.items():
            baseline = "" if math.isnan(report.baseline_rmse) else f"{report.baseline_rmse:.3f}"
            table.add_row(
                f"{SPECIES[nucleus]} #{member}", f"{report.epoch}/{report.epochs}",
                f"{report.loss:.4f}", f"{report.train_rmse:.3f}",
                f"{report.validation_rmse:.3f}", f"{best:.3f}", baseline,
                f"{report.samples_per_second:.0f}", _duration(_left(report)),
            )  # fmt: skip
        return table

    def close(self) -> None:
        """Leave the table as it is."""
        if self.live is not None:
            self.live.stop()


def _left(report: EpochReport) -> float:
    """Seconds until the network in work is trained."""
    return (report.epochs - report.epoch) * report.seconds


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
