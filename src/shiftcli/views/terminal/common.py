"""All tables, notes and progress bars: results to stdout, everything else to stderr."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich import box
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from shiftcli.errors import visible
from shiftcli.prediction.predictor import Failure
from shiftcli.structure.crystal import SPECIES
from shiftcli.views import COLUMNS, Results, render, write_text

if TYPE_CHECKING:
    from shiftcli.nmr.shifts import References
    from shiftcli.pipeline import Finished, Outcome, Spool
    from shiftcli.prediction.predictor import Prediction, Predictor
    from shiftcli.training.loop import EpochReport
    from shiftcli.training.report import DataReport
    from shiftcli.training.studies import StudyRow

T = TypeVar("T")

#: Width of tables that go into a file or a pipe, where no terminal says one.
_WIDE = 160

_NUMERIC = frozenset(COLUMNS[4:9])


def _stderr() -> Console:
    return Console(stderr=True, highlight=False)


def progress(items: Iterable[T], total: int) -> Iterator[T]:
    """Pass items on, with a progress bar where stderr is a terminal."""
    console = _stderr()
    if not console.is_terminal or total < 2:
        yield from items
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("structures"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        for done, item in enumerate(items, 1):
            yield item
            # A file may hold many structures; how many shows only as they come.
            bar.update(task, completed=done, total=max(total, done))


def note(text: str) -> None:
    """One line on stderr."""
    _stderr().print(Text(visible(text, 100_000)), soft_wrap=True)


def emit(text: str, output: Path | None) -> None:
    """Write text to stdout, or whole into a file."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_text(text, output)


def emit_tables(tables: Iterable[Table], output: Path | None) -> None:
    """Print tables, or write them into a file or a pipe without colours."""
    if output is None and sys.stdout.isatty():
        for table in tables:
            Console(highlight=False).print(table)
    elif output is None:
        for table in tables:
            emit(plain_text([table]), None)
    else:
        emit(plain_text(tables), output)


def plain_text(tables: Iterable[Table]) -> str:
    """Tables as text without colours, of the width of a file."""
    pages = []
    for table in tables:
        console = Console(highlight=False, width=_WIDE, color_system=None)
        with console.capture() as capture:
            console.print(table)
        pages += [line.rstrip() + "\n" for line in capture.get().splitlines()]
    return "".join(pages)


def prediction_tables(results: Results) -> Iterator[Table]:
    """One table a structure, made when it is asked for."""
    for prediction in results.predictions:
        rows = [results.row(prediction, site) for site in prediction.sites]
        # Columns without a single entry say nothing; file and name are the title.
        used = [c for c in COLUMNS[2:] if any(row[c] not in (None, "") for row in rows)]
        crystal = prediction.crystal
        table = Table(title=Text(f"{crystal.where}  {crystal.formula}"), title_justify="left")
        for column in used:
            table.add_column(column, justify="right" if column in _NUMERIC else "left")
        for row in rows:
            cells = [_cell(row[c], results.precision, c) for c in used]
            table.add_row(*(Text(visible(cell)) for cell in cells))
        yield table


def _cell(value: object, precision: int, column: str) -> str:
    if value is None:
        return ""
    return f"{value:.{precision}f}" if column.endswith("/ppm") else str(value)


def show_reference_notes(references: References, predictor: Predictor) -> None:
    """Where the references are from, on stderr."""
    for text in references.notes({file.sha256 for file in predictor.files}):
        note(f"note: {text}")


def show_notes(results: Results) -> None:
    """Warnings of the predicted structures, and the failures, on stderr."""
    for prediction in results.predictions:
        show_outcome(prediction)
    for failure in results.failures:
        show_outcome(failure)
    show_summary(len(results.predictions), len(results.failures))


def show_outcome(outcome: Prediction | Failure) -> None:
    """Warnings of one predicted structure, or its failure, on stderr."""
    if isinstance(outcome, Failure):
        note(f"failed: {outcome.error}")
        return
    for warning in outcome.crystal.warnings:
        note(f"note: {outcome.crystal.where}: {warning}")


def show_summary(predicted: int, failed: int) -> None:
    """How many structures there were, where some failed."""
    if failed:
        note(f"{predicted} structures predicted, {failed} failed")


