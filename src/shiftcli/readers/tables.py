"""Tables of shifts or shieldings that label the atoms of molecules in a file beside them.

A table is a CSV file, plain or gzipped, with the columns ``mol_id`` (name of the molecule in
its file), ``atom_index`` (from 0) and one of shieldings or shifts, as in the DFT8K set of
Guan et al., Chem. Sci. 12, 12012 (2021). ``atom_type`` (atomic number or symbol) is compared
with the molecule where it is there.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, visible
from shiftcli.readers.atoms import SHIELDING_COLUMNS, AtomTable, listed
from shiftcli.readers.registry import named
from shiftcli.readers.sources import STDIN, load, safe_text

#: Column of shifts, in lower case: the shielding of an atom is minus its shift.
SHIFT_COLUMN = "shift"

_KEYS = ("mol_id", "atom_index")

#: Longest line (characters) that is looked at to find out whether a file is such a table.
_LONGEST_HEADER = 10_000


class Label(NamedTuple):
    """One row of a table: an atom's index from 0, shielding in ppm, type, and line number."""

    atom: int
    shielding: float
    kind: str
    line: int


@dataclass(frozen=True)
class LabelTable:
    """Shieldings of atoms by molecule."""

    file: str  #: Name of the table's file, without its folder.
    level: str  #: Level of theory: the name of the file without suffixes.
    molecules: Mapping[str, Sequence[Label]]  #: Rows by ``mol_id``, in the order of the file.

    def label(self, molecule: AtomTable, name: str, where: str) -> AtomTable:
        """Give a molecule its shieldings.

        Parameters
        ----------
        molecule : AtomTable
            The molecule; its atoms are in the order that ``atom_index`` counts.
        name : str
            Its ``mol_id``.
        where : str
            File and record, for messages.

        Returns
        -------
        AtomTable
            With shieldings in ppm, NaN where the table has none, and the table's level; with
            warnings where the table has no row for it, rows beyond its atoms, or several rows
            for an atom: the same shielding counts once, different ones count nothing.

        Raises
        ------
        ReadError
            If an ``atom_type`` contradicts an element: then no row can be trusted.
        """
        labels = self.molecules.get(name)
        if labels is None:
            return molecule.with_warning(f"{self.file} has no row for this molecule")
        given: dict[int, list[float]] = {}
        beyond = []
        for label in labels:
            if label.atom >= len(molecule):
                beyond.append(str(label.atom))
                continue
            self._refuse_other_element(label, str(molecule.elements[label.atom]), where)
            given.setdefault(label.atom, []).append(label.shielding)
        shieldings = np.full(len(molecule), np.nan)
        for atom, values in given.items():
            shieldings[atom] = values[0] if len(set(values)) == 1 else np.nan
        molecule = replace(molecule, shieldings=shieldings, level=self.level)
        repeated = listed([molecule.labels[k] for k, values in given.items() if len(values) > 1])
        if repeated:
            molecule = molecule.with_warning(
                f"{self.file} has several rows for {repeated}: no label where they differ"
            )
        if beyond:
            molecule = molecule.with_warning(
                f"{self.file} has rows for atoms beyond the molecule: {listed(beyond)}"
            )
        return molecule

    def _refuse_other_element(self, label: Label, element: str, where: str) -> None:
        if label.kind and _symbol(label.kind) != element:
            raise ReadError(
                f"line {label.line} of {self.file} has atom_type '{safe_text(label.kind, 10)}' "
                f"for atom {label.atom}, which is {element}",
                where=where,
            )


@lru_cache(maxsize=256)
def _symbol(kind: str) -> str:
    """Chemical symbol of an atom type, given as a number or a symbol; as it is if unknown."""
    from ase.data import chemical_symbols

    if re.fullmatch(r"[0-9]{1,9}", kind) and int(kind) < len(chemical_symbols):
        return chemical_symbols[int(kind)]
    return "H" if kind.upper() in ("D", "T") else kind.capitalize()


def table_beside(source: str, column: str | None = None) -> LabelTable | None:
    """Find and read the table that labels the molecules of a file.

    Parameters
    ----------
    source : str
        The file with the molecules, or ``-``.
    column : str, optional
        Column with the values; without it one of shieldings by the usual names, else
        ``Shift``. Shifts become shieldings of the opposite sign, whatever their reference.

    Returns
    -------
    LabelTable or None
        The table of the same name (``DFT.csv.gz`` for ``DFT.sdf``), else the only one in
        the folder; None where there is none.

    Raises
    ------
    ReadError
        If several tables could be meant, or the table cannot be read.
    """
    if source == STDIN:
        return None
    stem = _stem(source)
    paths = _tables_in(os.path.dirname(source) or ".")
    own = [path for path in paths if _stem(path) == stem and _is_table(_header(path), column)]
    tables = own or [path for path in paths if _is_table(_header(path), column)]
    if len(tables) > 1:
        raise ReadError(
            f"{len(tables)} tables could label it: {listed([os.path.basename(t) for t in tables])}",
            where=visible(source),
            hint=f"keep one, or name the right one {safe_text(stem)}.csv",
        )
    if not tables:
        return None
    status = os.stat(tables[0])
    return _read_table(tables[0], column, status.st_mtime_ns, status.st_size)


