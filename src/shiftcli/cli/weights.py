"""`shiftcli weights`: the networks to predict with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shiftcli.cli.batch import network_files
from shiftcli.cli.command import Command, command
from shiftcli.errors import UsageError
from shiftcli.options import option

if TYPE_CHECKING:
    from shiftcli.results.tables import Table

Model = Annotated[
    str | None, typer.Argument(help="Model, or directory.", show_default="the one in use")
]


@dataclass(frozen=True)
class AddressOptions:
    """Where networks are downloaded from."""

    url: str | None = option(
        None, "Folder of networks: https://..., file:///... or a directory.", metavar="URL",
        shown="SHIFTCLI_WEIGHTS_URL, else the manifest's",
    )  # fmt: skip
    allow_http: bool | None = option(
        None, "Accept plain http, of the address or of where it redirects to.",
        shown="SHIFTCLI_ALLOW_HTTP is 1, or this machine",
    )  # fmt: skip


@dataclass(frozen=True)
class ListOptions:
    """Where a table goes, and as what."""

    form: Literal["table", "json"] = option("table", "Format", name="format")
    output: Path | None = option(None, "Write here.", short="o", metavar="FILE", shown="stdout")

    def show(self, table: Table) -> None:
        """Write the table, or its rows as JSON."""
        from shiftcli.views.documents import records_as_json
        from shiftcli.views.terminal import emit, emit_tables

        if self.form == "json":
            emit(records_as_json(table), self.output)
        else:
            emit_tables([table], self.output)


app = typer.Typer(no_args_is_help=True, help="List, download and verify the networks.")


@app.command("list", cls=Command)
@command
def list_models(*, place: AddressOptions, to: ListOptions) -> None:
    """List the models: in the package, in the cache, and to be downloaded.

    Example: shiftcli weights list
    """
    from shiftcli.files import check_outputs
    from shiftcli.results.networks import inventory_table
    from shiftcli.weights import list_networks

    own = Path((place.url or "").removeprefix("file://"))
    check_outputs([to.output], [] if place.url is None else own.glob("*"))
    to.show(inventory_table(list_networks(place.url, allow_http=place.allow_http)))


@app.command(cls=Command)
@command
def download(
    *,
    models: Annotated[
        list[str] | None, typer.Argument(help="Models.", show_default="the default model")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All models, to go on without internet.")
    ] = False,
    place: AddressOptions,
) -> None:
    """Download models; what is there and sound stays, what is damaged is replaced.

    Example: shiftcli weights download --all
    """
    from shiftcli.views.progress import downloads
    from shiftcli.views.terminal import emit
    from shiftcli.weights import obtain

    with downloads() as progress:
        folders = obtain(
            models, everything=everything, url=place.url, allow_http=place.allow_http,
            progress=progress,
        )  # fmt: skip
    emit("".join(f"{folder}\n" for folder in folders), None)


@app.command(cls=Command)
@command
def verify(
    *,
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Models, or directories of networks.", show_default="all"),
    ] = None,
    to: ListOptions,
) -> None:
    """Check size, hash and content of every file; exit status 1 where one is wrong.

    Example: shiftcli weights verify
    """
    from shiftcli.files import check_outputs
    from shiftcli.results.networks import checked_table
    from shiftcli.views.terminal import note
    from shiftcli.weights import verify as check

    named = [network_files(model) for model in models or ()] or [network_files(None)]
    check_outputs([to.output], [file for own in named for file in own])
    rows = check(models or ())
    to.show(checked_table(rows))
    if wrong := sum(bool(row.reason) for row in rows):
        note(
            f"{wrong} of {len(rows)} files are wrong (shiftcli weights download MODEL replaces "
            "those in the cache; install shiftcli again for those of the package)"
        )
        raise typer.Exit(1)


@app.command(cls=Command)
@command
def show(*, model: Model = None, to: ListOptions) -> None:
    """Show what the networks have learned from, and how their intervals were judged.

    Example: shiftcli weights show
    """
    from shiftcli.files import check_outputs
    from shiftcli.results.networks import knowledge_document
    from shiftcli.views.terminal import emit_document

    check_outputs([to.output], network_files(model))
    emit_document(knowledge_document(model), to.form, to.output)


@app.command(cls=Command)
@command
def path(
    model: Model = None,
    cache: Annotated[bool, typer.Option("--cache", help="Of the cache of downloads.")] = False,
) -> None:
    """Print the directory of a model's networks.

    Example: shiftcli weights path
    """
    from shiftcli.views.terminal import emit
    from shiftcli.weights import cache_folder, folder_of

    if cache and model is not None:
        raise UsageError("--cache is one folder for all models")
    emit(f"{cache_folder() if cache else folder_of(model)}\n", None)


@app.command(cls=Command)
@command
def remove(
    models: Annotated[list[str] | None, typer.Argument(help="Models.", show_default="none")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All models in the cache.")] = False,
) -> None:
    """Delete models from the cache; the package's own networks stay.

    Example: shiftcli weights remove --all
    """
    from shiftcli.views.terminal import note
    from shiftcli.weights import remove as delete

    if bool(models) == everything:
        raise UsageError("name the models to remove, or --all")
    removed = delete(models or (), everything=everything)
    for folder, freed in removed:
        note(f"removed {folder} ({freed / 1e6:.1f} MB)")
    if not removed:
        note("nothing in the cache")
