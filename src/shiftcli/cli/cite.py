"""`shiftcli cite`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import typer

from shiftcli.cli.batch import fetched
from shiftcli.cli.command import command
from shiftcli.cli.options import WeightsOptions
from shiftcli.options import option


@dataclass(frozen=True)
class CitationOptions(WeightsOptions):
    """Of which networks, and as what."""

    form: Literal["text", "bibtex"] = option("text", "Format", name="format")


@command
def cite(*, of: CitationOptions) -> None:
    """List the papers and data to cite for predictions of these networks.

    Example: shiftcli cite --format bibtex > shiftcli.bib
    """
    from shiftcli.results.citations import find_citations
    from shiftcli.views.terminal import show_notes

    found = find_citations(fetched(of.weights))
    show_notes("", found.notes)
    typer.echo(found.to_bibtex() if of.form == "bibtex" else found.to_text(), nl=False)
