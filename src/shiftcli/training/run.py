"""One training run: its directory, its nuclei one after the other, its networks.

A run directory holds ``config.toml`` (the resolved configuration and data; it repeats the
run when given to ``--config``), ``metrics.csv``, one ``<model>-<nucleus>.safetensors`` a
finished network (``<model>-<nucleus>-<member>.safetensors`` in a committee), and the state
of the network in progress.
"""

from __future__ import annotations

import csv
import math
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shiftcli import __version__
from shiftcli.checkpoint import Metadata, load, replacing, save
from shiftcli.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.errors import TooFewSamples, TrainingError, UsageError
from shiftcli.inference import DEFAULT_VIEWS
from shiftcli.training.committee import calibrate, store_calibration
from shiftcli.training.config import Configuration, make_configuration
from shiftcli.training.data import (
    Samples,
    collect_samples,
    drop_outliers,
    is_usual,
    labelled_sites,
    split_crystals,
)
from shiftcli.training.loop import EpochReport, Trainer, check_size, seen_as
from shiftcli.training.processes import Processes, launched
from shiftcli.training.sources import Labelled, load_levels, split_level
from shiftcli.training.start import find_start

_METRICS = tuple(f.name for f in fields(EpochReport))


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


@dataclass(frozen=True)
class Task:
    """What a run is asked to do.

    Attributes
    ----------
    data : tuple of str
        Files or directories, perhaps with their level of theory (``LEVEL=PATH``).
    nuclei : tuple of str or None
        H, C, N, O; None for all that the data label.
    configuration : Configuration
        Hyperparameters.
    shielding_column : str or None
        Column of the shieldings in extended XYZ files; None for the usual names.
    """

    data: tuple[str, ...]
    nuclei: tuple[str, ...] | None
    configuration: Configuration
    shielding_column: str | None = None

    def __post_init__(self) -> None:
        for name, values in (("data", self.data), ("nuclei", self.nuclei or ())):
            if isinstance(values, str) or not all(isinstance(value, str) for value in values):
                raise UsageError(f"{name} = {values!r} is not a list of texts")
        unknown = [n for n in self.nuclei or () if n not in ELEMENTS]
        if unknown or self.nuclei == ():
            raise UsageError(f"nuclei {list(self.nuclei or ())} are not of {', '.join(ELEMENTS)}")
        if not isinstance(self.shielding_column, str | None):
            raise UsageError(f"property = {self.shielding_column!r} is not a text")


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
            _check_same_data(folder, labelled)
        elements = find_trainable(task, labelled, watcher.note, processes.count, start=not resume)
        if processes.is_writer:
            with writing(folder):
                if not resume:
                    _start_run(folder, task, labelled)
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
        _append_metrics(metrics, row)
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


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what a disk may do into an error that names the directory."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise TrainingError(f"cannot write: {reason}", where=str(folder)) from error


