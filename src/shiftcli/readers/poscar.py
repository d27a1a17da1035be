"""POSCAR and CONTCAR files of VASP, through ASE."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers.atoms import AtomTable, refuse_too_many
from shiftcli.readers.sources import safe_text


def read_poscar(text: str, source: str) -> Iterator[AtomTable]:
    """Read a POSCAR or CONTCAR file.

    Parameters
    ----------
    text : str
        Contents of the file.
    source : str
        Name of the file, for messages.

    Yields
    ------
    AtomTable

    Raises
    ------
    ReadError
        If ASE cannot read the file, or it holds no geometry.
    """
    import warnings as python_warnings

    from ase.io.vasp import read_vasp

    title, _, rest = text.partition("\n")
    _refuse_wrong_counts(text, visible(source))
    # ASE looks for symbols in the title, where a number in another script would count them.
    text = f"{title.encode('ascii', 'replace').decode()}\n{rest}"
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            atoms = read_vasp(StringIO(text))
    except Exception as error:  # ASE raises whatever its parts raise
        reason = safe_text(error, 100) or type(error).__name__
        where = visible(source)
        raise ReadError(f"not a readable POSCAR: {reason}", where=where) from error
    yield AtomTable(
        np.array(atoms.get_chemical_symbols()),
        atoms.positions,
        atoms.cell.array,
        name=title,
        whole=True,
    )


def _refuse_wrong_counts(text: str, where: str) -> None:
    """Refuse numbers of atoms that the file cannot hold, before ASE makes room for them."""
    lines = text.split("\n", 7)
    for line in lines[5:7]:
        words = line.split("!")[0].split()
        try:
            counts = [abs(int(word)) for word in words]
        except ValueError:
            continue  # the symbols, or a mistake that ASE finds
        announced, following = sum(counts), text.count("\n") - 6
        if announced > following + 1:
            raise ReadError(
                f"cut off: {announced} atoms are announced, at most {max(following, 0)} follow",
                where=where,
            )
        refuse_too_many(announced, where)
        return
