"""One training run: its nuclei one after the other, and their networks.

Each finished network is a ``<model>-<nucleus>.safetensors`` in the run directory
(``<model>-<nucleus>-<member>.safetensors`` in a committee); the state of the one in progress
lies beside. What else is in there is `shiftcli.training.folder`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shiftcli import __version__
from shiftcli.errors import TooFewSamples
from shiftcli.network.checkpoint import Metadata, load, save
from shiftcli.network.inference import DEFAULT_VIEWS
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.training.committee import calibrate, store_calibration
from shiftcli.training.config import Configuration
from shiftcli.training.data import (
    Samples,
    collect_samples,
    drop_outliers,
    is_usual,
    labelled_sites,
    split_crystals,
)
from shiftcli.training.folder import (
    Task,
    append_metrics,
    check_same_data,
    clear,
    load_task,
    start_run,
    writing,
)
from shiftcli.training.loop import EpochReport, Trainer, check_size, seen_as
from shiftcli.training.processes import Processes, launched
from shiftcli.training.sources import Labelled, load_levels
from shiftcli.training.start import find_start


@dataclass(frozen=True)
class Watcher:
    """Who is told how a run goes.

    Attributes
    ----------
    epoch : callable
        Called with an `EpochReport` after each epoch.
    note : callable
        Called with a line of text for the user.
    """

    epoch: Callable[[EpochReport], None]
    note: Callable[[str], None]

    @classmethod
    def of(
        cls,
        processes: Processes,
        on_epoch: Callable[[EpochReport], None] | None,
        on_note: Callable[[str], None] | None,
    ) -> Watcher:
        """Of several processes only the writer tells anything."""
        if not processes.is_writer:
            on_epoch = on_note = None
        return cls(on_epoch or (lambda report: None), on_note or (lambda text: None))


def train(
    data: Sequence[str | Path],
    output: str | Path,
    *,
    nuclei: Sequence[str] | None = None,
    configuration: Configuration | None = None,
    shielding_column: str | None = None,
    resume: bool = False,
    device: str = "auto",
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Train networks for each nucleus on labelled crystals.

    Every eighth crystal, from the first on, validates and is never learned from. Started by
    ``torchrun``, all processes work on one run.

    Parameters
    ----------
    data : sequence of str or pathlib.Path
        Files or directories with structures that carry shieldings, see
        `shiftcli.training.load_levels`.
    output : str or pathlib.Path
        Run directory; made if it is not there.
    nuclei : sequence of str, optional
        H, C, N, O; without it all that the data label.
    configuration : Configuration, optional
        Hyperparameters.
    shielding_column : str, optional
        Column of extended XYZ files with the shieldings; without it the usual names.
    resume : bool
        Go on with the run in `output`; its own data, nuclei and configuration hold.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    on_epoch : callable, optional
        Called with an `EpochReport` after each epoch.
    on_note : callable, optional
        Called with a line of text for the user.

    Returns
    -------
    list of pathlib.Path
        The networks.

    Raises
    ------
    TrainingError
        If the data hold no labels, the directory is taken or cannot be written, or the
        loss is no longer a number.
    """
    task = None
    if not resume:
        nuclei = None if nuclei is None else tuple(nuclei)
        places = tuple(str(d) for d in data)
        task = Task(places, nuclei, configuration or Configuration(), shielding_column)
    return start_or_resume(task, Path(output), device=device, on_epoch=on_epoch, on_note=on_note)


