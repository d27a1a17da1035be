"""A folder of results, one file a structure, that a later run goes on with.

``manifest.jsonl`` in it says what was made of which input with which options and networks: a
JSON object a line, appended as soon as the results of an input are in place, so that whatever
ends a run leaves whole files and a list of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

from shiftcli import __version__
from shiftcli.errors import ShiftcliError, UsageError
from shiftcli.pipeline.workers import Outcome, predict_in_processes
from shiftcli.prediction.predictor import Failure, Prediction, Predictor
from shiftcli.readers import STDIN, Disorder
from shiftcli.readers.registry import format_of_name
from shiftcli.results.provenance import provenance
from shiftcli.views.files import write_file

#: Name of the list inside the folder.
MANIFEST = "manifest.jsonl"

#: Version of the list's layout.
SCHEMA = 1

#: Longest name of a result in bytes, without number and suffix; file systems allow 255.
_LONGEST_NAME = 150


@dataclass(frozen=True)
class Finished:
    """An input that an earlier run has finished.

    Attributes
    ----------
    file : str
        The input.
    """

    file: str


@dataclass(frozen=True)
class Entry:
    """What was made of one input.

    Attributes
    ----------
    file : str
        The input, as the user named it.
    sha256 : str
        Hash of its content before it was read; empty where it could not be.
    run : str
        Hash of options, networks and program version.
    name : str
        Name of its results, without number and suffix.
    results : list of str
        Files in the folder, in the order of the structures.
    failures : list of str
        What could not be predicted, and why.
    """

    file: str
    sha256: str
    run: str
    name: str
    results: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def is_folder(output: Path) -> bool:
    """Whether results go into a folder: one that is there, or a name without a suffix.

    Parameters
    ----------
    output : pathlib.Path
        What the user named.

    Returns
    -------
    bool
    """
    is_new = not os.path.lexists(output) and str(output) != STDIN
    return output.is_dir() or (is_new and not output.suffix)


def predict_into(
    folder: Path,
    predictor: Predictor,
    files: Sequence[str],
    render: Callable[[Prediction], str | bytes],
    *,
    suffix: str,
    options: Mapping[str, Any],
    disorder: Disorder = "major",
    jobs: int = 1,
) -> Iterator[Outcome | Finished]:
    """Predict many files into a folder, leaving out what is finished.

    Finished is an input all of whose structures were predicted with these networks, options and
    program version, whose content has not changed since, and whose results are there.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.
    predictor : Predictor
        Networks and options.
    files : sequence of str
        Files, as `shiftcli.readers.find_files` lists them.
    render : callable
        Makes the text of a result file of a prediction.
    suffix : str
        Suffix of the result files, such as ``.csv``.
    options : mapping
        Everything else that decides what stands in the results.
    disorder : {"major", "error"}
        What to do with disordered structures.
    jobs : int
        Processes, as in `predict_in_processes`.

    Yields
    ------
    Finished
        One for each input that is left out.
    Prediction or Failure
        One for each structure of the others, in order; a prediction once its file is in place.

    Raises
    ------
    UsageError
        If the folder cannot be written, is in use by another run, or holds the inputs.
    """
    options = {**options, "disorder": disorder}
    run = _key(predictor, options)
    with _Folder(folder, files) as results:
        hashes = {file: _hash(file) for file in files}
        done = dict.fromkeys(f for f in files if results.is_finished(f, hashes[f], run))
        yield from map(Finished, done)
        if len(done) < len(files):
            results.note_run(run, predictor, options)
        left = [file for file in files if file not in done]
        for file, outcomes in predict_in_processes(predictor, left, disorder=disorder, jobs=jobs):
            name = results.name_for(file)
            made: list[str] = []
            failures: list[str] = []
            for number, outcome in _numbered(outcomes):
                if isinstance(outcome, Prediction):
                    outcome, text = _rendered(outcome, render, file)
                if isinstance(outcome, Failure):
                    failures.append(str(outcome.error))
                else:
                    made.append(f"{name}{f'@{number}' if number else ''}{suffix}")
                    write_file([text], folder / made[-1])
                yield outcome
            results.add(Entry(file, hashes[file], run, name, made, failures))


def _key(predictor: Predictor, options: Mapping[str, Any]) -> str:
    own = {k: v for k, v in predictor.settings.items() if k not in ("weights", "device")}
    everything = [provenance(predictor), own, predictor.device.type, dict(options)]
    return hashlib.sha256(json.dumps(everything, sort_keys=True, default=str).encode()).hexdigest()


def _hash(file: str) -> str:
    """Hash of a file's content; empty for what cannot be read twice, or at all."""
    if file == STDIN or not os.path.isfile(file):
        return ""
    try:
        with open(file, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return ""


def _numbered(outcomes: Iterator[Outcome]) -> Iterator[tuple[int, Outcome]]:
    """Outcomes with their numbers from 1; a single one has the number 0."""
    first = next(outcomes, None)
    second = next(outcomes, None)
    if second is None:
        yield from [] if first is None else [(0, first)]
    else:
        yield from enumerate(chain([first, second], outcomes), 1)


def _rendered(
    prediction: Prediction, render: Callable[[Prediction], str | bytes], file: str
) -> tuple[Outcome, str | bytes]:
    try:
        return prediction, render(prediction)
    except ShiftcliError as error:  # a format that cannot hold this structure
        error.where = error.where or prediction.crystal.where
        return Failure(file, error), ""


def _read(manifest: Path) -> dict[str, Entry]:
    """Entries by input, the last of each; lines that are no entries are passed over."""
    entries: dict[str, Entry] = {}
    try:
        lines = manifest.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"cannot read '{manifest}': {error.strerror}") from error
    for line in lines:
        try:
            values = json.loads(line)
            entry = Entry(**{name: values[name] for name in Entry.__dataclass_fields__})
            # Results are looked for and removed by these names: none may lead elsewhere.
            if all(os.path.basename(name) == name for name in entry.results):
                entries[entry.file] = entry
        except (ValueError, KeyError, TypeError):
            continue  # the head of a run, or a line that was cut off
    return entries