def follow(
    outcomes: Iterable[Outcome | Finished], total: int, predictions: Spool | None = None
) -> list[Failure]:
    """Show a batch as it goes: progress, notes, failures, and a summary at the end.

    Parameters
    ----------
    outcomes : iterable
        What comes of each structure.
    total : int
        Number of files.
    predictions : Spool, optional
        Takes the predictions. Without it they are in a folder, and the summary comes always.

    Returns
    -------
    list of Failure
    """
    from shiftcli.pipeline import Finished

    predicted, finished = 0, 0
    failures: list[Failure] = []
    for outcome in progress(outcomes, total):
        if isinstance(outcome, Finished):
            finished += 1
            continue
        show_outcome(outcome)
        if isinstance(outcome, Failure):
            failures.append(outcome)
            continue
        predicted += 1
        if predictions is not None:
            predictions.append(outcome)
    if predictions is not None:
        show_summary(predicted, len(failures))
    else:
        before = f", {finished} files finished before" if finished else ""
        note(f"{predicted} structures predicted, {len(failures)} failed{before}")
    return failures


def emit_results(results: Results, kind: str, output: Path | None) -> None:
    """Write predictions in a format, tables on a terminal with colours."""
    if kind == "table":
        emit_tables(prediction_tables(results), output)
    else:
        emit(text_of(results, kind), output)


def text_of(results: Results, kind: str) -> str:
    """Predictions in a format, as the text of a file."""
    return plain_text(prediction_tables(results)) if kind == "table" else render(results, kind)


def data_tables(report: DataReport) -> list[Table]:
    """What a data set holds: a table for each level of theory, and one of its problems."""
    columns = ("crystals", "atoms", "distinct", "labelled", "unlabelled", "outliers")
    shieldings = ("lowest", "highest", "mean", "std")
    tables: dict[str, Table] = {}
    for row in report.rows:
        if row.level not in tables:
            kind = "main level" if row.level == report.main else "further level"
            title = Text(f"{kind} {row.level}".rstrip())
            tables[row.level] = Table("part", "nucleus", title=title, title_justify="left")
            for column in (*columns, *(f"{name}/ppm" for name in shieldings)):
                tables[row.level].add_column(column, justify="right")
        counts = (str(getattr(row, name)) for name in columns)
        values = (getattr(row, name) for name in shieldings)
        cells = ("" if value is None else f"{value:.2f}" for value in values)
        tables[row.level].add_row(row.part, row.species, *counts, *cells)
    pages = list(tables.values())
    if report.problems:
        pages.append(Table("problems", title_justify="left"))
        for problem in report.problems:
            pages[-1].add_row(Text(problem))
    return pages


class TrainingView:
    """A live table on a terminal, else one line an epoch, on stderr; of several processes one.

    `earlier` are the smallest validation errors of a run that is resumed, by nucleus and member.
    """

    def __init__(self, earlier: Mapping[tuple[str, int], float] | None = None) -> None:
        self.earlier = earlier or {}
        self.is_writer = os.environ.get("RANK", "0") == "0"
        self.console = _stderr()
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

    def _table(self) -> Table:
        # Nine columns in the 80 characters of a small terminal.
        table = Table("nucleus", box=box.SIMPLE, padding=(0, 1, 0, 0), caption="RMSE in ppm")
        columns = ("epoch", "loss", "train", "validation", "best", "KRR", "samples/s", "left")
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


def study_table(rows: Sequence[StudyRow]) -> Table:
    """Validation errors of a study's runs, mean and standard deviation."""
    table = Table("nucleus", title="validation RMSE/ppm", title_justify="left")
    for column in ("crystals", "augmentation", "runs", "mean", "deviation"):
        table.add_column(column, justify="left" if column == "augmentation" else "right")
    for row in rows:
        deviation = "" if math.isnan(row.deviation) else f"{row.deviation:.3f}"
        table.add_row(
            SPECIES[row.nucleus], str(row.crystals or "all"), row.augmentation, str(row.runs),
            f"{row.rmse:.3f}", deviation,
        )  # fmt: skip
    return table
