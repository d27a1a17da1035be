"""`shiftcli reproduce`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.batch import data_files, fetched, network_files
from shiftcli.cli.command import command
from shiftcli.cli.options import NetworkOptions
from shiftcli.options import option

_WHAT = typer.Argument(
    help="Table or figure of Liu et al. 2019, errors against displacement, or rankings."
)


@dataclass(frozen=True)
class ReproductionOptions(NetworkOptions):
    """With which data and networks, how thorough, and where it goes."""

    data: list[str] | None = option(
        None, "Structures with shieldings.", metavar="PATH", shown="none"
    )
    predictions: Path | None = option(
        None,
        "Errors of this out-of-fold table of train --folds --refit in place of the networks' "
        "(table2, figure4, geometry).",
        metavar="FILE",
    )
    quick: bool = option(False, "Minutes on two cores, not the paper's sizes.")
    output: Path = option(
        Path("reproduced"), "Directory for tables, pictures and runs.", short="o", metavar="DIR"
    )
    form: Literal["table", "json"] = option("table", "Format", name="format")


@command
def reproduce(
    *,
    what: Annotated[Literal[
        "table1", "table2", "table3", "table4", "figure1", "figure3a", "figure3b", "figure4",
        "figure5", "geometry", "ranking",
    ], _WHAT],
    how: ReproductionOptions,
) -> None:  # fmt: skip
    """Make a table or figure of the paper again, beside the paper's numbers.

    Example: shiftcli reproduce table2 --data csd-400.xyz
    """
    import json

    from shiftcli.benchmark.paper import Setting
    from shiftcli.benchmark.paper import reproduce as make
    from shiftcli.benchmark.tables import reproduction_table
    from shiftcli.files import check_outputs
    from shiftcli.views.progress import TrainingView
    from shiftcli.views.terminal import emit, emit_tables, note

    written = [how.output / f"{what}.{suffix}" for suffix in ("csv", "png", "svg")]
    data = how.data or []
    read: list[str | Path] = [*data_files(data), *network_files(how.weights)]
    read += [how.predictions] if how.predictions else []
    check_outputs([*written, *_in_the_way(how.output, what, read)], read)
    view = TrainingView()
    setting = Setting(
        data, how.output, fetched(how.weights), how.predictions, how.quick, how.device, how.nuclei,
        view.note, view.epoch,
    )  # fmt: skip
    try:
        result = make(what, setting)
    finally:
        view.close()
    for path in result.save(how.output):
        note(f"wrote {path}")
    if how.form == "json":
        emit(json.dumps(result.to_dict(), indent=1) + "\n", None)
    else:
        emit_tables([reproduction_table(result)], None)


def _in_the_way(folder: Path, what: str, files: Iterable[str | Path]) -> Iterator[Path]:
    """Files that lie where this reproduction writes beside its table and pictures."""
    own = os.path.realpath(folder)
    places = [f"{own}/{what}-*.csv", f"{own}/runs/{what.rstrip('ab')}-*"]
    places += [f"{own}/candidates/*"] if what == "ranking" else []
    for file in map(os.path.realpath, files):
        if any(fnmatch(file, place) for place in places):
            yield Path(file)
