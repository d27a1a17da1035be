"""`shiftcli weights`: the networks to predict with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.command import command
from shiftcli.errors import UsageError

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Folder of networks: https://…, file:///… or a directory.",
        show_default="SHIFTCLI_WEIGHTS_URL, else the manifest's",
    ),
]
AllowHttpOption = Annotated[
    bool | None,
    typer.Option(
        "--allow-http",
        help="Accept plain http, of the address or of where it redirects to.",
        show_default="SHIFTCLI_ALLOW_HTTP is 1, or this machine",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write here.", show_default="stdout"),
]
FormatOption = Annotated[Literal["table", "json"], typer.Option("--format", help="Format.")]

app = typer.Typer(no_args_is_help=True, help="List, download and verify the networks.")


@app.command("list")
@command
def list_models(
    url: UrlOption = None,
    allow_http: AllowHttpOption = None,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """List the models: in the package, in the cache, and to be downloaded.

    Example: shiftcli weights list
    """
    from shiftcli.views.terminal import weights as view
    from shiftcli.weights import list_networks

    view.show_inventory(list_networks(url, allow_http=allow_http), form, output)


@app.command()
@command
def download(
    models: Annotated[
        list[str] | None, typer.Argument(help="Models.", show_default="the default model")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All models, to go on without internet.")
    ] = False,
    url: UrlOption = None,
    allow_http: AllowHttpOption = None,
) -> None:
    """Download models; what is there and sound stays, what is damaged is replaced.

    Example: shiftcli weights download --all
    """
    from shiftcli.views.terminal import weights as view
    from shiftcli.weights import obtain

    with view.downloads() as progress:
        folders = obtain(
            models, everything=everything, url=url, allow_http=allow_http, progress=progress
        )
    view.show_folders(folders)


@app.command()
@command
def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Models, or directories of networks.", show_default="all"),
    ] = None,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Check size, hash and content of every file; exit status 1 where one is wrong.

    Example: shiftcli weights verify
    """
    from shiftcli.views.terminal import weights as view
    from shiftcli.weights import verify as check

    rows = check(models or ())
    view.show_checked(rows, form, output)
    if any(row.reason for row in rows):
        raise typer.Exit(1)


@app.command()
@command
def path(
    model: Annotated[
        str | None, typer.Argument(help="Model, or directory.", show_default="the one in use")
    ] = None,
    cache: Annotated[bool, typer.Option("--cache", help="Of the cache of downloads.")] = False,
) -> None:
    """Print the directory of a model's networks.

    Example: shiftcli weights path
    """
    from shiftcli.views.terminal import weights as view
    from shiftcli.weights import cache_folder, folder_of

    if cache and model is not None:
        raise UsageError("--cache is one folder for all models")
    view.show_folders([cache_folder() if cache else folder_of(model)])


@app.command()
@command
def remove(
    models: Annotated[list[str] | None, typer.Argument(help="Models.", show_default="none")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All models in the cache.")] = False,
) -> None:
    """Delete models from the cache; the package's own networks stay.

    Example: shiftcli weights remove --all
    """
    from shiftcli.views.terminal import weights as view
    from shiftcli.weights import remove as delete

    if bool(models) == everything:
        raise UsageError("name the models to remove, or --all")
    view.show_removed(delete(models or (), everything=everything))
