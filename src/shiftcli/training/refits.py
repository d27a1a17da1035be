"""What a recipe is worth, by cross-validation over families; then networks that know all of them.

In the study's directory: a run for each fold, with ``predictions.csv`` of the crystals that it
watched; ``out-of-fold.csv``, all of these together, and ``errors.json``, the figures that may be
quoted; and ``networks/``, the run on all crystals, whose networks carry those figures and the
calibration that follows from them. No crystal chooses between finished networks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.errors import TrainingError, UsageError
from shiftcli.files import replacing
from shiftcli.network.calibration import Calibration
from shiftcli.network.checkpoint import amend, load
from shiftcli.results.statistics import ALL, Errors
from shiftcli.structure.crystal import ELEMENTS, SPECIES
from shiftcli.training.atoms import PredictedAtoms, measure_errors
from shiftcli.training.committee import Judged, calibrate, judge
from shiftcli.training.config import Configuration
from shiftcli.training.folder import Task
from shiftcli.training.loop import EpochReport
from shiftcli.training.out_of_fold import read_fold, table_rows, write_table
from shiftcli.training.run import watched_atoms
from shiftcli.training.sources import Labelled
from shiftcli.training.start import count_learned
from shiftcli.training.studies import StudyAtWork, Variation, begin


@dataclass(frozen=True)
class Refit:
    """What a cross-validation found, and the networks that were trained by its recipe.

    Attributes
    ----------
    networks : tuple of pathlib.Path
        Trained on all crystals.
    errors : dict of str to dict of str to Errors
        Out-of-fold errors by file of the data and species; `ALL` holds those of all files, with
        the share inside the intervals, judged on families that took no part in their calibration.
    predictions : pathlib.Path
        The table that they follow from.
    """

    networks: tuple[Path, ...]
    errors: dict[str, dict[str, Errors]]
    predictions: Path


def refit(
    task: Task | None,
    output: str | Path,
    variation: Variation | None,
    *,
    resume: bool = False,
    device: str = "auto",
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Refit:
    """Cross-validate a recipe over families, then train by it on all of them.

    Parameters
    ----------
    task, output, resume, device, on_epoch, on_note
        As in `shiftcli.training.studies.study`.
    variation : Variation or None
        With ``folds`` and ``refit``.

    Raises
    ------
    TrainingError
        As `shiftcli.training.run.train`.
    UsageError
        If the variation is none with folds.
    """
    with begin(
        task, output, variation,
        resume=resume, device=device, on_epoch=on_epoch, on_note=on_note,
    ) as work:  # fmt: skip
        if not work.variation.refit:
            raise UsageError("a refit needs a cross-validation: --folds K --refit")
        recipe, folder = work.task.configuration, work.folder
        _check_start(work.task, work.variation, work.labelled)
        runs = work.run_all()
        work.write(partial(_judge_folds, work, runs))
        judged = [
            read_fold(folder / name / "predictions.csv", configuration, work.labelled)
            for name, (configuration, _) in runs.items()
        ]
        together = _join(judged)
        found = {e: calibrate(own, recipe.for_element(e).members) for e, own in together.items()}
        errors = _measure(together, found, work.labelled)
        work.write(partial(_write_all, folder, judged, errors))
        work.watcher.note(f"networks of all crystals, {recipe.members} of each nucleus")
        everything = replace(recipe, validation=False, folds=0, fold=0)
        last = replace(work.task, configuration=everything, nuclei=tuple(found))
        networks = work.run_below(last, everything.part)
        work.write(partial(_describe, networks, found, errors[ALL], work.variation.folds))
    return Refit(tuple(networks), errors, folder / "out-of-fold.csv")


def _check_start(task: Task, variation: Variation, labelled: Labelled) -> None:
    """Refuse to begin with networks that have learned from what the folds watch."""
    for _, configuration in variation.runs(task.configuration):
        for element in task.nuclei or ELEMENTS:
            own = configuration.for_element(element)
            if own.start and (seen := count_learned(own, labelled, element)):
                raise TrainingError(
                    f"the network of {SPECIES[element]} to start from has learned from {seen} of "
                    f"the crystals that fold {own.fold + 1} watches: its errors would flatter",
                    where=own.start,
                    hint="begin with random weights, or with a network of other data",
                )


def _judge_folds(
    work: StudyAtWork, runs: Mapping[str, tuple[Configuration, Sequence[Path]]]
) -> None:
    """Predict the crystals that each fold watched, unless that was done before."""
    for name, (configuration, paths) in runs.items():
        table = work.folder / name / "predictions.csv"
        if table.exists():
            continue
        by_element: dict[str, list[Path]] = {}
        for path in paths:
            by_element.setdefault(load(path)[1].nucleus, []).append(path)
        rows: list[dict[str, Any]] = []
        for element, files in by_element.items():
            own, device = configuration.for_element(element), work.processes.device
            atoms = watched_atoms(work.labelled, element, own)
            if len(atoms):
                rows += table_rows(judge(files, atoms, device, dtype=own.dtype(device)), own.fold)
        write_table(table, rows)


def _join(parts: Sequence[Mapping[str, Judged]]) -> dict[str, Judged]:
    """All folds together, by element."""
    return {
        element: Judged.concatenate([own[element] for own in parts if element in own])
        for element in ELEMENTS
        if any(element in own for own in parts)
    }


def _measure(
    judged: Mapping[str, Judged], calibrations: Mapping[str, Calibration], labelled: Labelled
) -> dict[str, dict[str, Errors]]:
    """Errors of each file of the data, and of all, by species."""
    files: dict[str, set[int]] = {ALL: set(labelled.main)}
    for number, crystal in labelled.main.items():
        files.setdefault(crystal.source, set()).add(number)
    if len(files) > _MOST_FILES:  # a file for each crystal: their errors say nothing
        files = {ALL: files[ALL]}
    found: dict[str, dict[str, Errors]] = {}
    for file, crystals in files.items():
        for element, own in judged.items():
            nothing = np.full(len(own.atoms), np.nan)
            part = PredictedAtoms(own.atoms, own.shielding, nothing, nothing).of(crystals)
            if len(part.atoms):
                errors = measure_errors(part)
                if file == ALL:
                    errors = _with_coverage(errors, calibrations[element])
                found.setdefault(file, {})[SPECIES[element]] = errors
    return found


#: Files whose errors are told apart at most.
_MOST_FILES = 12


def _with_coverage(errors: Errors, calibration: Calibration) -> Errors:
    """The share inside the intervals, on families that a calibration did not see."""
    classes = {
        kind: replace(own, coverage68=widths.coverage68, coverage95=widths.coverage95)
        if (widths := calibration.kinds.get(kind))
        else own
        for kind, own in errors.classes.items()
    }
    inside = calibration.coverage68, calibration.coverage95
    return replace(errors, coverage68=inside[0], coverage95=inside[1], classes=classes)


def _write_all(
    folder: Path, judged: Sequence[Mapping[str, Judged]], errors: Mapping[str, Mapping[str, Errors]]
) -> None:
    """The table of all predictions, and the figures."""
    rows = (
        row for k, own in enumerate(judged) for part in own.values() for row in table_rows(part, k)
    )
    write_table(folder / "out-of-fold.csv", rows)
    figures = {
        file: {species: e.to_dict() for species, e in own.items()} for file, own in errors.items()
    }
    with replacing(folder / "errors.json") as temporary:
        temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _describe(
    networks: Iterable[Path],
    calibrations: Mapping[str, Calibration],
    errors: Mapping[str, Errors],
    folds: int,
) -> None:
    """Write calibration and out-of-fold figures into files that do not have them yet."""
    for path in networks:
        metadata = load(path)[1]
        calibration, own = calibrations[metadata.nucleus], errors[SPECIES[metadata.nucleus]]
        figures = {"rmse": own.rmse, "n": own.n, "crystals": own.crystals, "folds": folds}
        changes = {"calibration": calibration.to_dict(), "validation": figures}
        if any(getattr(metadata, name) != value for name, value in changes.items()):
            amend(path, **changes)
