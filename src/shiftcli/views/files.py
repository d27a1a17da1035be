"""A file is written whole or not at all."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path

from shiftcli.errors import UsageError
from shiftcli.network.checkpoint import replacing


def check_writable(output: Path) -> None:
    """Refuse an output that cannot be written, before the work is done.

    Parameters
    ----------
    output : pathlib.Path
        The file; its folder is made when it is written.

    Raises
    ------
    UsageError
        If it is a directory, or its directory cannot be made or written to.
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

    Parameters
    ----------
    outputs : iterable of pathlib.Path or None
        Files to be written.
    inputs : iterable of str or pathlib.Path
        Files that are read.

    Raises
    ------
    UsageError
        If a file is named twice, by whatever paths.
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


def write_text(text: str, output: Path) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    text : str
        Its contents.
    output : pathlib.Path
        The file; replaced if it is there. A pipe or a device is written to. With the suffix
        ``.gz`` it is compressed.

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    check_writable(output)
    content = text.encode("utf-8", errors="backslashreplace")
    if output.suffix.lower() == ".gz":
        content = gzip.compress(content, mtime=0)  # the same bytes whenever it is written
    try:
        if output.exists() and not output.is_file():
            output.write_bytes(content)
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output.resolve()) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write '{output}': {error.strerror}") from error