def start_or_resume(
    task: Task | None,
    folder: Path,
    *,
    device: str = "auto",
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Start a run in a new directory or, without a task, go on with the one in it; see `train`."""
    with launched(device) as processes:
        watcher = Watcher.of(processes, on_epoch, on_note)
        wanted = task or load_task(folder)
        labelled = load_levels(wanted.data, watcher.note, shielding_column=wanted.shielding_column)
        return run_task(wanted, labelled, folder, processes, watcher, resume=task is None)


def run_task(
    task: Task,
    labelled: Labelled,
    folder: Path,
    processes: Processes,
    watcher: Watcher,
    *,
    resume: bool,
) -> list[Path]:
    """Train the networks of one run on data that are read; see `train`."""
    with processes.together():
        if resume:
            check_same_data(folder, labelled)
        elements = find_trainable(task, labelled, watcher.note, processes.count, start=not resume)
        if processes.is_writer:
            with writing(folder):
                if not resume:
                    start_run(folder, task, labelled)
                clear(folder)
    networks = []
    for element in elements:
        networks += _train_nucleus(element, task, labelled, folder, processes, watcher)
    return networks


def find_trainable(
    task: Task,
    labelled: Labelled,
    on_note: Callable[[str], None],
    processes: int = 1,
    *,
    start: bool = True,
) -> list[str]:
    """Find the nuclei that a run can train, before it makes or trains anything.

    Parameters
    ----------
    task : Task
        What the run is asked to do.
    labelled : Labelled
        Its data.
    on_note : callable
        Told of nuclei that are left out.
    processes : int
        Processes that share a batch.
    start : bool
        Whether the networks to start from are looked for.

    Returns
    -------
    list of str
        Those of the task; without any, those of H, C, N and O that the data suffice for.

    Raises
    ------
    TooFewSamples
        If the data do not suffice for a nucleus of the task, or for any.
    TrainingError, WeightsError
        If a batch cannot be shared, or there is no network to start from.
    """
    found = []
    for element in task.nuclei or ELEMENTS:
        configuration = task.configuration.for_element(element)
        try:
            samples = _count_samples(labelled, element, configuration)
            check_size(element, samples, configuration, processes)
        except TooFewSamples as error:
            if task.nuclei is not None:
                raise
            on_note(f"{SPECIES[element]}: left out, {error.message}")
            continue
        if start and configuration.start:
            find_start(configuration.architecture(), Path(configuration.start), element)
        found.append(element)
    if not found:
        raise TooFewSamples(
            "the data are too few for any nucleus", hint="more crystals or a smaller --batch-size"
        )
    return found


def _count_samples(labelled: Labelled, element: str, configuration: Configuration) -> int:
    """How many training samples of the main level `gather` will find."""
    numbers = np.array(sorted(labelled.main), dtype=int)
    crystals = (labelled.main[k] for k in split_crystals(numbers, configuration)[0].tolist())
    labels = [labelled_sites(c, element, configuration.copies)[1] for c in crystals]
    values = np.array([label for own in labels for label in own])
    return len(values) if configuration.outliers else int(is_usual(values, element).sum())


def _train_nucleus(
    element: str,
    task: Task,
    labelled: Labelled,
    folder: Path,
    processes: Processes,
    watcher: Watcher,
) -> list[Path]:
    """All members of one nucleus; samples are gathered only if one is not trained yet."""
    configuration = task.configuration.for_element(element)
    paths = [
        folder / f"{configuration.model}-{element}{suffix}.safetensors"
        for suffix in _suffixes(configuration.members)
    ]
    parts: tuple[Samples, Samples] | None = None
    for member, path in enumerate(paths, 1):
        if path.exists():
            watcher.note(f"{path.stem}: finished before, kept")
            continue
        parts = parts or gather(labelled, element, configuration)
        own = replace(configuration, seed=configuration.seed + member - 1)
        trainer = Trainer(element, *parts, own, processes, member)
        with writing(folder):
            _train_member(trainer, path, watcher)
        watcher.note(f"{path.stem}: wrote {path}")
    with processes.together():
        if processes.is_writer and not all(load(path)[1].calibration for path in paths):
            _, validation = parts or gather(labelled, element, configuration)
            if len(validation):
                dtype = getattr(torch, configuration.precision)
                calibration, rmse = calibrate(paths, validation, processes.device, dtype=dtype)
                store_calibration(paths, calibration)
                watcher.note(
                    f"{SPECIES[element]}: validation RMSE {rmse:.3f} ppm, all orientations"
                )
    return paths


def gather(
    labelled: Labelled, element: str, configuration: Configuration
) -> tuple[Samples, Samples]:
    """Training samples of all levels and validation samples of the main one.

    Parameters
    ----------
    labelled : Labelled
        The crystals.
    element : str
        H, C, N or O.
    configuration : Configuration
        Of this nucleus.

    Returns
    -------
    training, validation : Samples
        Outliers are dropped from the first alone.
    """
    numbers = np.array(sorted(labelled.main), dtype=int)
    training, validation = split_crystals(numbers, configuration)
    copies = configuration.copies

    def collect(crystals: Mapping[int, Crystal]) -> Samples:
        return collect_samples(crystals, element, copies)

    own = collect({k: labelled.main[k] for k in training.tolist()})
    if not configuration.outliers:
        own = drop_outliers(own, element)
    further = [collect(crystals) for crystals in labelled.auxiliary.values()]
    parts = [own, *(samples for samples in further if len(samples))]
    return Samples.concatenate(parts), collect({k: labelled.main[k] for k in validation.tolist()})


def _suffixes(members: int) -> list[str]:
    return [""] if members == 1 else [f"-{k}" for k in range(1, members + 1)]


def _train_member(trainer: Trainer, path: Path, watcher: Watcher) -> None:
    """Train one network and write it; its state file goes when it is there."""
    state = path.with_name(f"{path.stem}.state")
    metrics = path.with_name("metrics.csv")

    def report(row: EpochReport) -> None:
        append_metrics(metrics, row)
        watcher.epoch(row)

    trainer.fit(state, report)
    figures = _validation_figures(trainer)
    configuration = trainer.configuration
    metadata = Metadata(
        nucleus=trainer.element,
        mean=trainer.mean,
        scale=trainer.scale,
        architecture=trainer.network.architecture,
        orientation=seen_as(configuration),
        validation=figures,
        training={
            "configuration": configuration.to_dict(),
            "program": __version__,
            "samples": len(trainer.training),
            "crystals": len(np.unique(trainer.training.crystals[trainer.main])),
        },
    )
    with trainer.processes.together():
        if trainer.processes.is_writer:
            save(path, trainer.network, metadata, half=True)
            state.unlink(missing_ok=True)


def _validation_figures(trainer: Trainer) -> dict[str, Any]:
    """What the network's file says of its errors; empty without validation samples."""
    validation = trainer.validation
    if not len(validation):
        return {}
    return {
        "rmse": trainer.validation_rmse(DEFAULT_VIEWS[seen_as(trainer.configuration)]),
        "rmse_one_view": trainer.validation_rmse(1),
        "n": int(validation.weights.sum()),
        "crystals": len(np.unique(validation.crystals)),
    }
