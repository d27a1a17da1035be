"""Several runs that differ in one thing: folds, seeds, or the number of training crystals.

Each is a run of its own in a directory below the study's, so that a study that was stopped
goes on where it was, and every network of it can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.errors import TrainingError, UsageError
from shiftcli.files import write_rows
from shiftcli.network.checkpoint import load
from shiftcli.results.tables import Column, Table
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.config import STUDY, Configuration
from shiftcli.training.data import split_crystals
from shiftcli.training.folder import (
    Task,
    claim,
    clear,
    load_record,
    parse_task,
    write_task,
    writing,
)
from shiftcli.training.loop import EpochReport
from shiftcli.training.processes import Processes, launched
from shiftcli.training.run import Watcher, run_task
from shiftcli.training.sources import Labelled


@dataclass(frozen=True)
class Variation:
    """What a study varies."""

    folds: int = 0  #: Parts of a cross-validation; 0 for none.
    seeds: int = 1  #: Runs that differ in their seeds.
    #: Numbers of training crystals of a learning curve; empty for none.
    crystals: tuple[int, ...] = ()
    #: Whether networks are trained on all crystals when the folds have shown what the recipe is
    #: worth (`shiftcli.training.refits`).
    refit: bool = False
    #: Networks of each nucleus in a fold; those trained on all crystals have their own number.
    fold_members: int = 1

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise UsageError(f"{self.folds} folds: at least two are needed")
        if self.seeds < 1:
            raise UsageError(f"{self.seeds} seeds: at least one is needed")
        if any(n < 1 for n in self.crystals):
            raise UsageError("a learning curve needs numbers of crystals from 1 on")
        if self.refit and (not self.folds or self.seeds > 1 or self.crystals):
            raise UsageError("--refit goes with --folds, and neither --seeds nor --crystals")
        if self.fold_members < 1 or (self.fold_members > 1 and not self.refit):
            raise UsageError("--fold-members is a number from 1 on, for --refit")

    @property
    def is_one_run(self) -> bool:
        """Whether nothing varies."""
        return not self.folds and self.seeds == 1 and not self.crystals

    def runs(self, base: Configuration) -> Iterator[tuple[str, Configuration]]:
        """Name and configuration of each run."""
        each = base.nucleus.items()
        base = replace(base, nucleus={
            e: {k: v for k, v in own.items() if k not in _VARIED} for e, own in each
        })  # fmt: skip
        if self.refit:
            base = replace(base, members=self.fold_members)
        for crystals in dict.fromkeys(self.crystals) or (base.crystals,):
            for fold in range(self.folds) if self.folds else (base.fold,):
                for seed in range(base.seed, base.seed + self.seeds * base.members, base.members):
                    folds = self.folds or base.folds
                    own = replace(base, crystals=crystals, folds=folds, fold=fold, seed=seed)
                    parts = [f"crystals-{crystals}"] * bool(self.crystals)
                    parts += [own.part] * bool(self.folds)
                    parts += [f"seed-{seed}"] * (self.seeds > 1)
                    name = "-".join(parts) or "run"
                    yield name, own
                    if self.crystals:
                        yield f"{name}-plain", without_augmentation(own)


@dataclass(frozen=True)
class StudyRow:
    """Validation errors of one group of runs that differ only in seed and fold.

    Attributes
    ----------
    nucleus : str
        Element.
    crystals : int
        Training crystals of each run; 0 for all.
    augmentation : str
        ``none``, ``training`` (asked in one orientation) or ``training and testing``.
    runs : int
        Runs in the group.
    rmse : float
        Mean validation RMSE in ppm.
    deviation : float
        Its standard deviation in ppm over the runs; NaN for one.
    """

    nucleus: str
    crystals: int
    augmentation: str
    runs: int
    rmse: float
    deviation: float


#: What a study sets for all nuclei.
_VARIED = ("folds", "fold", "seed", "crystals", "validation")


def without_augmentation(configuration: Configuration) -> Configuration:
    """The same run in one orientation a sample, with as many batches (paper, Figure 3a)."""
    nucleus = {}
    for element, values in configuration.resolved().nucleus.items():
        own = configuration.for_element(element)
        fold = max(own.augmentation, 1)
        changed = {"epochs": own.epochs * fold, "decay": own.decay / fold, "augmentation": 1}
        nucleus[element] = {**values, **changed}
    return replace(configuration, augmentation=1, nucleus=nucleus)


def study(
    task: Task | None,
    output: str | Path,
    variation: Variation | None,
    *,
    resume: bool = False,
    device: str = "auto",
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[StudyRow]:
    """Train the networks of all variations and compare their validation errors.

    Parameters
    ----------
    task : Task or None
        What each run is asked to do; on resuming the study's own holds, as does its variation.
    output : str or pathlib.Path
        Directory of the study.
    variation : Variation or None
        What differs.
    resume : bool
        Keep the runs that are finished and go on with the one that is not.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    on_epoch, on_note : callable, optional
        As in `shiftcli.training.run.train`.

    Returns
    -------
    list of StudyRow
        Also written as ``summary.csv``.

    Raises
    ------
    TrainingError
        As `shiftcli.training.run.train`.
    """
    with begin(
        task, output, variation,
        resume=resume, device=device, on_epoch=on_epoch, on_note=on_note,
    ) as work:  # fmt: skip
        results: list[_Result] = []
        for configuration, paths in work.run_all().values():
            # Of a learning curve, which has runs without augmentation beside the others.
            is_plain = bool(work.variation.crystals) and configuration.augmentation == 1
            results += _results(paths, configuration, is_plain, work.watcher)
        rows = _summary(results)
        columns = ["species", *(f.name for f in fields(StudyRow))]
        cells = [(SPECIES[r.nucleus], *asdict(r).values()) for r in rows]
        work.write(partial(write_rows, work.folder / "summary.csv", columns, cells))
    return rows


@dataclass(frozen=True)
class StudyAtWork:
    """A study whose networks are being trained."""

    folder: Path  #: Its directory.
    task: Task  #: What each run is asked to do.
    variation: Variation  #: What differs.
    processes: Processes  #: Those that train.
    watcher: Watcher  #: Told how it goes.
    is_resumed: bool  #: Whether it goes on with what is in the directory.

    @cached_property
    def labelled(self) -> Labelled:
        """The data, read once."""
        return self.task.load(self.watcher.note)

    def write(self, work: Callable[[], None]) -> None:
        """Do what one process does for all; where it fails, all end."""
        with self.processes.together():
            if self.processes.is_writer:
                with writing(self.folder):
                    work()

    def run_all(self) -> dict[str, tuple[Configuration, list[Path]]]:
        """Train the networks of all variations: configuration and networks of each run."""
        wanted = dict(self.variation.runs(self.task.configuration))
        _check_splits(self.labelled, list(wanted.items()))
        self.write(self._start)
        made = {}
        for name, configuration in wanted.items():
            self.watcher.note(f"run {name}")
            own = replace(self.task, configuration=configuration)
            made[name] = configuration, self.run_below(own, name)
        return made

    def run_below(self, task: Task, name: str) -> list[Path]:
        """Start a run in a directory of the study, or go on with the one in it."""
        folder = self.folder / name
        is_begun = (folder / "config.toml").exists()
        self.processes.wait()  # or another one might see what the writer is about to write
        return run_task(task, self.labelled, folder, self.processes, self.watcher, resume=is_begun)

    def _start(self) -> None:
        if not self.is_resumed:
            claim(self.folder)
            write_task(self.folder / STUDY, self.task, study=asdict(self.variation))
        clear(self.folder)


@contextmanager
def begin(
    task: Task | None,
    output: str | Path,
    variation: Variation | None,
    *,
    resume: bool,
    device: str,
    on_epoch: Callable[[EpochReport], None] | None,
    on_note: Callable[[str], None] | None,
) -> Iterator[StudyAtWork]:
    """A study that is new, or the one in the directory; arguments as of `study`."""
    folder = Path(output)
    if resume or task is None or variation is None:
        resume, (task, variation) = True, load_study(folder)
    with launched(device) as processes:
        watcher = Watcher.of(processes, on_epoch, on_note)
        yield StudyAtWork(folder, task, variation, processes, watcher, resume)


#: Nucleus, configuration, augmentation as in `StudyRow`, and RMSE of one network.
_Result = tuple[str, Configuration, str, float]


def _check_splits(labelled: Labelled, runs: Sequence[tuple[str, Configuration]]) -> None:
    """Refuse what would stop the study at one of its later runs."""
    for name, configuration in runs:
        training, validation = split_crystals(labelled.families, configuration)
        if not len(training) or not len(validation):
            raise TrainingError(
                f"run {name} would have {len(training)} training and {len(validation)} "
                "validation crystals",
                hint="give more crystals or fewer --folds",
            )


def _results(
    paths: Sequence[Path], configuration: Configuration, is_plain: bool, watcher: Watcher
) -> Iterator[_Result]:
    """What the networks of one run add to the comparison."""
    for path in paths:
        _, metadata = load(path)
        figures = metadata.validation
        if not figures:
            watcher.note(f"{path.stem}: no validation atoms, not compared")
        elif is_plain:
            yield metadata.nucleus, configuration, "none", figures["rmse_one_view"]
        else:
            yield metadata.nucleus, configuration, "training", figures["rmse_one_view"]
            yield metadata.nucleus, configuration, "training and testing", figures["rmse"]


def load_study(folder: Path) -> tuple[Task, Variation]:
    """Read what `study` was asked to do; TrainingError if there is none in a directory."""
    record = load_record(folder, STUDY)
    variation = parse_variation(record)
    if variation is None:
        raise TrainingError("not a study that can be resumed", where=str(folder))
    return parse_task(record, protocol="default"), variation


def parse_variation(values: Mapping[str, Any]) -> Variation | None:
    """What a study's file says varies, None for that of a single run; `UsageError` for nonsense."""
    run = values.get("run", {})
    if not isinstance(run, Mapping) or "study" not in run:
        return None
    try:
        study = run["study"]
        return Variation(**{**study, "crystals": tuple(study["crystals"])})
    except (KeyError, TypeError) as error:
        raise UsageError("the file does not say what its study varies") from error


def _summary(results: Sequence[_Result]) -> list[StudyRow]:
    groups: dict[tuple[str, int, str], list[float]] = {}
    for nucleus, configuration, kind, rmse in results:
        groups.setdefault((nucleus, configuration.crystals, kind), []).append(rmse)
    return [
        StudyRow(
            nucleus, crystals, kind, len(values), float(np.mean(values)),
            float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
        )
        for (nucleus, crystals, kind), values in groups.items()
    ]  # fmt: skip


def study_table(rows: Sequence[StudyRow]) -> Table:
    """Validation errors of a study's runs, mean and standard deviation."""
    columns = (
        Column("nucleus", show=SPECIES.__getitem__),
        Column("crystals", show=lambda count: str(count or "all")),
        Column("augmentation"),
        Column("runs"),
        Column("rmse", "mean", "ppm", 3),
        Column("deviation", unit="ppm", decimals=3),
    )
    values = [tuple(getattr(row, column.key) for column in columns) for row in rows]
    return Table("study", columns, values, "validation RMSE/ppm")
