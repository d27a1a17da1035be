"""What a run directory holds, written and read.

``config.toml`` (what the run was asked to do; it repeats the run when given to ``--config``),
``metrics.csv`` (an epoch a row), and the networks and states that `shiftcli.training.run` writes.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from shiftcli import __version__
from shiftcli.errors import TrainingError, UsageError
from shiftcli.files import read_rows, replacing, write_rows
from shiftcli.options import read_toml
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.training.config import STUDY, Configuration, make_configuration
from shiftcli.training.loop import EpochReport
from shiftcli.training.sources import Labelled, load_levels, split_level

#: What stands in a configuration file beside hyperparameters.
TASK_KEYS = ("data", "nuclei", "property", "family", "from", "run")

_METRICS = tuple(f.name for f in fields(EpochReport))


@dataclass(frozen=True)
class Task:
    """What a run is asked to do."""

    #: Files or directories, perhaps with their level of theory (``LEVEL=PATH``).
    data: tuple[str, ...]
    nuclei: tuple[str, ...] | None  #: H, C, N, O; None for all that the data label.
    configuration: Configuration  #: Hyperparameters.
    #: Column of the shieldings in extended XYZ files; None for the usual names.
    shielding_column: str | None = None
    #: Key in the header of extended XYZ files that names the family of a crystal; None for its
    #: name.
    family_key: str | None = None
    format: str | None = None  #: Format of the files; None for what name and content say.

    def __post_init__(self) -> None:
        for name, values in (("data", self.data), ("nuclei", self.nuclei or ())):
            if isinstance(values, str) or not all(isinstance(value, str) for value in values):
                raise UsageError(f"{name} = {values!r} is not a list of texts")
        unknown = [n for n in self.nuclei or () if n not in ELEMENTS]
        if unknown or self.nuclei == ():
            raise UsageError(f"nuclei {list(self.nuclei or ())} are not of {', '.join(ELEMENTS)}")
        texts = {"property": self.shielding_column, "family": self.family_key, "from": self.format}
        for name, text in texts.items():
            if not isinstance(text, str | None):
                raise UsageError(f"{name} = {text!r} is not a text")

    def load(self, on_note: Callable[[str], None]) -> Labelled:
        """Read the data; see `shiftcli.training.sources.load_levels`."""
        return load_levels(
            self.data, on_note,
            shielding_column=self.shielding_column, family_key=self.family_key,
            format=self.format,
        )  # fmt: skip


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
    begun = [name for name in ("config.toml", STUDY) if (folder / name).exists()]
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


def start_run(folder: Path, task: Task, labelled: Labelled) -> None:
    """Make the run directory and write what the run was asked to do."""
    claim(folder)
    write_rows(folder / "metrics.csv", _METRICS, [])
    write_task(folder / "config.toml", task, **_described(labelled))


def write_task(path: Path, task: Task, **further: Any) -> None:
    """Write what a run is asked to do, so that `load_task` reads it back.

    What depends on the nucleus is resolved; `further` values for the table ``[run]`` are not read
    back.
    """
    import tomli_w

    own = {
        "data": [_absolute(d) for d in task.data],
        "nuclei": task.nuclei and list(task.nuclei),
        "property": task.shielding_column,
        "family": task.family_key,
        "from": task.format,
    }
    record: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    record |= task.configuration.resolved().to_dict()
    record["run"] = {"program": __version__, **further}
    with replacing(path) as temporary:
        temporary.write_text(tomli_w.dumps(record), encoding="utf-8")


def parse_task(values: Mapping[str, Any], *layers: Mapping[str, Any], protocol: str) -> Task:
    """What a configuration file, from `shiftcli.options.read_toml`, asks for.

    `layers` of hyperparameters win over the file's; `protocol` is where they begin. `UsageError` if
    a name or a value is none that a run knows.
    """
    own = {k: v for k, v in values.items() if k not in TASK_KEYS}
    configuration = make_configuration(protocol, own, *layers)
    data, nuclei = values.get("data", ()), values.get("nuclei")
    return Task(
        tuple(data) if isinstance(data, list) else data,
        tuple(nuclei) if isinstance(nuclei, list) else nuclei,
        configuration,
        values.get("property"),
        values.get("family"),
        values.get("from"),
    )


def load_task(folder: Path) -> Task:
    """Read what a run that was started before was asked to do.

    `TrainingError` if there is no run in the directory.
    """
    return parse_task(load_record(folder), protocol="default")


def load_record(folder: Path, name: str = "config.toml") -> dict[str, Any]:
    """What `write_task` wrote; TrainingError if it is not there."""
    try:
        return read_toml(folder / name)
    except UsageError as error:
        raise TrainingError(
            f"no run to resume: {error.message}", where=str(folder), hint="start one with --output"
        ) from error


def check_same_data(folder: Path, labelled: Labelled) -> None:
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


def _absolute(place: str) -> str:
    """A place of data that means the same from another directory."""
    level, path = split_level(place)
    return f"{level}={os.path.abspath(path)}" if level else os.path.abspath(path)


def _described(labelled: Labelled) -> dict[str, Any]:
    """What tells the data of a run from others: structures of each level, digest of all."""
    counts = [len(labelled.main), *map(len, labelled.auxiliary.values())]
    return {"crystals": counts, "digest": labelled.digest()}


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
    try:
        rows = read_rows(path)
        for row in rows:
            int(row["member"]), int(row["epoch"]), float(row["validation_rmse"])
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise TrainingError("not the log of a run", where=str(path)) from error
    return rows


def append_metrics(path: Path, report: EpochReport) -> None:
    """Add a row; rows of epochs that a resumed run repeats are replaced."""
    rows = _read_metrics(path)
    own = (report.nucleus, str(report.member))
    rows = [r for r in rows if (r["nucleus"], r["member"]) != own or int(r["epoch"]) < report.epoch]
    kept = [[row.get(name, "") for name in _METRICS] for row in rows]
    write_rows(path, _METRICS, [*kept, list(asdict(report).values())])
