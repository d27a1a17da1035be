"""`shiftcli reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.batch import data_files, fetched, network_files
from shiftcli.cli.command import command
from shiftcli.cli.options import NetworkOptions


@command
def reproduce(
    *,
    what: Annotated[
        Literal[
            "table1",
            "table2",
            "table3",
            "table4",
            "figure1",
            "figure3a",
            "figure3b",
            "figure4",
            "figure5",
            "geometry",
            "ranking",
        ],
        typer.Argument(
            help="Table or figure of Liu et al. 2019, errors against displacement, or rankings."
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="PATH", help="Structures with shieldings."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes on two cores, not the paper's sizes.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for tables, pictures and runs.")
    ] = Path("reproduced"),
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="Format.")] = "table",
    networks: NetworkOptions,
) -> None:
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

    written = [output / f"{what}.{suffix}" for suffix in ("csv", "png", "svg")]
    check_outputs(written, [*data_files(data or ()), *network_files(networks.weights)])
    view = TrainingView()
    setting = Setting(
        data or (), output, fetched(networks.weights), quick, networks.device, networks.nuclei,
        view.note, view.epoch,
    )  # fmt: skip
    try:
        result = make(what, setting)
    finally:
        view.close()
    for path in result.save(output):
        note(f"wrote {path}")
    if form == "json":
        emit(json.dumps(result.to_dict(), indent=1) + "\n", None)
    else:
        emit_tables([reproduction_table(result)], None)
