"""Any other format of text that ASE reads, with a note that it was ASE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers.atoms import AtomTable
from shiftcli.readers.extxyz import labels_of, periodicity
from shiftcli.readers.sources import safe_text

#: What ASE reads from text but is no file of a structure.
_NOT_TAKEN = frozenset(("db", "json", "py", "html", "mysql", "postgresql", "lmdb", "aselmdb"))


def is_known(name: str) -> bool:
    """Whether ASE reads a format of this name from text."""
    from ase.io.formats import ioformats

    found = ioformats.get(name)
    return found is not None and found.can_read and not found.isbinary and name not in _NOT_TAKEN


def format_of_file(path: str) -> str:
    """ASE's name for the format of a file, empty where it knows none that can be taken."""
    from ase.io.formats import UnknownFileTypeError, filetype

    try:
        found = filetype(path, read=True, guess=True)
    except (UnknownFileTypeError, OSError, ValueError):
        return ""
    return found if is_known(found) else ""


def read_ase(text: str, source: str, name: str) -> Iterator[AtomTable]:
    """Read the structures of a text in the format that ASE calls `name`."""
    import warnings

    from ase.io import read

    where = visible(source)
    # Some of ASE's readers want a file.
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "structure")
        try:
            path.write_text(text, encoding="utf-8")
            frames = read(path, index=":", format=name)
        except Exception as error:  # ASE raises whatever its parts raise
            reason = safe_text(str(error).replace(str(path), "the file"), 100)
            reason = reason or type(error).__name__
            raise ReadError(f"not readable as ASE's {name}: {reason}", where=where) from error
    if not frames:
        raise ReadError(f"no structure, read as ASE's {name}", where=where)
    for count, atoms in enumerate(frames, 1):
        cell, notes = periodicity(atoms, where)
        yield AtomTable(
            np.array(atoms.get_chemical_symbols()),
            atoms.positions,
            cell,
            labels_of(atoms.arrays),
            whole=True,
            name=f"#{count}" if len(frames) > 1 else "",
            warnings=(f"read through ASE as {name}", *notes),
        )
