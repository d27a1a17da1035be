"""The exceptions of shiftcli: what is wrong, where, and what to do about it.

Every mistake that a user can make ends in one of these; the command line turns
them into one or two lines and an exit status. Nothing here imports anything.
"""

from __future__ import annotations


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
        return f"{text} ({self.hint})" if self.hint else text


class ReadError(ShiftcliError):
    """A file cannot be read or holds no structure."""


class StructureError(ShiftcliError):
    """A structure was read, but the networks cannot predict it."""


class WeightsError(ShiftcliError):
    """A network is missing, damaged, or does not fit the request."""


class TrainingError(ShiftcliError):
    """A training run cannot start or cannot go on."""


class DeviceError(ShiftcliError):
    """The device asked for is not there."""


class UsageError(ShiftcliError):
    """Options that contradict each other or make no sense."""
