"""`shiftcli train`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shiftcli.cli import training_options as options
from shiftcli.cli.options import DeviceOption, NucleusOption, parse_nuclei
from shiftcli.errors import UsageError

if TYPE_CHECKING:
    from shiftcli.training import Task, Variation


def train(
    context: typer.Context,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[DATA]...", help="Further data.")
    ] = None,
    data: options.Data = None,
    property: options.Property = None,
    nucleus: NucleusOption = None,
    check: options.Check = False,
    output: options.Output = None,
    resume: options.Resume = None,
    config: options.Config = None,
    protocol: options.Protocol = "default",
    folds: options.Folds = None,
    seeds: options.Seeds = None,
    crystals: options.Crystals = None,
    plot: options.Plot = None,
    device: DeviceOption = "auto",
    model: options.Model = None,
    kernel: options.Kernel = None,
    grid: options.Grid = None,
    crop: options.Crop = None,
    dense: options.Dense = None,
    dropout: options.Dropout = None,
    start: options.Start = None,
    members: options.Members = None,
    orientation: options.Orientation = None,
    augmentation: options.Augmentation = None,
    tilt: options.Tilt = None,
    smear: options.Smear = None,
    copies: options.Copies = None,
    outliers: options.Outliers = None,
    balance: options.Balance = None,
    auxiliary: options.Auxiliary = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    optimizer: options.Optimizer = None,
    learning_rate: options.LearningRate = None,
    schedule: options.Schedule = None,
    warmup: options.Warmup = None,
    decay: options.Decay = None,
    weight_decay: options.WeightDecay = None,
    l2: options.L2 = None,
    clip: options.Clip = None,
    precision: options.Precision = None,
    seed: options.Seed = None,
) -> None:
    """Train networks on structures with known shieldings, one for each nucleus.

    Example: shiftcli train --data gipaw-results/
    """
    given = {k: v for k, v in context.params.items() if k in options.HYPERPARAMETERS}
    given = {k: v for k, v in given.items() if v is not None}
    places = [*(data or ()), *(more or ())]
    nuclei = parse_nuclei(nucleus)
    if plot is not None:
        from shiftcli.views.plots import check_picture

        check_picture(plot)
    if resume is not None:
        others = (nuclei, config, output, folds, seeds, crystals, property, check)
        if places or given or any(others) or protocol != "default":
            raise UsageError("--resume keeps the options of its run: leave all but --device out")
        _run(None, None, resume, True, device, plot)
        return
    values = _read(config)
    task = _task(places, nuclei, property, values, protocol, given)
    if check:
        _check(task)
        return
    variation = _variation(folds, seeds, crystals, values)
    _run(task, variation, output or _new_folder(task.configuration.model), False, device, plot)


def _read(config: Path | None) -> dict[str, Any]:
    """What a configuration file says, if there is one."""
    from shiftcli.training.config import read_toml

    return read_toml(config) if config is not None else {}


def _task(
    places: list[str],
    nuclei: tuple[str, ...] | None,
    column: str | None,
    values: dict[str, Any],
    protocol: str,
    given: dict[str, Any],
) -> Task:
    """What the file and the options ask for; options win."""
    from shiftcli.training.folder import parse_task

    values = values | ({"data": places} if places else {})
    values |= {"nuclei": nuclei} if nuclei else {}
    values |= {"property": column} if column else {}
    task = parse_task(values, given, protocol=protocol)
    if not task.data:
        raise UsageError("give --data, to start a run, or --resume DIR")
    return task


def _variation(
    folds: int | None, seeds: int | None, crystals: str | None, values: dict[str, Any]
) -> Variation | None:
    """What the options say varies or, without them, the file of a study."""
    from shiftcli.training import Variation
    from shiftcli.training.study import parse_variation

    if folds is None and seeds is None and crystals is None:
        return parse_variation(values)
    try:
        sizes = tuple(int(n) for n in (crystals or "").split(",") if n.strip())
    except ValueError as error:
        raise UsageError(f"--crystals: '{crystals}' is not a list of numbers") from error
    if crystals is not None and not sizes:
        raise UsageError("--crystals names no number of crystals")
    variation = Variation(folds or 0, seeds or 1, sizes)
    return None if variation.is_one_run else variation


def _new_folder(model: str) -> Path:
    """A directory that no run has: the same second in all processes is too much to ask."""
    import os
    from datetime import datetime

    if "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        raise UsageError("several processes need one --output")
    return Path("runs") / f"{model}-{datetime.now():%Y%m%d-%H%M%S}"


def _check(task: Task) -> None:
    """Describe the data and what stands in a run's way, and train nothing."""
    from dataclasses import replace

    from shiftcli.training.report import describe
    from shiftcli.training.run import find_trainable
    from shiftcli.training.sources import load_levels
    from shiftcli.views.terminal.common import data_tables, emit_tables

    labelled = load_levels(task.data, shielding_column=task.shielding_column)
    report = describe(labelled)
    problems = [*report.problems]
    try:
        find_trainable(task, labelled, problems.append)
    finally:
        emit_tables(data_tables(replace(report, problems=tuple(problems))), None)


def _run(
    task: Task | None,
    variation: Variation | None,
    folder: Path,
    resume: bool,
    device: str,
    plot: Path | None,
) -> None:
    """Train, watch, and say where the networks are."""
    from shiftcli.training import study
    from shiftcli.training.run import start_or_resume
    from shiftcli.training.study import STUDY
    from shiftcli.views.terminal.common import emit_tables, study_table

    with _stoppable(folder, resume) as view:
        told = {"device": device, "on_epoch": view.epoch, "on_note": view.note}
        view.note(f"run directory: {folder}")
        if variation is not None or (resume and (folder / STUDY).exists()):
            rows = study(task, folder, variation, resume=resume, **told)
            networks = []
        else:
            networks = start_or_resume(task, folder, **told)
            rows = []
    if not view.is_writer:
        return
    if rows:
        emit_tables([study_table(rows)], None)
    for path in networks:
        typer.echo(path)
    if plot is not None:
        from shiftcli.views.plots import plot_training

        plot_training(sorted(folder.glob("**/metrics.csv")), plot)


@contextmanager
def _stoppable(folder: Path, resume: bool) -> Iterator[Any]:
    """Say how to go on after Ctrl-C or SIGTERM; a killed run can be resumed all the same."""
    import signal

    from shiftcli.training.folder import best_errors
    from shiftcli.views.terminal.common import TrainingView

    def terminate(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    view = TrainingView(best_errors(folder) if resume else None)
    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield view
    except (KeyboardInterrupt, SystemExit):
        if any((folder / name).exists() for name in ("config.toml", "study.toml")):
            view.note(f"stopped; go on with: shiftcli train --resume {folder}")
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
        view.close()