def _plain(file: str) -> str:
    """Name of an input as a name of results: what file systems and shells take as it is."""
    name = "stdin" if file == STDIN else os.path.basename(file)
    name = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    stem, extension = os.path.splitext(name)
    stem = stem if extension and format_of_name(name) else name
    plain = re.sub(r"[^\w.+-]+", "_", stem).strip("-._") or "structure"
    return plain.encode()[:_LONGEST_NAME].decode(errors="ignore")


class _Folder:
    """The folder while a run writes there; one run at a time."""

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self.folder = folder
        self.path = folder / MANIFEST
        inside = next((file for file in files if _lies_in(file, folder)), None)
        if inside is not None:
            raise UsageError(
                f"the results would lie among the structures in '{folder}'",
                hint="give them a folder of their own",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.stream = open(self.path, "ab", buffering=0)  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise UsageError(f"cannot write to '{folder}': {error.strerror}") from error

    def __enter__(self) -> _Folder:
        self._lock()
        self.entries = _read(self.path)
        self.names = {entry.name.casefold(): file for file, entry in self.entries.items()}
        if self.stream.tell() and not self.path.read_bytes().endswith(b"\n"):
            self._append(b"\n")  # after a line that a killed run left
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stream.close()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            return
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.stream.close()
            raise UsageError(f"another run is writing to '{self.folder}'") from error
        except OSError:
            return  # a file system without locks

    def _append(self, line: bytes) -> None:
        """Append whole or not at all."""
        end = self.stream.tell()
        try:
            while line:  # a full disk takes a part without a word, and refuses the next
                line = line[self.stream.write(line) :]
        except OSError as error:
            self.stream.truncate(end)
            self.stream.seek(end)
            raise UsageError(f"cannot write '{self.path}': {error.strerror}") from error

    def _put(self, values: Mapping[str, Any]) -> None:
        self._append(json.dumps(values, sort_keys=False).encode() + b"\n")

    def note_run(self, run: str, predictor: Predictor, options: Mapping[str, Any]) -> None:
        """Say which run the entries with this hash come from."""
        settings = {k: str(v) for k, v in {**predictor.settings, **options}.items()}
        head = {"schema": SCHEMA, "run": run, **provenance(predictor), "options": settings}
        head["version"] = __version__
        self._put(head)

    def is_finished(self, file: str, sha256: str, run: str) -> bool:
        """Whether an input of this content need not be predicted in this run."""
        entry = self.entries.get(file)
        return (
            entry is not None
            and not entry.failures
            and (entry.run, entry.sha256) == (run, sha256)
            and bool(sha256)
            and all((self.folder / name).is_file() for name in entry.results)
        )

    def name_for(self, file: str) -> str:
        """Name of an input's results: as before, else one that no other input has."""
        if file in self.entries:
            return self.entries[file].name
        name = plain = _plain(file)
        if name.casefold() in self.names:
            digest = hashlib.sha256(os.fsencode(file)).hexdigest()
            name = f"{plain}-{digest[:8]}"
            if name.casefold() in self.names:
                name = f"{plain}-{digest}"
        self.names[name.casefold()] = file
        return name

    def add(self, entry: Entry) -> None:
        """List an input as done; results of it that are not made any more go."""
        old = self.entries.get(entry.file)
        self._put(asdict(entry))
        self.entries[entry.file] = entry
        for name in set(old.results if old else ()).difference(entry.results):
            (self.folder / name).unlink(missing_ok=True)


def _lies_in(file: str, folder: Path) -> bool:
    if file == STDIN:
        return False
    return os.path.realpath(os.path.dirname(file) or ".") == os.path.realpath(folder)
