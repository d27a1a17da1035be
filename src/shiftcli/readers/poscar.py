"""POSCAR and CONTCAR files of VASP, through ASE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO

import numpy as np

from shiftcli.errors import ReadError, counted, visible
from shiftcli.readers.atoms import (
    SYMBOLS,
    AtomTable,
    element_of,
    refuse_odd_numbers,
    refuse_too_many,
)
from shiftcli.readers.sources import safe_text


def read_poscar(text: str, source: str) -> Iterator[AtomTable]:
    """Read a POSCAR or CONTCAR file."""
    import warnings as python_warnings

    from ase.io.vasp import read_vasp

    where = visible(source)
    title, _, rest = text.partition("\n")
    end = _check_counts(text, where)
    # ASE looks for symbols in the title, where a number in another script would count them.
    text = f"{title.encode('ascii', 'replace').decode()}\n{rest}"
    refuse_odd_numbers(rest.split("\n")[:end], where)
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            atoms = read_vasp(StringIO(text))
    except Exception as error:  # ASE raises whatever its parts raise
        reason = safe_text(error, 100) or type(error).__name__
        raise ReadError(f"not a readable POSCAR: {reason}", where=where) from error
    yield AtomTable(
        np.array(atoms.get_chemical_symbols()),
        atoms.positions,
        atoms.cell.array,
        name=title,
        whole=True,
    )


def _check_counts(text: str, where: str) -> int:
    """Last line of the atoms, 0 where nothing says it.

    Refuses numbers of atoms that the file cannot hold, before ASE makes room for them, files of
    VASP 4 that do not say which elements they count, and a second structure after the first.
    """
    lines = text.split("\n")
    for at, line in enumerate(lines[5:7], 5):
        words = line.split("!")[0].split()
        try:
            counts = [abs(int(word)) for word in words]
        except ValueError:
            continue  # the symbols, or a mistake that ASE finds
        announced, following = sum(counts), len(lines) - 7
        if announced > following + 1:
            raise ReadError(
                f"cut off: {announced} atoms are announced, at most {max(following, 0)} follow",
                where=where,
            )
        refuse_too_many(announced, where)
        titled = [word for word in lines[0].split() if element_of(word) == word]
        if at == 5 and len(titled) != len(counts):
            raise ReadError(
                "no element symbols, as in a file of VASP 4", where=where,
                hint="write them, such as C H N O, in a line before the numbers of atoms",
            )  # fmt: skip
        if at == 6:
            _refuse_bad_symbols(lines[5].split("!")[0].split(), len(counts), where)
        selective = lines[at + 1 : at + 2] and lines[at + 1].strip()[:1] in ("S", "s")
        end = at + 2 + bool(selective) + announced
        _refuse_second(lines[end:], announced, where)
        return end
    return 0


def _refuse_bad_symbols(symbols: list[str], counts: int, where: str) -> None:
    """Refuse symbols that are none, or not as many as the numbers of atoms."""
    for symbol in symbols:
        if re.split(r"[_/]", symbol)[0] not in SYMBOLS:  # VASP 6 adds what names a potential
            raise ReadError(f"no element is called '{safe_text(symbol, 20)}'", where=where)
    if len(symbols) != counts:
        raise ReadError(
            f"{counted(len(symbols), 'element')}, but {counted(counts, 'number')} of atoms",
            where=where,
        )


def _refuse_second(rest: list[str], announced: int, where: str) -> None:
    """Refuse what follows the atoms but velocities, after a line, or a predictor."""
    if rest and re.match(r"\s*[-+.\d]", rest[0]):
        raise ReadError(f"more atoms than the {announced} announced", where=where)
    for line in rest:
        word = (line.split() or ["0"])[0]
        is_word = re.match(r"[-+.\d]", word) is None and word[:1].upper() not in "CDLK"
        if is_word or "configuration" in line:
            raise ReadError(
                f"'{safe_text(line, 30)}' after the atoms: several structures in one file?",
                where=where, hint="one structure a POSCAR; extended XYZ holds many",
            )  # fmt: skip
