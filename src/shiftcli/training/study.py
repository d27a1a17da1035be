"""Several runs that differ in one thing: folds, seeds, or the number of training crystals.

Each is a run of its own in a directory below the study's, so that a study that was stopped
goes on where it was, and every network of it can be used.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from shiftcli.checkpoint import load, replacing
from shiftcli.crystal import SPECIES
from shiftcli.errors import TrainingError, UsageError
from shiftcli.training.config import Configuration
from shiftcli.training.loop import EpochReport
from shiftcli.training.processes import launched
from shiftcli.training.run import (
    Task,
    Watcher,
    load_record,
    parse_task,
    run_task,
    write_task,
    writing,
)
from shiftcli.training.sources import load_levels

#: File of a study's directory that says what it was asked to do.
STUDY = "study.toml"


@dataclass(frozen=True)
class Variation:
    """What a study varies.

    Attributes
    ----------
    folds : int
        Parts of a cross-validation; 0 for none.
    seeds : int
        Runs that differ in their seeds.
    crystals : tuple of int
        Numbers of training crystals of a learning curve; empty for none.
    """

    folds: int = 0
    seeds: int = 1
    crystals: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise UsageError(f"{self.folds} folds: at least two are needed")
        if self.seeds < 1:
            raise UsageError(f"{self.seeds} seeds: at least one is needed")
        if any(n < 1 for n in self.crystals):
            raise UsageError("a learning curve needs numbers of crystals from 1 on")

    @property
    def is_one_run(self) -> bool:
        """Whether nothing varies."""
        return not self.folds and self.seeds == 1 and not self.crystals

    def runs(self, base: Configuration) -> Iterator[tuple[str, Configuration]]:
        """Name and configuration of each run."""
        for crystals in self.crystals or (base.crystals,):
            for fold in range(self.folds) if self.folds else (base.fold,):
                for seed in range(base.seed, base.seed + self.seeds * base.members, base.members):
                    own = replace(base, crystals=crystals, fold=fold, seed=seed)
                    own = replace(own, folds=self.folds or base.folds)
                    parts = [f"crystals-{crystals}"] * bool(self.crystals)
                    parts += [f"fold-{fold + 1}"] * bool(self.folds)
                    parts += [f"seed-{seed}"] * (self.seeds > 1)
                    name = "-".join(parts)
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


def without_augmentation(configuration: Configuration) -> Configuration:
    """The same run in one orientation a sample, with as many batches (paper, Figure 3a)."""
    fold = max(configuration.augmentation, 1)
    nucleus = {}
    for element, values in configuration.resolved().nucleus.items():
        own = configuration.for_element(element)
        nucleus[element] = {**values, "epochs": own.epochs * fold, "decay": own.decay / fold}
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
        As in `shiftcli.training.train`.

    Returns
    -------
    list of StudyRow
        Also written as ``summary.csv``.

    Raises
    ------
    TrainingError
        As `shiftcli.training.train`.
    """
    folder = Path(output)
    if resume:
        task, variation = _load_study(folder)
    results: list[tuple[str, Configuration, str, float]] = []
    with launched(device) as processes:
        watcher = Watcher.of(processes, on_epoch, on_note)
        labelled = load_levels(task.data, watcher.note, shielding_column=task.shielding_column)
        if processes.is_writer and not resume:
            with writing(folder):
                _start_study(folder, task, variation)
        processes.wait()
        for name, configuration in variation.runs(task.configuration):
            own = folder / name
            begun = (own / "config.toml").exists()
            wanted = replace(task, configuration=configuration)
            processes.wait()  # or another one might see what the writer is about to write
            watcher.note(f"run {name}")
            for path in run_task(wanted, labelled, own, processes, watcher, resume=begun):
                _, metadata = load(path)
                figures = metadata.validation
                if not figures:
                    raise TrainingError("no validation crystals to compare with", where=str(path))
                kind = "none" if name.endswith("-plain") else "training"
                results.append((metadata.nucleus, configuration, kind, figures["rmse_one_view"]))
                if kind == "training":
                    both = "training and testing"
                    results.append((metadata.nucleus, configuration, both, figures["rmse"]))
        rows = _summary(results)
        if processes.is_writer:
            with writing(folder):
                _write_summary(folder / "summary.csv", rows)
    return rows


def _start_study(folder: Path, task: Task, variation: Variation) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / STUDY).exists():
        raise TrainingError(
            "this directory holds a study",
            where=str(folder),
            hint=f"--resume {folder}, or another --output",
        )
    write_task(folder / STUDY, task, study=asdict(variation))


def _load_study(folder: Path) -> tuple[Task, Variation]:
    record = load_record(folder, STUDY)
    try:
        values = record["run"]["study"]
        variation = Variation(values["folds"], values["seeds"], tuple(values["crystals"]))
    except (KeyError, TypeError) as error:
        raise TrainingError("not a study that can be resumed", where=str(folder)) from error
    return parse_task(record, protocol="default"), variation


def _summary(results: Sequence[tuple[str, Configuration, str, float]]) -> list[StudyRow]:
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


def _write_summary(path: Path, rows: Sequence[StudyRow]) -> None:
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ["species", *(f.name for f in fields(StudyRow))])
        writer.writeheader()
        writer.writerows({"species": SPECIES[r.nucleus], **asdict(r)} for r in rows)
