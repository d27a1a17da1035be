"""Registers the commands and turns whatever they raise into an exit status."""

from __future__ import annotations

import atexit
import gc
import inspect
import sys
from typing import Annotated

import typer

from shiftcli import __version__
from shiftcli.cli.benchmark import benchmark
from shiftcli.cli.calibrate import calibrate
from shiftcli.cli.cite import cite
from shiftcli.cli.collect import collect
from shiftcli.cli.command import Command
from shiftcli.cli.compare import compare
from shiftcli.cli.env import env
from shiftcli.cli.errors import run
from shiftcli.cli.predict import predict
from shiftcli.cli.rank import rank
from shiftcli.cli.reproduce import reproduce
from shiftcli.cli.spectrum import spectrum
from shiftcli.cli.train import train
from shiftcli.cli.weights import app as weights

app = typer.Typer(
    name="shiftcli",
    help="NMR shieldings and shifts of molecular crystals, in seconds.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for function in (predict, collect, calibrate, compare, rank, spectrum, train, benchmark, reproduce):
    app.command(cls=Command)(function)
app.add_typer(weights, name="weights")
for function in (env, cite):
    app.command(cls=Command)(function)
for one in (*app.registered_commands, *weights.registered_commands):
    # Paragraphs without their line breaks, the examples below all options.
    parts = [" ".join(part.split()) for part in (inspect.getdoc(one.callback) or "").split("\n\n")]
    one.help = "\n\n".join(part for part in parts if not part.startswith("Example"))
    one.epilog = "\n\n".join(part for part in parts if part.startswith("Example"))


def _version(value: bool) -> None:
    if value:
        typer.echo(f"shiftcli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    pass


def _leave() -> None:
    if "triton" not in sys.modules:  # which would list all that it then leaves behind
        gc.freeze()


def main() -> None:
    """Entry point of the console script."""
    # Imports make a hundred thousand objects and no garbage; at the end nothing need be collected.
    # Without these a fifth of a short run would go into looking for garbage.
    gc.set_threshold(100_000)
    atexit.register(_leave)
    run(app)
