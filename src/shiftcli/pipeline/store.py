"""What runs have predicted and written, kept in a folder that later runs go on with.

``manifest.jsonl`` in it (``manifest-2-of-8.jsonl`` of a shard) has a JSON object a line, appended
as soon as something is done, so that whatever ends a run leaves whole lines:

- a run: program, networks and options, with the hash that the other lines name it by;
- a structure: itself and its shieldings, under a key of atoms, networks and options;
- an input file: its hash, and the result files made of it, with theirs.

All lists of the folder are read, only a run's own is written. What a list says is believed only
where it can do no harm: names are plain names in the folder, and a file is replaced or removed
only where its hash is the one that is listed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from shiftcli.errors import ReadError, StoreError, visible
from shiftcli.files import open_file
from shiftcli.pipeline.shards import Shard

#: Name of the list of a run that is no shard.
MANIFEST = "manifest.jsonl"

#: Version of the list's layout.
SCHEMA = 3

#: Bytes of a line; one of 20,000 sites has three million.
_LONGEST_LINE = 20_000_000

_LISTS = re.compile(r"manifest(-\d{1,6}-of-\d{1,6})?\.jsonl", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """What was made of one input."""

    file: str  #: The input, its real path.
    sha256: str  #: Hash of its content before it was read; empty where it could not be.
    run: str  #: Hash of options, networks and program version.
    name: str  #: Name of its results, without number and suffix.
    #: Files in the folder, in the order of the structures, with their hashes.
    results: Mapping[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)  #: What could not be predicted, and why.

    @classmethod
    def read(cls, values: Any) -> Entry | None:
        """An entry out of a list; None where it is none, or would lead out of the folder."""
        if not isinstance(values, dict) or "file" not in values:
            return None
        made = {name: values.get(name) for name in ("file", "sha256", "run", "name")}
        results, failures = values.get("results"), values.get("failures")
        texts = {name: value for name, value in made.items() if isinstance(value, str)}
        if len(texts) < len(made) or not is_plain(f"{made['name']}.x"):
            return None
        if not isinstance(results, dict) or not isinstance(failures, list):
            return None
        if not all(
            is_plain(name) and isinstance(digest, str) and _DIGEST.fullmatch(digest)
            for name, digest in results.items()
        ):
            return None
        return cls(**texts, results=results, failures=list(map(str, failures)))


def is_plain(name: Any) -> bool:
    """Whether a text is the name of a file in the folder that may be a result."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= 255
        and not set(name) & set("/\\\x00\n")
        and not name.startswith(".")
        and not is_list(name)
    )


def is_list(name: str) -> bool:
    """Whether a file of this name is the list of a run."""
    return _LISTS.fullmatch(name) is not None


def digest_of(path: str | Path) -> str:
    """Hash of a regular file's content; empty for what cannot be read twice, or at all."""
    try:
        with open(path, "rb", opener=open_file) as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


