"""A file is written whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

from shiftcli.errors import UsageError
from shiftcli.network.checkpoint import replacing


def check_writable(output: Path) -> None:
    """Refuse an output that cannot be written, before the work is done.

    Parameters
    ----------
    output : pathlib.Path
        The file.

    Raises
    ------
    UsageError
        If it is a directory, or its directory is not there.
    """
    if output.is_dir():
        raise UsageError(f"cannot write '{output}': it is a directory", hint="name a file in it")
    if not (folder := output.resolve().parent).is_dir():
        raise UsageError(f"cannot write '{output}': no directory {folder}")


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
        with replacing(output.resolve()) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write '{output}': {error.strerror}") from error