def claim(folder: Path) -> None:
    """Make a directory for a run or a study; TrainingError where it holds one, or networks."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = [name for name in ("config.toml", "study.toml") if (folder / name).exists()]
    if begun or any(folder.glob("*.safetensors")):
        raise TrainingError(
            "this directory holds a run or networks",
            where=str(folder),
            hint=f"{f'--resume {folder}, or ' if begun else ''}another --output",
        )


def clear(folder: Path) -> None:
    """Remove what a process that was killed while writing left."""
    for stale in folder.glob(".*.tmp"):
        with suppress(OSError):
            stale.unlink()


def _start_run(folder: Path, task: Task, labelled: Labelled) -> None:
    """Make the run directory and write what the run was asked to do."""
    claim(folder)
    with (
        replacing(folder / "metrics.csv") as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as handle,
    ):
        csv.writer(handle).writerow(_METRICS)
    write_task(folder / "config.toml", task, **_described(labelled))


def write_task(path: Path, task: Task, **further: Any) -> None:
    """Write what a run is asked to do, so that `load_task` reads it back.

    Parameters
    ----------
    path : pathlib.Path
        A TOML file.
    task : Task
        What is asked; written with all that depends on the nucleus resolved.
    **further
        Values for the table ``[run]``, of which `load_task` takes no notice.
    """
    import tomli_w

    record: dict[str, Any] = {"data": [_absolute(d) for d in task.data]}
    if task.nuclei is not None:
        record["nuclei"] = list(task.nuclei)
    if task.shielding_column is not None:
        record["property"] = task.shielding_column
    record |= task.configuration.resolved().to_dict()
    record["run"] = {"program": __version__, **further}
    with replacing(path) as temporary:
        temporary.write_text(tomli_w.dumps(record), encoding="utf-8")


def _absolute(place: str) -> str:
    """A place of data that means the same from another directory."""
    level, path = split_level(place)
    return f"{level}={os.path.abspath(path)}" if level else os.path.abspath(path)


def _described(labelled: Labelled) -> dict[str, Any]:
    """What tells the data of a run from others: structures of each level, digest of all."""
    counts = [len(labelled.main), *map(len, labelled.auxiliary.values())]
    return {"crystals": counts, "digest": labelled.digest()}


def parse_task(values: Mapping[str, Any], *layers: Mapping[str, Any], protocol: str) -> Task:
    """What a configuration file asks for.

    Parameters
    ----------
    values : mapping
        From `shiftcli.training.config.read_toml`.
    *layers : mapping
        Hyperparameters that win over the file's.
    protocol : str
        Where the hyperparameters begin.

    Returns
    -------
    Task

    Raises
    ------
    UsageError
        If a name or a value is none that a run knows.
    """
    own = {k: v for k, v in values.items() if k not in ("data", "nuclei", "property", "run")}
    configuration = make_configuration(protocol, own, *layers)
    data, nuclei = values.get("data", ()), values.get("nuclei")
    return Task(
        tuple(data) if isinstance(data, list) else data,
        tuple(nuclei) if isinstance(nuclei, list) else nuclei,
        configuration,
        values.get("property"),
    )


def load_task(folder: Path) -> Task:
    """Read what a run that was started before was asked to do.

    Parameters
    ----------
    folder : pathlib.Path
        Run directory.

    Returns
    -------
    Task

    Raises
    ------
    TrainingError
        If there is no run in it.
    """
    return parse_task(load_record(folder), protocol="default")


def load_record(folder: Path, name: str = "config.toml") -> dict[str, Any]:
    """What `write_task` wrote; TrainingError if it is not there."""
    try:
        with open(folder / name, "rb") as handle:
            return tomllib.load(handle)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"no run to resume: {error}", where=str(folder), hint="start one with --output"
        ) from error


def _check_same_data(folder: Path, labelled: Labelled) -> None:
    """Refuse to go on with other data: the split, and so the network, would not be the same."""
    before, now = load_record(folder).get("run", {}), _described(labelled)
    if before.get("crystals") != now["crystals"]:
        counts = [" + ".join(map(str, d.get("crystals", []))) for d in (before, now)]
        raise TrainingError(
            f"the data had {counts[0]} labelled structures when this run began, now {counts[1]}",
            where=str(folder),
        )
    if before.get("digest", now["digest"]) != now["digest"]:  # older runs have none
        raise TrainingError(
            "the structures or shieldings are not those that this run began with",
            where=str(folder),
            hint="bring the old data back, or start a new run with another --output",
        )


def best_errors(folder: Path) -> dict[tuple[str, int], float]:
    """Smallest validation RMSE (ppm) so far of each network of a run, by nucleus and member."""
    best: dict[tuple[str, int], float] = {}
    for row in _read_metrics(folder / "metrics.csv"):
        key = row["nucleus"], int(row["member"])
        best[key] = min(best.get(key, math.inf), float(row["validation_rmse"]))
    return best


def _read_metrics(path: Path) -> list[dict[str, str]]:
    """Rows of a log, none where there is no log."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _append_metrics(path: Path, report: EpochReport) -> None:
    """Add a row; rows of epochs that a resumed run repeats are replaced."""
    rows = _read_metrics(path)
    own = (report.nucleus, str(report.member))
    rows = [r for r in rows if (r["nucleus"], r["member"]) != own or int(r["epoch"]) < report.epoch]
    rows.append({k: str(v) for k, v in asdict(report).items()})
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, _METRICS)
        writer.writeheader()
        writer.writerows(rows)