class Store:
    """The folder while it is used, made if it is not there.

    Each shard of a run has a list of its own. Of an owner no other run may write to the same list;
    a process that works for a run is no owner. `StoreError` if the folder cannot be made, read or
    written, or another run writes there.
    """

    def __init__(
        self, folder: str | Path, shard: Shard | None = None, *, is_owner: bool = True
    ) -> None:
        self.folder = Path(folder)
        self.shard = shard
        self.path = self.folder / (MANIFEST if shard is None else f"manifest-{shard.word}.jsonl")
        #: Inputs that have been worked on, the last of each.
        self.entries: dict[str, Entry] = {}
        self._is_owner = is_owner
        self._places: dict[bytes, tuple[int, int]] = {}
        self._listed: set[bytes] = set()
        self._runs: set[str] = set()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._handle = self._open()
            if is_owner:
                self._lock()
            # Its own list is the last, so that its word counts where two speak of one thing.
            others = [path for path in lists_of(self.folder) if path.name != self.path.name]
            self.lists = [*others, self.path]
            for number in range(len(self.lists)):
                self._read(number)
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"cannot write to '{self.folder}': {reason}") from error

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another run write here; a list without a line goes."""
        if self._handle >= 0:
            if self._is_owner and not os.fstat(self._handle).st_size:
                with suppress(OSError):
                    self.path.unlink()
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(self.path, flags | getattr(os, "O_NONBLOCK", 0), 0o644)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(f"{self.path.name} is no file")
        return handle

    def _lock(self) -> None:
        try:
            import fcntl

            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise StoreError(f"another run is writing to '{self.folder}'") from error
        except (ImportError, OSError):
            return  # a system, or a file system, without locks

    def _read(self, number: int) -> None:
        """Learn what a list holds; lines that are cut off or absurd are passed over."""
        start, whole = 0, True
        with open(self.lists[number], "rb", opener=open_file) as handle:
            while line := handle.readline(_LONGEST_LINE):
                values = _parsed(line)
                if (entry := Entry.read(values)) is not None:
                    self.entries[entry.file] = entry
                elif (key := key_of(values)) is not None:
                    self._places[bytes.fromhex(key)] = number, start
                    self._listed.add(_short(key, values.get("structure")))
                start, whole = start + len(line), line.endswith(b"\n")
        if not whole and self.lists[number] == self.path:
            self._append(b"\n")  # what a crash has cut short must not swallow what follows

    def structure(self, key: str) -> dict[str, Any] | None:
        """The line of a structure, None where there is none."""
        place = self._places.get(bytes.fromhex(key))
        if place is None:
            return None
        with open(self.lists[place[0]], "rb", opener=open_file) as handle:
            handle.seek(place[1])
            values = _parsed(handle.readline(_LONGEST_LINE))
        return values if isinstance(values, dict) and values.get("key") == key else None

    def add_structure(self, key: str, structure: str, values: Mapping[str, Any]) -> None:
        """List a structure, once under each of its names."""
        short = _short(key, structure)
        if short not in self._listed:
            place = self._put({"key": key, "structure": structure, **values})
            self._places[bytes.fromhex(key)] = len(self.lists) - 1, place
            self._listed.add(short)

    def add_run(self, run: str, values: Mapping[str, Any]) -> None:
        """Say which run the lines with this hash come from."""
        if run not in self._runs:
            self._put({"schema": SCHEMA, "run": run, **values})
            self._runs.add(run)

    def add_file(self, entry: Entry) -> None:
        """List an input as done; results of it that are not made any more go."""
        old = self.entries.get(entry.file)
        self._put(asdict(entry))
        self.entries[entry.file] = entry
        for name in set(old.results if old else ()).difference(entry.results):
            if old is not None and self.is_ours(name, old):
                (self.folder / name).unlink(missing_ok=True)

    def is_ours(self, name: str, entry: Entry) -> bool:
        """Whether a file in the folder is the one that an entry lists, unchanged."""
        path = self.folder / name
        return (
            name in entry.results
            and not path.is_symlink()
            and digest_of(path) == entry.results[name]
        )

    def is_finished(self, file: str, sha256: str, run: str) -> bool:
        """Whether an input of this content need not be predicted in this run."""
        entry = self.entries.get(file)
        return (
            entry is not None
            and not entry.failures
            and (entry.run, entry.sha256) == (run, sha256)
            and bool(sha256)
            and all(self.is_ours(name, entry) for name in entry.results)
        )

    def _put(self, values: Mapping[str, Any]) -> int:
        """Append a line; where it starts."""
        line = json.dumps(values).encode()
        return self._append(line + b"\n")

    def _append(self, line: bytes) -> int:
        """Append in one piece, so that lines of several processes do not mix, or not at all."""
        written = 0
        try:
            while written < len(line):  # a full disk takes a part without a word, and refuses then
                written += os.write(self._handle, line[written:]) or _full()
            return os.lseek(self._handle, 0, os.SEEK_CUR) - len(line)
        except OSError as error:
            end = os.lseek(self._handle, 0, os.SEEK_CUR)
            if written and os.fstat(self._handle).st_size == end:
                with suppress(OSError):
                    os.ftruncate(self._handle, end - written)
            raise StoreError(f"cannot write '{self.path}': {error.strerror}") from error


def _full() -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def lists_of(folder: Path) -> list[Path]:
    """The lists of a folder, of all shards."""
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if _LISTS.fullmatch(name)]
    except OSError as error:
        raise ReadError(error.strerror or str(error), where=visible(folder)) from error


def lines_of(folder: Path) -> Iterator[dict[str, Any]]:
    """All lines of all lists of a folder that are JSON objects, as they are.

    `ReadError` if the folder or a list cannot be read.
    """
    for path in lists_of(folder):
        try:
            with open(path, "rb", opener=open_file) as handle:
                while line := handle.readline(_LONGEST_LINE):
                    if isinstance(values := _parsed(line), dict):
                        yield values
        except OSError as error:
            raise ReadError(error.strerror or str(error), where=visible(path)) from error


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None  # cut off, numbers of 5,000 digits, endless brackets


def key_of(values: Any) -> str | None:
    """Key of the structure that a line is of; None for other lines."""
    key = values.get("key") if isinstance(values, dict) else None
    return key if isinstance(key, str) and _DIGEST.fullmatch(key) else None


def _short(key: str, structure: object) -> bytes:
    return hashlib.sha256(f"{key}\n{structure}".encode(errors="surrogatepass")).digest()[:16]


def names_of(files: Sequence[str], entries: Mapping[str, Entry], plain: Any) -> dict[str, str]:
    """A name for the results of each input: as before, else one that no other has."""
    taken = {entry.name.casefold(): file for file, entry in entries.items()}
    names: dict[str, str] = {}
    for file in files:
        if file in entries:
            names[file] = entries[file].name
            continue
        name = short = plain(file)
        if taken.get(name.casefold(), file) != file:
            digest = hashlib.sha256(os.fsencode(file)).hexdigest()
            name = f"{short}-{digest[:8]}"
            if taken.get(name.casefold(), file) != file:
                name = f"{short}-{digest}"
        names[file] = name
        taken[name.casefold()] = file
    return names
