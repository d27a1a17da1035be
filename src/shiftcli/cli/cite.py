"""`shiftcli cite`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from shiftcli.cli.options import WeightsOption


def cite(
    form: Annotated[Literal["text", "bibtex"], typer.Option("--format", help="Format.")] = "text",
    weights: WeightsOption = None,
) -> None:
    """List the papers and data to cite for predictions of these networks.

    Example: shiftcli cite --format bibtex > shiftcli.bib
    """
    from shiftcli.results.citations import find_citations
    from shiftcli.views.terminal.cite import citations_text, undocumented

    found = find_citations(weights)
    for note in undocumented(found):
        typer.echo(note, err=True)
    typer.echo(found.to_bibtex() if form == "bibtex" else citations_text(found), nl=False)
