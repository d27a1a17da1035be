"""The exceptions of shiftcli: what is wrong, where, and what to do about it.

Every mistake that a user can make ends in one of these; the command line turns
them into one or two lines and an exit status. Nothing of shiftcli is imported here.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

#: Environment variable; set to 1, errors show their traceback.
DEBUG = "SHIFTCLI_DEBUG"

#: What a terminal or an editor would obey or hide: controls, marks that turn the direction of text
#: or are not seen (Unicode's Cc and Cf, but for signs of scripts), and bytes that are no text.
CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: object, limit: int = 4096) -> str:
    """Text with its control characters escaped, on one line of at most `limit` characters.

    A line break is shown as ``\\n``.
    """
    line = CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode(), str(text))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shortened(text: str, width: int = 48) -> str:
    """Text of at most so many characters, its middle left out."""
    if len(text) <= width:
        return text
    left = (width - 1) // 3
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"


def counted(number: int, noun: str) -> str:
    """``1 structure``, ``2 structures``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def install(*packages: str) -> str:
    """The command that adds packages to this installation, for the hint of an error.

    For pipx, for pip, or for uv where there is no pip, as in its tools and environments.
    """
    from importlib.util import find_spec

    names, python = " ".join(packages), shlex.quote(sys.executable or "python3")
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        return f"pipx inject shiftcli {names}"
    if find_spec("pip") is None:
        return f"uv pip install --python {python} {names}"
    return f"{python} -m pip install {names}"


class ShiftcliError(Exception):
    """Base of all errors that shiftcli raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    where : str, optional
        The place: a file, a data block, an atom label.
    hint : str, optional
        What the user can do about it.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return visible(f"{text} ({self.hint})" if self.hint else text)


class ReadError(ShiftcliError):
    """A file cannot be read or holds no structure."""


class StructureError(ShiftcliError):
    """A structure was read, but the networks cannot predict it."""


class ExperimentError(ShiftcliError):
    """Measured shifts cannot be read, or do not fit the structure."""


class WeightsError(ShiftcliError):
    """A network is missing, damaged, or does not fit the request."""


class TrainingError(ShiftcliError):
    """A training run cannot start or cannot go on."""


class TooFewSamples(TrainingError):
    """The data label too few atoms of a nucleus to train on."""


class DeviceError(ShiftcliError):
    """The device asked for is not there."""


class UsageError(ShiftcliError):
    """Options that contradict each other or make no sense."""


class StoreError(UsageError):
    """What a run keeps cannot be written: the run ends, however many structures are left."""


@contextmanager
def needing(package: str, what: str) -> Iterator[None]:
    """Import of an extra's package; where it is missing `UsageError` with what installs it."""
    try:
        yield
    except ImportError as error:
        raise UsageError(f"{what} {package}", hint=install(package)) from error


@dataclass(frozen=True)
class Failure:
    """A structure that could not be predicted."""

    file: str  #: Its file.
    error: ShiftcliError  #: Why.


def attempt(work: Callable[[], T], file: str, where: str = "") -> T | Failure:
    """Do something for one structure of a file; what goes wrong must not lose the others.

    `where`, file and name of the structure, is for errors that do not say it themselves. Only a
    `StoreError` is raised: nothing that follows could be kept either.
    """
    try:
        return work()
    except StoreError:
        raise
    except ShiftcliError as error:
        # An error of an experiment names that: the structure stands before it.
        own = error.where if isinstance(error, ExperimentError) else ""
        error.where = ": ".join(filter(None, (where, own))) if own else error.where or where
        return Failure(file, error)
    except Exception as error:  # a fault of ours
        if os.environ.get(DEBUG) == "1":
            raise
        return Failure(file, fault(error, where or visible(file)))


def fault(error: Exception, where: str = "") -> ShiftcliError:
    """One line for an exception that is no mistake of the user's, with the file in work.

    Says out of memory where that is it, else asks for a report.
    """
    reason = (str(error).splitlines() or [""])[0]
    if isinstance(error, MemoryError) or "out of memory" in reason or "allocate memory" in reason:
        return ShiftcliError("out of memory", where=where, hint="predict less at once")
    return ShiftcliError(
        f"a fault in shiftcli: {type(error).__name__}: {reason}",
        where=where,
        hint=f"{DEBUG}=1 shows where; please report it",
    )
