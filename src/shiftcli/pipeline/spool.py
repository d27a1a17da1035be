"""Predictions of a long run, kept on disk."""

from __future__ import annotations

import pickle
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from shiftcli.errors import ShiftcliError
from shiftcli.prediction.predictor import Prediction

#: Bytes kept in memory before a file is made: the predictions of some hundred crystals.
_IN_MEMORY = 32_000_000


class Spool(Sequence[Prediction]):
    """A sequence of predictions whose memory does not grow with their number.

    They lie in a temporary file of this process that has no name, and are made anew each
    time they are asked for.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._starts = array("Q")
        self._end = 0

    def append(self, prediction: Prediction) -> None:
        """Keep one more; `ShiftcliError` if the disk of the temporary files is full."""
        data = pickle.dumps(prediction, protocol=pickle.HIGHEST_PROTOCOL)
        try:
            self._file.seek(self._end)
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise ShiftcliError(
                f"cannot keep the results in {tempfile.gettempdir()}: {error.strerror}",
                hint="TMPDIR names another folder, --output FOLDER keeps nothing",
            ) from error
        self._starts.append(self._end)
        self._end += len(data)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        self._file.seek(self._starts[index])
        # The file is our own and has no name: nobody else writes there.
        found: Prediction = pickle.load(self._file)
        return found

    def __iter__(self) -> Iterator[Prediction]:
        for k in range(len(self)):
            yield self[k]
