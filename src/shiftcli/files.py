"""A file is written whole or not at all."""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from shiftcli.errors import UsageError

#: Pieces of a file, one after the other, so that a long one never stands in memory.
Chunks = Iterable[str | bytes]

#: What a terminal or an editor would obey or hide, but for the ends of lines and tabs.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def encoded(text: str) -> bytes:
    """UTF-8 as every stream and every text format gets it.

    Control characters and marks that turn the direction of text stand escaped, ``\\\\u202e``, which
    JSON reads as the same text.
    """
    seen = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return seen.encode("utf-8", errors="backslashreplace")


def check_writable(output: Path) -> None:
    """Refuse an output that cannot be written, before the work is done.

    `UsageError` if it is a directory, or its directory cannot be made or written to.
    """
    if output.is_dir():
        raise UsageError(f"cannot write '{output}': it is a directory", hint="name a file in it")
    folder = output.resolve().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(f"cannot write '{output}': {folder} is no directory")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write '{output}': no permission to write to {folder}")


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[str | Path]) -> None:
    """Refuse outputs that are inputs, each other, or cannot be written; before any work.

    `UsageError` if a file is named twice, by whatever paths; None among the outputs is none.
    """
    read = {_identity(Path(file)) for file in inputs}
    written: set[object] = set()
    for output in outputs:
        if output is None:
            continue
        check_writable(output)
        if (identity := _identity(output)) in read:
            raise UsageError(f"'{output}' is an input: it would be written over")
        if identity in written:
            raise UsageError(f"two results would be written to '{output}'")
        if not output.exists() or output.is_file():  # two of them may go to /dev/null
            written.add(identity)


def _identity(path: Path) -> object:
    """What is the same for all names of a file: links are followed, hard ones too."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(str(path).replace("\0", ""))
    return found.st_dev, found.st_ino


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that a crash leaves the old one or the new one, never half of one.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Yields
    ------
    pathlib.Path
        Where to write; it takes the file's place when the block ends well.
    """
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """A temporary path that becomes the output when all went well.

    Parameters
    ----------
    output : pathlib.Path
        The file; replaced if it is there. A pipe or a device is written to itself.

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    check_writable(output)
    try:
        if output.exists() and not output.is_file():
            yield output
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output.resolve()) as temporary:
            yield temporary
    except OSError as error:
        raise UsageError(f"cannot write '{output}': {error.strerror}") from error


def write_file(chunks: Chunks, output: Path) -> None:
    """Write a file whole or not at all, compressed with the suffix ``.gz``.

    Parameters
    ----------
    chunks : iterable of str or bytes
        Its contents.
    output : pathlib.Path
        The file, see `whole`.

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    with whole(output) as path, open(path, "wb") as plain:
        # The same bytes whenever it is written.
        packed = output.suffix.lower() == ".gz"
        stream: IO[bytes] = gzip.GzipFile("", "wb", fileobj=plain, mtime=0) if packed else plain  # type: ignore[assignment]
        for chunk in chunks:
            stream.write(encoded(chunk) if isinstance(chunk, str) else chunk)
        if packed:
            stream.close()


def write_text(text: str, output: Path) -> None:
    """Write text into a file, see `write_file`."""
    write_file([text], output)


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table of a run as CSV that programs read again, whole or not at all; OSError."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows(rows)