def read_beside(files: Iterable[str], outputs: Iterable[Path | None]) -> list[Path]:
    """Of files that would be written, those that readers take in beside some files.

    They are tables of labels, and outputs of pw.x that have the cell of one of gipaw.x.
    """
    folders = {os.path.realpath(os.path.dirname(file)) for file in files}
    there = [
        o for o in outputs if o and os.path.isfile(o) and os.path.realpath(o.parent) in folders
    ]
    return [o for o in there if _is_table(_header(str(o)), None) or _is_run(o)]


def _is_run(path: Path) -> bool:
    try:
        return named("gipaw").looks_like(load(path))
    except ReadError:
        return False


def _tables_in(folder: str) -> tuple[str, ...]:
    try:
        changed = os.stat(folder).st_mtime
        # A folder that has just changed may change again without a new time stamp.
        is_old = time.time() - changed > 2.0
        return (_listed if is_old else _listed.__wrapped__)(folder, changed)
    except OSError:
        return ()


# Thousands of molecules may lie beside each other: their folder is listed once.
@lru_cache(maxsize=1)
def _listed(folder: str, changed: float) -> tuple[str, ...]:
    names = sorted(n for n in os.listdir(folder) if n.lower().endswith((".csv", ".csv.gz")))
    return tuple(os.path.join(folder, name) for name in names)


def _stem(path: str) -> str:
    name = Path(path)
    return Path(name.stem).stem if name.suffix.lower() == ".gz" else name.stem


def _header(path: str) -> list[str]:
    """Columns of a CSV file, none where it cannot be read."""
    opener = gzip.open if path.lower().endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as handle:
            return next(csv.reader([handle.readline(_LONGEST_HEADER)]), [])
    except (OSError, EOFError, ValueError, zlib.error, csv.Error):
        return []


def _is_table(header: Sequence[str], column: str | None) -> bool:
    names = _columns(header)
    return set(_KEYS) <= set(names) and (
        column in header or any(c in names for c in (*SHIELDING_COLUMNS, SHIFT_COLUMN))
    )


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Position of each column by its name in lower case and without a unit."""
    return {name.strip().lower().split("/")[0]: k for k, name in enumerate(header)}


def _value_column(header: Sequence[str], wanted: str | None, where: str) -> int:
    if wanted is None:
        names = _columns(header)
        return next(names[c] for c in (*SHIELDING_COLUMNS, SHIFT_COLUMN) if c in names)
    if wanted not in header:
        raise ReadError(
            f"no column '{safe_text(wanted, 30)}'", where=where,
            hint=f"the table has {listed(list(filter(None, header)))}",
        )  # fmt: skip
    return list(header).index(wanted)


# Thousands of molecules may lie in as many files beside one table: it is read once.
@lru_cache(maxsize=1)
def _read_table(path: str, column: str | None, changed: int, size: int) -> LabelTable:
    where = visible(path)
    rows = csv.reader(StringIO(load(path, limits.PARSED_BYTES)), strict=True)
    molecules: dict[str, list[Label]] = {}
    try:
        header = next(rows)
        names = _columns(header)
        value = _value_column(header, column, where)
        sign = -1.0 if header[value].strip().lower().split("/")[0] == SHIFT_COLUMN else 1.0
        molecule, atom, kind = names["mol_id"], names["atom_index"], names.get("atom_type", -1)
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise ValueError(f"{len(row)} fields under a header of {len(header)}")
            if not row[molecule].strip():
                raise ValueError("the mol_id is empty")
            label = Label(
                _index(row[atom]),
                sign * _number(row[value]),
                row[kind].strip() if kind >= 0 else "",
                rows.line_num,
            )
            molecules.setdefault(row[molecule].strip(), []).append(label)
    except (ValueError, csv.Error) as error:
        reason = safe_text(error, 100)
        raise ReadError(f"line {rows.line_num}: {reason}", where=where) from error
    return LabelTable(safe_text(os.path.basename(path)), safe_text(_stem(path)), molecules)


def _index(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise ValueError(f"atom_index '{safe_text(text, 20)}' is no whole number from 0 on")
    return int(text.strip())


def _number(text: str) -> float:
    """A value in ppm; NaN for an empty field."""
    try:
        value = float(text) if text.strip() else np.nan
    except ValueError:
        value = np.inf
    if np.isinf(value):
        raise ValueError(f"'{safe_text(text, 20)}' is no value in ppm")
    return value
