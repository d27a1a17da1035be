"""Files are predicted by several processes; what comes out keeps their order.

A process may die (out of memory, a fault in a library): then its file has failed and another
process takes its place.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, TypeVar

from shiftcli.errors import (
    Failure,
    ShiftcliError,
    StoreError,
    UsageError,
    WeightsError,
    attempt,
    fault,
    visible,
)
from shiftcli.prediction.predictor import Prediction, Predictor
from shiftcli.readers import STDIN

if TYPE_CHECKING:
    _Pipe = Connection[Any, Any]

Outcome = Prediction | Failure

T = TypeVar("T")

#: Outcomes of later files that are held while an earlier file is in work.
_HELD = 1_000


def distinct(files: Iterable[str]) -> list[str]:
    """Files without those that are another one by another path."""
    found: dict[str, str] = {}
    for file in files:
        found.setdefault(file if file == STDIN else os.path.realpath(file), file)
    return list(found.values())


def predict_in_processes(
    predictor: Predictor, files: Sequence[str], *, jobs: int = 1, **reading: Any
) -> Generator[tuple[str, Iterator[Outcome]], None, None]:
    """Predict the structures of many files, file by file, in the order of `files`.

    A file is predicted by one process, however many structures it holds; of several `jobs` every
    process loads the networks anew, and they share the threads that PyTorch may use here. `reading`
    is as for `Predictor.predict_files` and has to survive pickling. Yields each file with its
    outcomes, one for each structure in order, which have to be used up before the next file.

    `UsageError` if there is no job, or several for standard input; `WeightsError` if the networks
    have changed since `predictor` loaded them.
    """
    if jobs < 1:
        raise UsageError(f"{jobs} jobs: at least one is needed")
    jobs = min(jobs, len(files))
    if jobs < 2:
        for file in files:
            yield file, predictor.predict_files([file], **reading)
        return
    if STDIN in files:
        raise UsageError("standard input is read by one process alone", hint="--jobs 1")
    with closing(_Pool(predictor, files, reading, jobs)) as pool:
        for number, file in enumerate(files):
            yield file, pool.outcomes(number)


#: What a worker without a file has in work.
_IDLE = -1


def predict_many(
    predictor: Predictor,
    files: Iterable[str],
    *,
    finish: Callable[[Prediction], T] | None = None,
    jobs: int = 1,
    **reading: Any,
) -> Iterator[T | Failure]:
    """Predict the structures of many files, one after the other; none stops the rest.

    Parameters
    ----------
    predictor : Predictor
        Networks and options.
    files : iterable of str
        Files, as `shiftcli.readers.find_files` lists them; the same one is predicted once.
    finish : callable, optional
        What is made of each prediction; a structure for which it raises has failed.
    jobs, **reading
        As for `predict_in_processes`.

    Yields
    ------
    Prediction or Failure
        One for each structure, in order; in place of the prediction what `finish` makes of it.
    """
    with closing(predict_in_processes(predictor, distinct(files), jobs=jobs, **reading)) as made:
        for file, outcomes in made:
            for outcome in outcomes:
                if isinstance(outcome, Failure) or finish is None:
                    yield outcome  # type: ignore[misc]
                else:
                    yield attempt(partial(finish, outcome), file, outcome.crystal.where)


@dataclass(eq=False)
class _Worker:
    """A process and the file that it has in work."""

    process: BaseProcess
    pipe: _Pipe
    number: int = _IDLE


@dataclass
class _InWork:
    """What has come of a file so far."""

    outcomes: deque[Outcome] = field(default_factory=deque)
    is_done: bool = False


class _Pool:
    def __init__(
        self, predictor: Predictor, files: Sequence[str], reading: Mapping[str, Any], jobs: int
    ) -> None:
        import torch

        self.context = multiprocessing.get_context("spawn")  # torch does not survive a fork
        threads = max(1, torch.get_num_threads() // jobs)
        hashes = [file.sha256 for file in predictor.files]
        self.arguments = (predictor.again(), hashes, reading, threads)
        self.files = files
        self.next = 0
        self.head = 0
        self.in_work: dict[int, _InWork] = {}
        self.workers: list[_Worker] = []
        try:
            for _ in range(jobs):
                self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        own, theirs = self.context.Pipe()
        process = self.context.Process(target=_work, args=(theirs, *self.arguments), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends when the process does
        worker = _Worker(process, own)
        self.workers.append(worker)
        self._assign(worker)

    def _assign(self, worker: _Worker) -> None:
        worker.number = _IDLE
        if self.next < len(self.files):
            worker.number = self.next
            self.in_work[self.next] = _InWork()
            self.next += 1
            with suppress(OSError):  # a process that has died is noticed when it is read from
                worker.pipe.send(self.files[worker.number])

    def outcomes(self, number: int) -> Iterator[Outcome]:
        """Outcomes of a file, the first that has not been asked for yet."""
        self.head = number
        while number not in self.in_work:
            self._receive()
        found = self.in_work[number]
        while found.outcomes or not found.is_done:
            if found.outcomes:
                yield found.outcomes.popleft()
            else:
                self._receive()
        del self.in_work[number]

    def _receive(self) -> None:
        """Take what the processes have; only of the file asked for when too much is held."""
        held = sum(len(found.outcomes) for found in self.in_work.values())
        busy = [worker for worker in self.workers if worker.number != _IDLE]
        if held >= _HELD:
            busy = [worker for worker in busy if worker.number == self.head] or busy
        ready = wait([worker.pipe for worker in busy])
        for worker in (worker for worker in busy if worker.pipe in ready):
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if isinstance(message, ShiftcliError):
                raise message
            if message is not None:
                self.in_work[worker.number].outcomes.append(message)
            else:
                self.in_work[worker.number].is_done = True
                self._assign(worker)

    def _bury(self, worker: _Worker) -> None:
        worker.process.join()
        worker.pipe.close()
        self.workers.remove(worker)
        found, file = self.in_work[worker.number], self.files[worker.number]
        error = ShiftcliError(
            f"its process ended with status {worker.process.exitcode}",
            where=visible(file),
            hint="out of memory? fewer --jobs need less",
        )
        found.outcomes.append(Failure(file, error))
        found.is_done = True
        self._start()

    def close(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self.workers.clear()


def _work(
    pipe: _Pipe,
    make: Callable[[], Predictor],
    hashes: list[str],
    reading: Mapping[str, Any],
    threads: int,
) -> None:
    """Predict files as their names come, until the pipe ends."""
    # Ctrl-C reaches all processes of a terminal; the first ends the others. Ended without a
    # sound, since they write nothing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(EOFError, OSError):
        predictor = _load(make, hashes, threads)
        if isinstance(predictor, ShiftcliError):
            pipe.send(predictor)
            return
        while True:
            file = pipe.recv()
            try:
                for outcome in predictor.predict_files([file], **reading):
                    pipe.send(outcome)
            except StoreError as error:
                pipe.send(error)
                return
            pipe.send(None)


def _load(
    make: Callable[[], Predictor], hashes: list[str], threads: int
) -> Predictor | ShiftcliError:
    import torch

    try:
        torch.set_num_threads(threads)
        predictor = make()
    except ShiftcliError as error:
        return error
    except Exception as error:
        return fault(error, f"process {os.getpid()}")
    if [file.sha256 for file in predictor.files] != hashes:
        return WeightsError("the networks have changed during the run")
    return predictor
