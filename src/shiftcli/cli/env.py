"""`shiftcli env`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import typer

from shiftcli.cli.command import command
from shiftcli.cli.options import WeightsOptions
from shiftcli.options import option


@dataclass(frozen=True)
class EnvironmentOptions(WeightsOptions):
    """With which networks, and as what."""

    form: Literal["text", "json"] = option("text", "Format", name="format")


@command
def env(*, of: EnvironmentOptions) -> None:
    """Show what to paste into a report of a fault: versions, machine, networks, what is broken.

    Example: shiftcli env > env.txt
    """
    import json

    from shiftcli.results.installation import describe_installation

    found = describe_installation(of.weights)
    if of.form == "json":
        typer.echo(json.dumps(found.to_dict(), indent=1))
    else:
        typer.echo(found.to_text(), nl=False)
    if found.problems:
        raise typer.Exit(1)
