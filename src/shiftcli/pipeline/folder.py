"""A folder of results, one file a structure, that a later run goes on with."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from shiftcli.errors import Failure, StoreError, UsageError, attempt
from shiftcli.files import encoded, write_file
from shiftcli.pipeline.store import Entry, Store, digest_of, names_of
from shiftcli.pipeline.stored import StoredPredictor
from shiftcli.pipeline.workers import Outcome, distinct, predict_in_processes
from shiftcli.prediction.predictor import Prediction
from shiftcli.readers import STDIN
from shiftcli.readers.registry import format_of_name

#: Longest name of a result in bytes, without number and suffix; file systems allow 255.
_LONGEST_NAME = 150


@dataclass(frozen=True)
class Finished:
    """An input that an earlier run has finished."""

    file: str  #: The input.


def is_folder(output: Path) -> bool:
    """Whether results go into a folder: one that is there, or a name without a suffix."""
    is_new = not os.path.lexists(output) and str(output) != STDIN
    return os.path.isdir(output) or (is_new and not output.suffix)


def predict_into(
    predictor: StoredPredictor,
    files: Sequence[str],
    render: Callable[[Prediction], str | bytes],
    *,
    suffix: str,
    options: Mapping[str, Any],
    jobs: int = 1,
    **reading: Any,
) -> Iterator[Outcome | Finished]:
    """Predict many files into the predictor's folder, leaving out what is finished.

    Finished is an input all of whose structures were predicted with these networks, options and
    program version, whose content has not changed since, and whose results are there. `render`
    makes the text of a result file, which ends in `suffix`; `options` are everything else that
    decides what stands in it; the rest is as in `predict_in_processes`.

    Yields a `Finished` for each input that is left out, then a prediction, once its file is in
    place, or a failure for each structure of the others, in order. `UsageError` if the folder holds
    inputs that are no results of it, `StoreError` if it cannot be written.
    """
    decisive = json.dumps([predictor.run, dict(options), reading], sort_keys=True, default=str)
    run = hashlib.sha256(decisive.encode()).hexdigest()
    store = predictor.store
    files = _without_results(distinct(files), store)
    places = {file: file if file == STDIN else os.path.realpath(file) for file in files}
    names = names_of([places[file] for file in files], store.entries, _plain)
    if store.shard is not None:  # names are given in the light of all files
        files = store.shard.of(files)
    hashes = {file: "" if file == STDIN else digest_of(file) for file in files}
    done = {file for file in files if store.is_finished(places[file], hashes[file], run)}
    yield from (Finished(file) for file in files if file in done)
    left = [file for file in files if file not in done]
    if left:
        settings = {k: str(v) for k, v in {**predictor.settings, **options, **reading}.items()}
        store.add_run(run, {"program": "shiftcli", "model": predictor.model, "options": settings})
    for file, outcomes in predict_in_processes(predictor, left, jobs=jobs, **reading):
        place, failures = places[file], list[str]()
        writer = _Writer(store, place, names[place], suffix)
        for number, outcome in _numbered(outcomes):
            if isinstance(outcome, Prediction):
                where = outcome.crystal.where
                made = attempt(partial(writer.write, number, outcome, render), file, where)
                outcome = made if isinstance(made, Failure) else outcome
            if isinstance(outcome, Failure):
                failures.append(str(outcome.error))
            yield outcome
        store.add_file(Entry(place, hashes[file], run, writer.name, writer.made, failures))


class _Writer:
    """Writes the results of one input, over nothing but what an earlier run made of it."""

    def __init__(self, store: Store, place: str, name: str, suffix: str) -> None:
        self.store, self.suffix = store, suffix
        self.made: dict[str, str] = {}
        self.old = store.entries.get(place)
        self.name = name
        # Of a run that was killed between the file and its line, the next may write it again.
        self.short = f"{name}-{hashlib.sha256(os.fsencode(place)).hexdigest()[:8]}"

    def write(
        self, number: int, prediction: Prediction, render: Callable[[Prediction], str | bytes]
    ) -> None:
        content = render(prediction)
        ending = f"{f'@{number}' if number else ''}{self.suffix}"
        name = next((n for n in self._names(ending) if self._is_free(n, content)), None)
        if name is None:
            raise UsageError(f"'{self.store.folder / self.name}{ending}' is not ours to replace")
        try:
            write_file([content], self.store.folder / name)
        except UsageError as error:
            raise StoreError(error.message, hint=error.hint) from error
        self.made[name] = digest_of(self.store.folder / name)

    def _names(self, ending: str) -> Iterator[str]:
        yield f"{self.name}{ending}"
        yield f"{self.short}{ending}"
        yield from (f"{self.short}-{k}{ending}" for k in range(2, 100))

    def _is_free(self, name: str, content: str | bytes) -> bool:
        path = self.store.folder / name
        if not os.path.lexists(path):
            return True
        if self.old is not None and self.store.is_ours(name, self.old):
            return True
        data = encoded(content) if isinstance(content, str) else content
        return digest_of(path) == hashlib.sha256(data).hexdigest()


def _without_results(files: Sequence[str], store: Store) -> list[str]:
    """The files that are no results of the folder; others in it are refused."""
    listed = {name: entry for entry in store.entries.values() for name in entry.results}
    left = []
    for file in files:
        name = os.path.basename(file)
        if not _lies_in(file, store.folder):
            left.append(file)
        elif name not in listed or not store.is_ours(name, listed[name]):
            raise UsageError(
                f"the results would lie among the structures in '{store.folder}'",
                hint="give them a folder of their own",
            )
    return left


def _lies_in(file: str, folder: Path) -> bool:
    if file == STDIN:
        return False
    return os.path.realpath(os.path.dirname(file) or ".") == os.path.realpath(folder)


def _numbered(outcomes: Iterable[Outcome]) -> Iterator[tuple[int, Outcome]]:
    """Outcomes with their numbers from 1; a single one has the number 0."""
    outcomes = iter(outcomes)
    first = next(outcomes, None)
    second = next(outcomes, None)
    if second is None:
        yield from [] if first is None else [(0, first)]
    else:
        yield from enumerate(chain([first, second], outcomes), 1)


def _plain(file: str) -> str:
    """Name of an input as a name of results: what file systems and shells take as it is."""
    name = "stdin" if file == STDIN else os.path.basename(file)
    name = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    stem, extension = os.path.splitext(name)
    stem = stem if extension and format_of_name(name) else name
    plain = re.sub(r"[^\w.+-]+", "_", stem).strip("-._") or "structure"
    return plain.encode()[:_LONGEST_NAME].decode(errors="ignore")
