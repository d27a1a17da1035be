"""Exceptions become one line on stderr and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from shiftcli.errors import DeviceError, ShiftcliError, UsageError

#: Set to 1, the traceback is shown.
DEBUG = "SHIFTCLI_DEBUG"

#: Exit status of each kind of error; 1 for those not named.
_STATUS = {UsageError: 2, DeviceError: 2}


def run(app: Callable[[], object]) -> None:
    """Run the program; end with 0, 1 (input failed), 2 (usage), or 130 (Ctrl-C)."""
    try:
        app()
    except ShiftcliError as error:
        if os.environ.get(DEBUG) == "1":
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(_STATUS.get(type(error), 1))
    except KeyboardInterrupt:
        if os.environ.get(DEBUG) == "1":
            raise
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except MemoryError:
        print("error: out of memory (predict fewer or smaller structures at once)", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does; nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get(DEBUG) == "1":
            raise
        reason = (str(error).splitlines() or [""])[0]
        print(
            f"error: a fault in shiftcli: {type(error).__name__}: {reason} "
            f"({DEBUG}=1 shows where; please report it)",
            file=sys.stderr,
        )
        sys.exit(1)
