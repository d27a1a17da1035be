"""The command line: parse, call one library function, render."""

from shiftcli.cli.app import main

__all__ = ["main"]
