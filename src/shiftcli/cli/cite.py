"""`shiftcli cite`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from shiftcli.cli.batch import fetched
from shiftcli.cli.command import command
from shiftcli.cli.options import WeightsOptions


@command
def cite(
    *,
    form: Annotated[Literal["text", "bibtex"], typer.Option("--format", help="Format.")] = "text",
    networks: WeightsOptions,
) -> None:
    """List the papers and data to cite for predictions of these networks.

    Example: shiftcli cite --format bibtex > shiftcli.bib
    """
    from shiftcli.results.citations import find_citations
    from shiftcli.views.terminal import show_notes

    found = find_citations(fetched(networks.weights))
    show_notes("", found.notes)
    typer.echo(found.to_bibtex() if form == "bibtex" else found.to_text(), nl=False)
