"""Exceptions become one line on stderr and an exit status."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from shiftcli.errors import DEBUG, DeviceError, ShiftcliError, UsageError, fault, visible


class Terminated(BaseException):
    """SIGTERM; no `Exception`, so that nothing goes on with the next structure."""


#: Exit status of each kind of error; 1 for those not named.
_STATUS = {UsageError: 2, DeviceError: 2}


def run(app: Callable[[], object]) -> None:
    """Run the program; end with 0, 1 (input failed), 2 (usage), 130 (Ctrl-C) or 143 (SIGTERM)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files need not be valid text
            stream.reconfigure(errors="backslashreplace")
    with _signals_raise():
        try:
            _refuse_unseen(sys.argv[1:])
            app()
        except BrokenPipeError:
            # The reader of our output has gone, as `| head` does; nobody is left to be told.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except Terminated:
            # On the way here temporary files went and other processes were ended.
            print("terminated", file=sys.stderr)
            sys.exit(143)
        except (Exception, KeyboardInterrupt) as error:
            if os.environ.get(DEBUG) == "1":
                raise
            if isinstance(error, KeyboardInterrupt):
                print("interrupted", file=sys.stderr)
                sys.exit(130)
            known = error if isinstance(error, ShiftcliError) else fault(error)
            print(f"error: {known}", file=sys.stderr)
            sys.exit(next((n for kind, n in _STATUS.items() if isinstance(known, kind)), 1))


def _refuse_unseen(words: Iterable[str]) -> None:
    """Refuse options with control characters, which Typer would show as they are."""
    for word in words:
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        if word.startswith("-") and visible(name) != name:
            raise UsageError(f"no such option: {visible(name, 100)}")


@contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM ends the program as Ctrl-C does, not where it stands; a second one at once."""

    def stop(number: int, frame: object) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, leave)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    def leave(number: int, frame: object) -> None:
        os._exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in previous.items():
            if signal.getsignal(name) is stop:  # else the way out is left to `leave`
                signal.signal(name, handler)
