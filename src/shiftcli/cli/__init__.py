"""The command line: parse, call one library function, render."""

__all__ = ["main"]


def main() -> None:
    """Entry point of the console script; Ctrl-C is quiet while it imports, too."""
    try:
        from shiftcli.cli.app import main

        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
