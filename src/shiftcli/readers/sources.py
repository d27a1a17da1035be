"""From what the user names (files, folders, patterns, standard input) to text.

Compression and encoding happen here and nowhere else.
"""

from __future__ import annotations

import glob
import gzip
import os
import re
import sys
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path, PurePath

from shiftcli import limits
from shiftcli.errors import CONTROL, ReadError, visible
from shiftcli.readers.registry import format_of_name

#: Name of standard input among the paths.
STDIN = "-"

#: Bytes that are unpacked at once.
_CHUNK = 1 << 20


def safe_text(text: object, limit: int = 60) -> str:
    """Text from a file for a message: one line without controls, cut with an ellipsis."""
    line = " ".join(CONTROL.sub(" ", str(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def find_files(paths: Iterable[str | Path]) -> list[str]:
    """Expand folders and patterns into the structure files they hold.

    Parameters
    ----------
    paths : iterable of str or pathlib.Path
        Files, folders (searched recursively for known suffixes), patterns such as
        ``*.cif``, or ``-`` for standard input.

    Returns
    -------
    list of str
        Files in the order of `paths`, sorted within a folder or pattern, each once. A file or
        link that leads to nothing, a folder that cannot be read or is without structure files,
        and a pattern that matches nothing stay in the list: reading them tells what is wrong.
    """
    found: list[str] = []
    for path in map(str, paths):
        # os.path and not pathlib is asked: it answers also for names too long to exist.
        for hit in _matches(path) or [path]:
            found += _files_below(hit) or [hit]
    return list(dict.fromkeys(found))


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[") and not os.path.exists(path)


def _matches(path: str) -> list[str]:
    """Files and folders that match a pattern, and folders that hide others; none for a path."""
    if not _is_pattern(path):
        return []
    hits = glob.glob(path, recursive=True)
    locked: dict[str, str] = {}  # glob passes over what it may not look into
    for parent in PurePath(path).parents:
        folders = filter(os.path.isdir, glob.glob(str(parent), recursive=True))
        for folder in sorted(folders, key=len):
            if not os.access(folder, os.R_OK | os.X_OK):
                locked.setdefault(os.path.realpath(folder), folder)
    hits = sorted({*hits, *locked.values()})
    return [os.path.join(os.curdir, hit) if hit == STDIN else hit for hit in hits]


def _files_below(folder: str) -> list[str]:
    """Structure files of a folder and folders in it that cannot be read, empty for a file.

    Links are followed, each folder is looked into once.
    """
    if folder == STDIN:
        return []
    found: list[str] = []
    locked: list[OSError] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=locked.append, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found += [str(Path(place, name)) for name in names if format_of_name(name)]
    return sorted([*found, *(str(error.filename) for error in locked)])


def load(path: str | Path, largest: int = limits.BYTES) -> str:
    """Read a file or standard input as text, decompressed.

    Parameters
    ----------
    path : str or pathlib.Path
        File, plain or gzipped, or ``-``.
    largest : int
        Bytes that it may have, also unpacked.

    Returns
    -------
    str
        Its text, with ``\\n`` at the end of lines.

    Raises
    ------
    ReadError
        If the file cannot be opened, is too large, damaged, binary, not UTF-8, or empty, or
        the path is a folder or a pattern.
    """
    where = visible(path)
    try:
        is_stdin = str(path) == STDIN
        # One more than allowed: a pipe or a device does not say how much will come.
        data = sys.stdin.buffer.read(largest + 1) if is_stdin else _read(str(path), where, largest)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = safe_text(getattr(error, "strerror", None) or error)
        raise ReadError(f"cannot be read: {reason}", where=where) from error
    refuse_too_large(len(data), largest, where)
    if data.startswith(b"\x1f\x8b"):
        data = _decompress(data, where, largest)
    text = _decode(data, where)
    if not text.strip():
        raise ReadError("the file is empty", where=where)
    return text


def refuse_too_large(size: int, largest: int, where: str, kind: str = "") -> None:
    """Raise `ReadError` for more bytes than are read."""
    if size > largest:
        raise ReadError(f"larger than {largest // 10**6} MB{kind}", where=where)


def _read(path: str, where: str, largest: int) -> bytes:
    if os.path.isdir(path):
        is_empty = not _files_below(path)
        with os.scandir(path):  # one that cannot be read says so itself
            pass
        problem = "no structure files in this folder" if is_empty else "a folder, not a file"
        raise ReadError(problem, where=where)
    if _is_pattern(path):
        problem = "a pattern, not a file" if _matches(path) else "no file matches this pattern"
        raise ReadError(problem, where=where)
    if os.path.isfile(path):
        refuse_too_large(os.path.getsize(path), largest, where)
    elif os.path.exists(path):  # a pipe that nobody writes to would be waited for without end
        raise ReadError(
            "a device or a pipe, not a file", where=where, hint="- reads standard input"
        )
    with open(path, "rb") as handle:
        return handle.read(largest + 1)


def _decompress(data: bytes, where: str, largest: int) -> bytes:
    # Counted before it is kept: what is too large takes no memory.
    try:
        with gzip.open(BytesIO(data)) as stream:
            size = 0
            while size <= largest and (part := stream.read(_CHUNK)):
                size += len(part)
        refuse_too_large(size, largest, where, " unpacked")
        with gzip.open(BytesIO(data)) as stream:
            return stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError("the gzip file is damaged or cut off", where=where) from error


def _decode(data: bytes, where: str) -> str:
    if b"\x00" in data:
        raise ReadError("a binary file (or UTF-16), not UTF-8 text", where=where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ReadError(
            f"not UTF-8 text: byte 0x{data[error.start]:02x} in line {line}",
            where=where,
            hint="convert it, for example with iconv -f latin1 -t utf-8",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def cut_short(text: str) -> str:
    """A note where a text ends within a number: no line end, and decimals that those above have."""
    *_, above, last = ["", *text[-2000:].rsplit("\n", 2)]
    digits, usual = (line.split()[-1:] or [""] for line in (last, above))
    missing = len(usual[0].partition(".")[2]) - len(digits[0].partition(".")[2])
    is_row = len(last.split()) == len(above.split()) >= 3
    if not is_row or missing < 2 or not (_is_decimal(digits[0]) and _is_decimal(usual[0])):
        return ""
    return f"the last line ends with {digits[0]} and no line end: is the file cut off?"


def _is_decimal(word: str) -> bool:
    return re.fullmatch(r"[-+]?\d*\.\d*", word) is not None
