"""One training run: its nuclei one after the other or on one trunk, and their networks.

Each finished network is a ``<model>-<nucleus>.safetensors`` in the run directory
(``<model>-<nucleus>-<member>.safetensors`` in a committee); the state of what is in progress
lies beside. What else is in there is `shiftcli.training.folder`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli import __version__
from shiftcli.errors import TooFewSamples
from shiftcli.network.checkpoint import Metadata, load, save
from shiftcli.network.inference import DEFAULT_VIEWS
from shiftcli.network.precedents import Precedents, describe_training
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.training.atoms import LabelledAtoms, collect_atoms, labelled_sites
from shiftcli.training.branch import Branch, check_size, seen_as
from shiftcli.training.committee import calibrate, judge, store_calibration
from shiftcli.training.config import Configuration
from shiftcli.training.data import (
    Samples,
    collect_samples,
    drop_outliers,
    is_usual,
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
from shiftcli.training.loop import EpochReport, Trainer
from shiftcli.training.processes import Processes, launched
from shiftcli.training.sources import Labelled
from shiftcli.training.start import count_learned, find_start


@dataclass(frozen=True)
class Watcher:
    """Who is told how a run goes."""

    epoch: Callable[[EpochReport], None]  #: Called with an `EpochReport` after each epoch.
    note: Callable[[str], None]  #: Called with a line of text for the user.

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
    family_key: str | None = None,
    format: str | None = None,
    resume: bool = False,
    device: str = "auto",
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Train networks for each nucleus on labelled crystals.

    Every eighth family of crystals, from the first on, validates and is never learned from
    (`shiftcli.training.families`). Started by ``torchrun``, all processes work on one run.

    Parameters
    ----------
    data : sequence of str or pathlib.Path
        Files or directories with structures that carry shieldings, see
        `shiftcli.training.sources.load_levels`.
    output : str or pathlib.Path
        Run directory; made if it is not there.
    nuclei : sequence of str, optional
        H, C, N, O; without it all that the data label.
    configuration : Configuration, optional
        Hyperparameters.
    shielding_column : str, optional
        Column of extended XYZ files with the shieldings; without it the usual names.
    family_key : str, optional
        Key in the header of extended XYZ files that names the family of a crystal; without it
        its name does.
    format : str, optional
        Format of the files; without it what their names and content say.
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
    folder = Path(output)
    with launched(device) as processes:
        watcher = Watcher.of(processes, on_epoch, on_note)
        if resume:
            task = load_task(folder)
        else:
            chosen = None if nuclei is None else tuple(nuclei)
            places, own = tuple(map(str, data)), configuration or Configuration()
            task = Task(places, chosen, own, shielding_column, family_key, format)
        return run_task(task, task.load(watcher.note), folder, processes, watcher, resume=resume)


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
    shared = task.configuration.trunk == "shared"
    groups = [tuple(elements)] if shared else [(element,) for element in elements]
    networks = []
    for group in groups:
        networks += _train_group(group, task, labelled, folder, processes, watcher)
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

    Those of the task; without any, those of H, C, N and O that the data suffice for; of the others
    `on_note` is told. `processes` share a batch; with `start` the networks to start from are looked
    for. `TooFewSamples` if the data do not suffice for a nucleus of the task, or for any;
    `TrainingError` or `WeightsError` if a batch cannot be shared, or there is no network to start
    from.
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
            find_start(configuration, element)
            if seen := count_learned(configuration, labelled, element):
                on_note(
                    f"{SPECIES[element]}: the network to start from has learned from {seen} of the "
                    "crystals that are watched: their errors flatter"
                )
        found.append(element)
    if not found:
        raise TooFewSamples(
            "the data are too few for any nucleus", hint="more crystals or a smaller --batch-size"
        )
    return found


def _count_samples(labelled: Labelled, element: str, configuration: Configuration) -> int:
    """How many training samples of the main level `gather` will find."""
    training, _ = split_crystals(labelled.families, configuration)
    crystals = (labelled.main[k] for k in training.tolist())
    labels = [labelled_sites(c, element, configuration.copies)[1] for c in crystals]
    values = np.array([label for own in labels for label in own])
    return len(values) if configuration.outliers else int(is_usual(values, element).sum())


def _train_group(
    elements: tuple[str, ...],
    task: Task,
    labelled: Labelled,
    folder: Path,
    processes: Processes,
    watcher: Watcher,
) -> list[Path]:
    """All members of the nuclei that are trained together; samples are gathered where needed."""
    each = {element: task.configuration.for_element(element) for element in elements}
    common = each[elements[0]]
    suffixes = [f"-{k}" if common.members > 1 else "" for k in range(1, common.members + 1)]
    names = [
        {e: folder / f"{common.model}-{e}{suffix}.safetensors" for e in elements}
        for suffix in suffixes
    ]
    gathered: dict[str, tuple[Samples, Samples]] = {}

    def samples(element: str) -> tuple[Samples, Samples]:
        if element not in gathered:
            gathered[element] = gather(labelled, element, each[element])
        return gathered[element]

    for member, (suffix, paths) in enumerate(zip(suffixes, names, strict=True), 1):
        state = folder / f"{common.model}-{''.join(elements)}{suffix}.state"
        if all(path.exists() for path in paths.values()) and not state.exists():
            for path in paths.values():
                watcher.note(f"{path.stem}: finished before, kept")
            continue
        seed = common.seed + member - 1
        branches = [
            Branch(e, *samples(e), replace(own, seed=seed), processes) for e, own in each.items()
        ]
        trainer = Trainer(branches, branches[0].configuration, processes, member)
        with writing(folder):
            _train_member(trainer, paths, state, labelled, watcher)
        for path in paths.values():
            watcher.note(f"{path.stem}: wrote {path}")
    for element in elements:
        files = [paths[element] for paths in names]
        with processes.together():
            if processes.is_writer and not all(load(path)[1].calibration for path in files):
                _calibrate(files, element, each[element], labelled, processes, watcher)
    return [paths[element] for element in elements for paths in names]


def _calibrate(
    files: Sequence[Path],
    element: str,
    configuration: Configuration,
    labelled: Labelled,
    processes: Processes,
    watcher: Watcher,
) -> None:
    """Calibrate the committee of one nucleus on the validation crystals, if there are any."""
    watched = watched_atoms(labelled, element, configuration)
    if not len(watched):
        return
    dtype = configuration.dtype(processes.device)
    judged = judge(files, watched, processes.device, dtype=dtype)
    store_calibration(files, calibrate(judged, len(files)))
    watcher.note(f"{SPECIES[element]}: validation RMSE {judged.rmse:.3f} ppm, all orientations")


def watched_atoms(labelled: Labelled, element: str, configuration: Configuration) -> LabelledAtoms:
    """Distinct labelled atoms of the crystals that a run watches."""
    _, validation = split_crystals(labelled.families, configuration)
    crystals = {k: labelled.main[k] for k in validation.tolist()}
    return collect_atoms(crystals, element, families=labelled.families)


def gather(
    labelled: Labelled, element: str, configuration: Configuration
) -> tuple[Samples, Samples]:
    """Training samples of all levels and validation samples of the main one, of one nucleus.

    Outliers are dropped from the first alone, as are crystals of other levels whose family is
    watched.
    """
    training, validation = split_crystals(labelled.families, configuration)
    watched = {labelled.families[k] for k in validation.tolist()}

    def collect(
        crystals: Mapping[int, Crystal], families: Mapping[int, int] | None = None
    ) -> Samples:
        return collect_samples(crystals, element, configuration.copies, families)

    own = collect({k: labelled.main[k] for k in training.tolist()}, labelled.families)
    if not configuration.outliers:
        own = drop_outliers(own, element)
    further = []
    for level, crystals in labelled.auxiliary.items():
        kin = labelled.kin.get(level, {})
        further.append(collect({k: c for k, c in crystals.items() if kin.get(k) not in watched}))
    parts = [own, *(samples for samples in further if len(samples))]
    seen = {k: labelled.main[k] for k in validation.tolist()}
    return Samples.concatenate(parts), collect(seen, labelled.families)


def _train_member(
    trainer: Trainer,
    paths: Mapping[str, Path],
    state: Path,
    labelled: Labelled,
    watcher: Watcher,
) -> None:
    """Train networks, one of each nucleus, and write them; the state goes when they are there."""

    def report(row: EpochReport) -> None:
        append_metrics(state.with_name("metrics.csv"), row)
        watcher.epoch(row)

    trainer.fit(state, report)
    precedents = _precedents(labelled, trainer.configuration)
    made = [_metadata(trainer, branch, precedents) for branch in trainer.branches]
    with trainer.processes.together():
        if trainer.processes.is_writer:
            for branch, metadata in zip(trainer.branches, made, strict=True):
                save(paths[branch.element], trainer.network(branch), metadata, half=True)
            state.unlink(missing_ok=True)


def _metadata(trainer: Trainer, branch: Branch, precedents: Precedents) -> Metadata:
    """What the file of a network says beside its tensors."""
    configuration, training = branch.configuration, branch.training
    return Metadata(
        nucleus=branch.element,
        mean=branch.mean,
        scale=branch.scale,
        architecture=branch.levelled.network.architecture,
        orientation=seen_as(configuration),
        validation=_validation_figures(trainer, branch),
        training={
            "configuration": configuration.to_dict(),
            "program": __version__,
            "samples": len(training),
            "crystals": len(np.unique(training.crystals[branch.main])),
            "families": len(np.unique(training.families[branch.main])),
        },
        **precedents,
    )


def _precedents(labelled: Labelled, configuration: Configuration) -> Precedents:
    """What the networks have learned from: the first crystal of each family stands for it."""
    training, _ = split_crystals(labelled.families, configuration)
    first: dict[int, int] = {}
    for number in training.tolist():
        first.setdefault(labelled.families[number], number)
    crystals = [labelled.main[k] for k in first.values()]
    return describe_training(crystals, list(map(str, first)))


def _validation_figures(trainer: Trainer, branch: Branch) -> dict[str, Any]:
    """What the network's file says of its errors; empty without validation samples."""
    validation = branch.validation
    if not len(validation):
        return {}
    views = DEFAULT_VIEWS[seen_as(branch.configuration)]
    return {
        "rmse": trainer.validation_rmse(branch, views),
        "rmse_one_view": trainer.validation_rmse(branch, 1),
        "n": int(validation.weights.sum()),
        "crystals": len(np.unique(validation.crystals)),
    }
