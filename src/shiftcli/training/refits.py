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
from shiftcli.files import read_rows, replacing, write_rows
from shiftcli.network.calibration import Calibration, Evidence
from shiftcli.network.checkpoint import amend, load
from shiftcli.results.statistics import ALL, Errors
from shiftcli.structure.crystal import ELEMENTS, SPECIES
from shiftcli.training.atoms import PredictedAtoms, measure_errors
from shiftcli.training.committee import Judged, calibrate, judge
from shiftcli.training.config import Configuration
from shiftcli.training.folder import Task
from shiftcli.training.loop import EpochReport
from shiftcli.training.run import watched_atoms
from shiftcli.training.sources import Labelled
from shiftcli.training.start import count_learned
from shiftcli.training.studies import StudyAtWork, Variation, begin

#: Columns of a table of out-of-fold predictions; shieldings in ppm, variances in ppm², H···A of
#: hydrogen bonds in Å.
_COLUMNS = (
    "species", "fold", "source", "name", "crystal", "family", "label", "atom", "multiplicity",
    "kind", "training_crystals", "hydrogen_bond", "reference", "baseline", "shielding", "between",
    "within",
)  # fmt: skip


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
            _read(folder / name / "predictions.csv", configuration, work.labelled)
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
                rows += _rows(judge(files, atoms, device, dtype=own.dtype(device)), own.fold)
        _write(table, rows)


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    write_rows(path, _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))


def _rows(judged: Judged, fold: int) -> list[dict[str, Any]]:
    """A row for each atom."""
    atoms = judged.atoms
    sites = [(crystal, site) for crystal, own in atoms.parts for site in own]
    evidence = judged.evidence
    assert evidence is not None  # where there are atoms
    return [
        {
            "species": SPECIES[atoms.element], "fold": fold + 1, "source": crystal.source,
            "name": crystal.name, "crystal": int(atoms.crystals[k]),
            "family": int(atoms.families[k]), "label": site.label, "atom": int(site.atoms[0]),
            "multiplicity": site.multiplicity, "kind": evidence.kinds[k],
            "training_crystals": int(evidence.precedents[k]),
            "hydrogen_bond": float(evidence.hydrogen_bonds[k]),
            "reference": float(atoms.reference[k]), "baseline": float(atoms.baseline[k]),
            "shielding": float(judged.shielding[k]), "between": float(judged.between[k]),
            "within": float(judged.within[k]),
        }
        for k, (crystal, site) in enumerate(sites)
    ]  # fmt: skip


def _read(path: Path, configuration: Configuration, labelled: Labelled) -> dict[str, Judged]:
    """Predictions that a fold wrote, by element, beside the atoms that they are of."""
    rows = read_rows(path)
    found = {}
    for element in ELEMENTS:
        own = [row for row in rows if row["species"] == SPECIES[element]]
        if not own:
            continue
        atoms = watched_atoms(labelled, element, configuration.for_element(element))
        if [int(row["crystal"]) for row in own] != atoms.crystals.tolist():
            raise TrainingError(
                "these predictions are not of the crystals that the fold watches",
                where=str(path),
                hint="delete the file: it is made anew",
            )
        found[element] = Judged(atoms, *predicted_columns(own))
    return found


def predicted_columns(
    rows: Sequence[Mapping[str, str]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Evidence]:
    """Shieldings, variances between members and between orientations, and what structures say.

    Of n rows of an out-of-fold table; in ppm and ppm², shape (n,) each. ValueError, KeyError.
    """
    names = ("shielding", "between", "within", "hydrogen_bond")
    columns = (np.array([float(row[name]) for row in rows]) for name in names)
    shielding, between, within, bonds = columns
    kinds = np.array([row["kind"] for row in rows], dtype=object)
    seen = np.array([int(row["training_crystals"]) for row in rows])
    return shielding, between, within, Evidence(kinds, seen, bonds)


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
    rows = (row for k, own in enumerate(judged) for part in own.values() for row in _rows(part, k))
    _write(folder / "out-of-fold.csv", rows)
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
