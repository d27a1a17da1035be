"""`shiftcli env`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from shiftcli.cli.command import command
from shiftcli.cli.options import WeightsOptions


@command
def env(
    *,
    form: Annotated[Literal["text", "json"], typer.Option("--format", help="Format.")] = "text",
    networks: WeightsOptions,
) -> None:
    """Show what to paste into a report of a fault: versions, machine, networks, what is broken.

    Example: shiftcli env > env.txt
    """
    import json

    from shiftcli.results.installation import describe_installation

    found = describe_installation(networks.weights)
    if form == "json":
        typer.echo(json.dumps(found.to_dict(), indent=1))
    else:
        typer.echo(found.to_text(), nl=False)
    if found.problems:
        raise typer.Exit(1)
