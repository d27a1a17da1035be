"""Molecules in SDF and mol files (MDL V2000 and V3000), with labels from a table beside them.

The atoms are read here and not by ASE, which takes a record that is cut off for a smaller
molecule and knows neither V3000 nor D.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, visible
from shiftcli.readers.atoms import SYMBOLS, AtomTable, listed, number, refuse_too_many
from shiftcli.readers.sources import safe_text
from shiftcli.readers.tables import LabelTable, table_beside

_SEPARATOR = re.compile(r"^\$\$\$\$.*\n?", re.MULTILINE)
_CONTINUED = re.compile(r"-[ \t]*\nM  V30 ")


def read_sdf(
    text: str, source: str, shielding_column: str | None = None
) -> Iterator[AtomTable | ReadError]:
    """Read the molecules of an SDF or mol file, records separated by ``$$$$``.

    Shieldings are those of `shielding_column` of a table beside the file
    (`shiftcli.readers.tables`), without it of one of the usual names; a single error where that
    table cannot be read.
    """
    *records, rest = _SEPARATOR.split(text, limits.STRUCTURES)
    records += [rest] if rest.strip() else []
    names = [record.split("\n", 1)[0].strip() for record in records]
    try:
        table = table_beside(source, shielding_column)
    except ReadError as error:
        yield error
        return
    news = "" if table is None else _unknown_molecules(table, names)
    called = Counter(names)
    for count, (record, name) in enumerate(zip(records, names, strict=True), 1):
        where = visible(source)
        if len(records) > 1:
            where += f": record {count}" + (f" ({safe_text(name)})" if name else "")
        try:
            title = name or (f"#{count}" if len(records) > 1 else "")
            molecule = _read_record(record.split("\n"), title, where)
            if table is not None and called[name] > 1:
                molecule = molecule.with_warning(
                    f"not labelled: {called[name]} records have this name"
                )
            elif table is not None:
                molecule = table.label(molecule, name, where)
            if news:
                molecule, news = molecule.with_warning(news), ""
            yield molecule
        except ReadError as error:
            yield error


def _unknown_molecules(table: LabelTable, names: Sequence[str]) -> str:
    """Warning of molecules that only the table has, where the file holds several."""
    unknown = table.molecules.keys() - set(names)
    if not unknown or len(names) < 2:
        return ""
    return f"{table.file} has rows for molecules not in this file: {listed(sorted(unknown))}"


def _read_record(lines: list[str], name: str, where: str) -> AtomTable:
    if len(lines) < 4:
        raise ReadError("cut off: a record has a counts line as its fourth", where=where)
    if sum(re.search(r"\sV[23]000\s*$", line) is not None for line in lines) > 1:
        raise ReadError("several molecules in one record: no $$$$ between them", where=where)
    rows = _atoms_v3000(lines, where) if "V3000" in lines[3] else _atoms_v2000(lines, where)
    refuse_too_many(len(rows), where)
    symbols, positions = [], []
    for count, row in enumerate(rows, 1):
        symbol = row[0].capitalize()
        if symbol not in SYMBOLS:
            raise ReadError(
                f"atom {count}: no element is called '{safe_text(row[0], 20)}'", where=where
            )
        symbols.append("H" if symbol in ("D", "T") else symbol)
        try:
            positions.append([number(text) for text in row[1:]])
        except ValueError as error:
            text = safe_text(" ".join(row[1:]), 40)
            raise ReadError(
                f"atom {count}: coordinates '{text}' are no numbers", where=where
            ) from error
    molecule = AtomTable(np.array(symbols), np.array(positions), name=name, whole=True)
    if lines[1][20:22] == "2D" and not molecule.coordinates[:, 2].any():
        raise ReadError(
            "a drawing in the plane (2D), not a geometry", where=where,
            hint="make a relaxed geometry with all hydrogens of it first",
        )  # fmt: skip
    return molecule


def _atoms_v2000(lines: list[str], where: str) -> list[list[str]]:
    """Symbol and coordinates of each atom, as text."""
    counts = lines[3][:3].strip()
    if not (counts.isascii() and counts.isdecimal()):
        raise ReadError(
            f"the fourth line should count the atoms but is '{safe_text(lines[3], 30)}'",
            where=where,
        )
    n = int(counts)
    rows = [line.split()[:4] for line in lines[4 : 4 + n]]
    whole = next((k for k, row in enumerate(rows) if len(row) < 4), len(rows))
    if whole < n:
        raise ReadError(f"cut off: {n} atoms are announced, {whole} follow", where=where)
    _refuse_wrong_bonds(lines, n, where)
    return [[symbol, *coordinates] for *coordinates, symbol in rows]


def _refuse_wrong_bonds(lines: list[str], atoms: int, where: str) -> None:
    """Refuse a record whose bonds show that its counts are wrong, or that has no end."""
    said = lines[3][3:6].strip()
    bonds = int(said) if said.isascii() and said.isdecimal() else 0
    for line in lines[4 + atoms : 4 + atoms + bonds]:
        ends = [field.strip() for field in (line[:3], line[3:6])]
        if not all(e.isascii() and e.isdecimal() and 0 < int(e) <= atoms for e in ends):
            raise ReadError(
                f"{atoms} atoms and {bonds} bonds are announced, but '{safe_text(line, 30)}' is "
                "no bond of them",
                where=where,
            )
    rest = lines[4 + atoms + bonds :]
    if rest and re.match(r"\s*[-\d.]+\s", rest[0]):
        raise ReadError(
            f"more than the {atoms} atoms and {bonds} bonds announced: '{safe_text(rest[0], 30)}'",
            where=where,
        )
    _refuse_open(lines, where)


def _refuse_open(lines: list[str], where: str) -> None:
    if not any(line.startswith("M  END") for line in lines):
        raise ReadError("cut off: no M  END", where=where)


def _atoms_v3000(lines: list[str], where: str) -> list[list[str]]:
    """Symbol and coordinates of each atom, as text."""
    whole = _CONTINUED.sub("", "\n".join(lines[4:])).split("\n")
    rows = [line.split()[2:] for line in whole if line.startswith("M  V30 ")]
    if ["BEGIN", "ATOM"] not in rows or ["END", "ATOM"] not in rows:
        raise ReadError("cut off: no BEGIN ATOM … END ATOM", where=where)
    atoms = rows[rows.index(["BEGIN", "ATOM"]) + 1 : rows.index(["END", "ATOM"])]
    short = next((k for k, row in enumerate(atoms, 1) if len(row) < 5), 0)
    if short:
        raise ReadError(
            f"atom {short}: an index, a symbol and three coordinates are needed", where=where
        )
    said = next((row[1] for row in rows if row[:1] == ["COUNTS"] and len(row) > 1), "")
    if said.isascii() and said.isdecimal() and int(said) != len(atoms):
        raise ReadError(f"{said} atoms are announced, {len(atoms)} follow", where=where)
    _refuse_open(lines, where)
    return [row[1:5] for row in atoms]
