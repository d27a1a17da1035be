"""A file is written whole or not at all."""

from __future__ import annotations

import csv
import gzip
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from shiftcli.errors import CONTROL, UsageError, visible

#: Pieces of a file, one after the other, so that a long one never stands in memory.
Chunks = Iterable[str | bytes]

#: Open files that a shell may have redirected.
_STDIN, _STDOUT = 0, 1


def encoded(text: str) -> bytes:
    """UTF-8 as every stream and every text format gets it.

    What `CONTROL` names, but for ends of lines and tabs, stands escaped, ``\\\\u202e``, which JSON
    reads as the same text.
    """
    return CONTROL.sub(_escaped, text).encode()


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    pieces = (units[k : k + 4] for k in range(0, len(units), 4))
    return match[0] if match[0] in "\t\n" else "".join(f"\\u{piece}" for piece in pieces)


def check_writable(output: Path) -> None:
    """Refuse an output that cannot be written, before the work is done.

    `UsageError` if it is a directory, or its directory cannot be made or written to.
    """
    place = os.path.realpath(output)
    try:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            os.lstat(place)  # names that are too long
    except OSError as error:
        raise UsageError(f"cannot write '{visible(output, 100)}': {error.strerror}") from error
    if os.path.islink(place):
        raise UsageError(f"cannot write '{output}': a link that leads to itself")
    if os.path.isdir(place):
        raise UsageError(f"cannot write '{output}': it is a directory", hint="name a file in it")
    folder = Path(place).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UsageError(f"cannot write '{output}': {folder} is no directory")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write '{output}': no permission to write to {folder}")


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[str | Path]) -> None:
    """Refuse outputs that are inputs, each other, or cannot be written; before any work.

    `UsageError` if a file is named twice, by whatever paths, or standard input or output is it;
    None among the outputs is none.
    """
    files = [output for output in outputs if output is not None]
    refuse_inputs(files, [*inputs, _STDIN])
    written = {_identity(_STDOUT)} if _is_file(_STDOUT) else set()
    for output in files:
        check_writable(output)
        if (identity := _identity(output)) in written:
            raise UsageError(f"two results would be written to '{output}'")
        if not output.exists() or _is_file(output):  # two of them may go to /dev/null
            written.add(identity)


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[str | Path | int]) -> None:
    """Raise `UsageError` where an output is an input; a number is that of an open file."""
    read = {_identity(file) for file in inputs}
    written: list[Path | int] = [_STDOUT, *outputs]
    for output in written:
        if _identity(output) in read and (_is_file(output) or not os.path.exists(output)):
            name = "standard output" if output == _STDOUT else f"'{output}'"
            raise UsageError(f"{name} is an input: it would be written over")


def _identity(file: str | Path | int) -> object:
    """What is the same for all names of a file: links are followed, hard ones too.

    Folders on the way need not be there, for they will be made. One that is not there yet may be
    the same as another in any case of letters.
    """
    path = file if isinstance(file, int) else os.path.realpath(str(file).replace("\0", ""))
    try:
        found = os.stat(path)
    except OSError:
        return unicodedata.normalize("NFC", str(path)).casefold()
    return found.st_dev, found.st_ino


def _is_file(file: Path | int) -> bool:
    try:
        return stat.S_ISREG(os.stat(file).st_mode)
    except OSError:
        return False


def open_file(path: str, flags: int) -> int:
    """The opener of whatever is read: a pipe or a device would keep us waiting, and is refused."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError("not a file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that a crash leaves the old one or the new one, never half of one.

    Yields where to write; that takes the file's place when the block ends well.
    """
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.tmp")  # 255 bytes at most
    try:
        with suppress(FileNotFoundError):
            temporary.unlink()  # perhaps a link that somebody has put there
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """A temporary path that becomes the output when all went well; a pipe or a device is itself
    written to.

    `UsageError` if it cannot be written.
    """
    check_writable(output)
    try:
        if output.exists() and not output.is_file():
            yield output
            return
        place = Path(os.path.realpath(output))
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as temporary:
            yield temporary
    except OSError as error:
        raise UsageError(f"cannot write '{output}': {error.strerror}") from error


def write_file(chunks: Chunks, output: Path) -> None:
    """Write a file, see `whole`, out of its contents, compressed with the suffix ``.gz``."""
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


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table that `write_rows` wrote, by column; OSError, csv.Error."""
    with open(path, newline="", encoding="utf-8", opener=open_file) as handle:
        return list(csv.DictReader(handle))
