"""`shiftcli train`."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from shiftcli.cli.batch import data_files
from shiftcli.cli.command import command
from shiftcli.cli.options import DeviceOptions, FormatOptions, NucleiOptions, PlotOptions
from shiftcli.cli.words import parse_counts
from shiftcli.errors import UsageError
from shiftcli.files import check_outputs
from shiftcli.options import option, options_of
from shiftcli.training.config import Configuration

if TYPE_CHECKING:
    from shiftcli.training.folder import Task
    from shiftcli.training.studies import Variation


@dataclass(frozen=True)
class TrainOptions(FormatOptions):
    """What a run learns from, where it is kept, and what is varied."""

    data: list[str] | None = option(
        None, "Files or directories of structures with shieldings; the first names the level of "
        "theory to learn, other levels get a scale and offset of their own.",
        metavar="[LEVEL=]PATH",
    )  # fmt: skip
    property: str | None = option(
        None, "Column of extended XYZ files with the shieldings.", metavar="COLUMN",
        shown="the usual names",
    )  # fmt: skip
    family: str | None = option(
        None, "Key in the header of extended XYZ files; crystals of which it says the same stay on "
        "one side of every split.", metavar="KEY", shown="the name, a refcode without its number",
    )  # fmt: skip
    check: bool = option(False, "Describe the data and all problems, and train nothing.")
    output: Path | None = option(
        None, "Run directory.", short="o", metavar="DIR", shown="runs/MODEL-TIME"
    )
    resume: Path | None = option(None, "Go on with the run in this directory.", metavar="DIR")
    protocol: Literal["default", "shared", "paper"] = option(
        "default",
        "Hyperparameters to begin with: networks one by one, all on one trunk, or the paper's "
        "Methods",
    )
    folds: int | None = option(
        None, "Cross-validate in so many parts.", limits=(2, 1000), metavar="N"
    )
    refit: bool = option(
        False, "After --folds: train --members networks on all crystals, with the errors and "
        "intervals of the cross-validation.",
    )  # fmt: skip
    fold_members: int | None = option(
        None, "Networks of each nucleus in a fold of --refit.", limits=(1, 100), metavar="N",
        shown="1",
    )  # fmt: skip
    seeds: int | None = option(None, "Repeat with so many seeds.", limits=(1, 1000), metavar="N")
    crystals: tuple[int, ...] | None = option(
        None, "Learning curve over numbers of training crystals.", metavar="N,N,...",
        parse=partial(parse_counts, least=1),
    )  # fmt: skip

    @builtins.property
    def variation(self) -> Variation | None:
        """What differs between the runs, if options say so."""
        from shiftcli.training.studies import Variation

        varied = (self.folds, self.seeds, self.crystals, self.fold_members)
        if not self.refit and varied == (None,) * 4:
            return None
        return Variation(
            self.folds or 0, self.seeds or 1, self.crystals or (), self.refit,
            self.fold_members or 1,
        )  # fmt: skip


#: What a configuration file may say of a run beside the options; one layer below them.
_FURTHER = frozenset((*options_of(Configuration), "nucleus", "nuclei", "data", "property", "family",
                      "from", "run", "folds", "fold", "crystals"))  # fmt: skip


@partial(command, further=_FURTHER)
def train(
    *,
    context: typer.Context,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[DATA]...", help="Further data.")
    ] = None,
    run: TrainOptions,
    nuclei: NucleiOptions,
    picture: PlotOptions,
    device: DeviceOptions,
    given: Annotated[dict[str, Any], Configuration],
) -> None:
    """Train networks on structures with known shieldings, one for each nucleus.

    Example: shiftcli train --data gipaw-results/
    """
    from shiftcli.training.folder import parse_task
    from shiftcli.training.studies import parse_variation

    places, plot = [*(run.data or ()), *(more or ())], picture.checked()
    if run.resume is not None:
        alone = TrainOptions(resume=run.resume)
        if places or given or nuclei.nuclei or context.params["config"] or run != alone:
            raise UsageError("--resume keeps the options of its run: leave all but --device out")
        _run(None, None, run.resume, True, device.device, plot)
        return
    values = context.meta["shiftcli.further"]
    own: dict[str, Any] = {"data": places, "nuclei": nuclei.nuclei}
    own |= {"property": run.property, "family": run.family, "from": run.format}
    own = {name: value for name, value in own.items() if value}
    task = parse_task(values | own, given, protocol=run.protocol)
    if not task.data:
        raise UsageError("give --data, to start a run, or --resume DIR")
    if run.check:
        _check(task)
        return
    check_outputs([plot], data_files(task.data))
    varied = run.variation or parse_variation(values)
    folder = run.output or _new_folder(task.configuration.model)
    variation = None if varied is None or varied.is_one_run else varied
    _run(task, variation, folder, False, device.device, plot)


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

    from shiftcli.training.report import data_tables, describe
    from shiftcli.training.run import find_trainable
    from shiftcli.views.terminal import emit_tables

    labelled = task.load(lambda text: None)
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
    from shiftcli.benchmark.tables import refit_tables
    from shiftcli.training import run
    from shiftcli.training.config import STUDY
    from shiftcli.training.refits import refit
    from shiftcli.training.studies import load_study, study, study_table
    from shiftcli.views.terminal import emit_tables

    with _stoppable(folder, resume) as view:
        told = {"device": device, "on_epoch": view.epoch, "on_note": view.note}
        view.note(f"run directory: {folder}")
        networks, tables = [], []
        if resume and (folder / STUDY).exists():
            variation = load_study(folder)[1]
        if variation is None:
            own = vars(task) if task else {"data": ()}
            networks = run.train(**own, output=folder, resume=resume, **told)
        elif variation.refit:
            made = refit(task, folder, variation, resume=resume, **told)
            networks, tables = [*made.networks], refit_tables(made)
        else:
            tables = [study_table(study(task, folder, variation, resume=resume, **told))]
    if not view.is_writer:
        return
    if tables:
        emit_tables(tables, None)
    for path in networks:
        typer.echo(path)
    if plot is not None:
        from shiftcli.views.plots import plot_training

        plot_training(sorted(folder.glob("**/metrics.csv")), plot)


@contextmanager
def _stoppable(folder: Path, resume: bool) -> Iterator[Any]:
    """Say how to go on after Ctrl-C or SIGTERM; a killed run can be resumed all the same."""
    import signal

    from shiftcli.training.config import STUDY
    from shiftcli.training.folder import best_errors
    from shiftcli.views.progress import TrainingView

    def terminate(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    view = TrainingView(best_errors(folder) if resume else None)
    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield view
    except (KeyboardInterrupt, SystemExit):
        if any((folder / name).exists() for name in ("config.toml", STUDY)):
            view.note(f"stopped; go on with: shiftcli train --resume {folder}")
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
        view.close()
