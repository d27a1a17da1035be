"""One training run: its directory, its nuclei one after the other, its networks.

A run directory holds ``config.json`` (the resolved configuration and data),
``metrics.csv``, one ``<model>-<nucleus>.safetensors`` a finished nucleus, and the state
of the nucleus in progress.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch

from shiftcli import __version__
from shiftcli.checkpoint import Metadata, replacing, save
from shiftcli.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.devices import resolve_device
from shiftcli.errors import TooFewSamples, TrainingError
from shiftcli.training.config import Configuration
from shiftcli.training.data import Samples, collect_samples, drop_outliers, is_validation
from shiftcli.training.loop import EpochReport, Trainer
from shiftcli.training.sources import load_labelled

#: Orientations averaged for the validation figures that a network carries.
_VIEWS = 12

_METRICS = tuple(f.name for f in fields(EpochReport))


def train(
    data: Sequence[str | Path],
    output: str | Path,
    *,
    nuclei: Sequence[str] | None = None,
    configuration: Configuration | None = None,
    resume: bool = False,
    device: str = "auto",
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Train a network for each nucleus on labelled crystals.

    Every eighth crystal, from the first on, validates and is never learned from.

    Parameters
    ----------
    data : sequence of str or pathlib.Path
        Files or directories with structures that carry shieldings.
    output : str or pathlib.Path
        Run directory; made if it is not there.
    nuclei : sequence of str, optional
        H, C, N, O; without it all that the data label.
    configuration : Configuration, optional
        Hyperparameters.
    resume : bool
        Go on with the run in `output`; its own data, nuclei and configuration hold.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    on_epoch : callable
        Called with an `EpochReport` after each epoch.
    on_note : callable
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
    place = resolve_device(device)
    if resume:
        data, nuclei, configuration = _load_run(folder)
    configuration = configuration or Configuration()
    crystals = load_labelled(data, on_note)
    if resume:
        _check_same_data(folder, crystals)
    else:
        _start_run(folder, data, nuclei, configuration, crystals)
    networks = []
    for element in nuclei or ELEMENTS:
        path = folder / f"{configuration.model}-{element}.safetensors"
        if path.exists():
            on_note(f"{SPECIES[element]}: finished before, kept")
            networks.append(path)
            continue
        samples = collect_samples(crystals, element)
        try:
            _train_nucleus(
                element, samples, configuration.for_element(element), path, place, on_epoch
            )
        except TooFewSamples as error:
            if nuclei is not None:
                raise
            on_note(f"{SPECIES[element]}: left out, {error.message}")
            continue
        networks.append(path)
        on_note(f"{SPECIES[element]}: wrote {path}")
    return networks


def _train_nucleus(
    element: str,
    samples: Samples,
    configuration: Configuration,
    path: Path,
    device: torch.device,
    on_epoch: Callable[[EpochReport], None],
) -> None:
    held_out = is_validation(samples.crystals)
    training = drop_outliers(samples[np.flatnonzero(~held_out)], element)
    validation = samples[np.flatnonzero(held_out)]
    trainer = Trainer(element, training, validation, configuration, device)
    state = path.with_name(f"{element}.state.safetensors")
    metrics = path.with_name("metrics.csv")

    def report(row: EpochReport) -> None:
        _append_metrics(metrics, row)
        on_epoch(row)

    trainer.fit(state, report)
    metadata = Metadata(
        nucleus=element,
        mean=trainer.mean,
        scale=trainer.scale,
        architecture=trainer.network.architecture,
        orientation=configuration.orientation,
        validation=_validation_figures(trainer),
        training={
            "configuration": asdict(configuration),
            "program": __version__,
            "samples": len(training),
            "crystals": len(np.unique(training.crystals)),
        },
    )
    save(path, trainer.network, metadata, half=True)
    state.unlink()


def _validation_figures(trainer: Trainer) -> dict:
    """What the network's file says of its errors; empty without validation samples."""
    validation = trainer.validation
    if not len(validation):
        return {}
    return {
        "rmse": trainer.validation_rmse(_VIEWS),
        "n": int(validation.weights.sum()),
        "crystals": len(np.unique(validation.crystals)),
    }


def _start_run(
    folder: Path,
    data: Sequence[str | Path],
    nuclei: Sequence[str] | None,
    configuration: Configuration,
    crystals: Mapping[int, Crystal],
) -> None:
    """Make the run directory and write what the run was asked to do."""
    record = {
        "program": __version__,
        "data": [os.path.abspath(d) for d in data],
        "crystals": len(crystals),
        "nuclei": None if nuclei is None else list(nuclei),
        "configuration": asdict(configuration),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "config.json").exists() or any(folder.glob("*.safetensors")):
            raise TrainingError(
                "this directory holds a run or networks",
                where=str(folder),
                hint=f"--resume {folder}, or another --output",
            )
        (folder / "config.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        with open(folder / "metrics.csv", "w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerow(_METRICS)
    except OSError as error:
        raise TrainingError(f"cannot write: {error.strerror}", where=str(folder)) from error


def _load_run(folder: Path) -> tuple[list[str], list[str] | None, Configuration]:
    """Data, nuclei and configuration of a run that was started before."""
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return record["data"], record["nuclei"], Configuration(**record["configuration"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"no run to resume: {error}", where=str(folder), hint="start one with --output"
        ) from error


def _check_same_data(folder: Path, crystals: Mapping[int, Crystal]) -> None:
    """Refuse to go on with other data: the split, and so the network, would not be the same."""
    before = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("crystals")
    if before != len(crystals):
        raise TrainingError(
            f"the data had {before} labelled crystals when this run began, now {len(crystals)}",
            where=str(folder),
        )


def _append_metrics(path: Path, report: EpochReport) -> None:
    """Add a row; rows of epochs that a resumed run repeats are replaced."""
    rows = []
    if path.exists():
        with open(path, newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    rows = [r for r in rows if r["nucleus"] != report.nucleus or int(r["epoch"]) < report.epoch]
    rows.append({k: str(v) for k, v in asdict(report).items()})
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, _METRICS)
        writer.writeheader()
        writer.writerows(rows)
