"""The one way to hold a result: columns with names and units, rows of plain values.

Numbers are kept as they were computed; a column rounds them, for files and for people alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shiftcli.errors import visible
from shiftcli.notebook import Tabular

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import Failure

#: What a cell holds: text, a number, words, or the ends of an interval.
Value = str | int | float | bool | None | tuple[str, ...] | tuple[float, float]


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    key: str  #: Its name in JSON and in queries; in JSON a dot makes a table in the record.
    #: Short head for people, `key` where it is empty; None where it is only in files for programs.
    title: str | None = ""
    unit: str = ""  #: Of its numbers, such as ``ppm``.
    #: Decimals, or significant digits, of its numbers.
    decimals: int | None = None
    digits: int | None = None
    name: str = ""  #: Its name in spreadsheets, ``key/unit`` where it is empty.
    #: Key of the column with the standard error, or the interval, that people see behind it.
    spread: str = ""
    signed: bool = False  #: Whether people see a plus.
    show: Callable[[Any], str] | None = None  #: Makes of a value what people see of it.

    @property
    def head(self) -> str:
        """What people see above it."""
        return self.title or self.key

    @property
    def label(self) -> str:
        """Its name in spreadsheets."""
        return self.name or (f"{self.key}/{self.unit}" if self.unit else self.key)

    def rounded(self, value: Any) -> Any:
        """A value with this column's decimals; None for a number that is not finite."""
        if isinstance(value, tuple):
            return tuple(self.rounded(part) for part in value)
        if not isinstance(value, float):
            return value
        if not math.isfinite(value):
            return None
        if self.digits is not None:
            return float(f"{value:.{self.digits}g}")
        # Adding 0.0 turns −0.0 into 0.0.
        return value if self.decimals is None else round(value, self.decimals) + 0.0

    def text(self, value: Any) -> str:
        """A value as people see it."""
        if self.show is not None:
            return self.show(value)
        value = self.rounded(value)
        if value is None or value is False:
            return ""
        if value is True:
            return "yes"
        if isinstance(value, tuple):
            return " ".join(map(self.text, value))
        sign = "+" if self.signed else ""
        if isinstance(value, float) and self.decimals is not None:
            return f"{value:{sign}.{self.decimals}f}"
        if isinstance(value, float) and self.digits is not None:
            return f"{value:{sign}.{self.digits}g}"
        return visible(value)


@dataclass(frozen=True)
class Table(Tabular):
    """Rows of values."""

    key: str  #: Its name in documents, such as ``sites``.
    columns: Sequence[Column]  #: From left to right.
    rows: Sequence[tuple[Any, ...]]  #: One value a column.
    #: What stands above it, for people: what it is of, and a few words on that.
    title: str = ""
    detail: str = ""
    notes: tuple[str, ...] = ()  #: Lines below it.
    #: Lines before these that explain a column, by its key.
    explained: Mapping[str, str] = field(default_factory=dict)
    index: str = ""  #: Key of the column whose values name the rows in JSON; a list without it.
    #: Indices of the atoms that each row is about; empty where rows are not about atoms.
    atoms: Sequence[Sequence[int]] = ()

    def records(self) -> list[dict[str, Any]]:
        """Rows as rounded values by key."""
        records = []
        for row in self.rows:
            record: dict[str, Any] = {}
            for column, value in zip(self.columns, row, strict=True):
                group, dot, key = column.key.partition(".")
                place = record.setdefault(group, {}) if dot else record
                place[key if dot else group] = column.rounded(value)
            records.append(record)
        return records

    def to_dict(self) -> dict[str, list[Any]]:
        """Unrounded values of each column by its name in spreadsheets."""
        places = range(len(self.columns))
        return {self.columns[k].label: [row[k] for row in self.rows] for k in places}

    def values(self, key: str) -> list[Any]:
        """The rounded values of one column."""
        (place,) = (k for k, column in enumerate(self.columns) if column.key == key)
        return [self.columns[place].rounded(row[place]) for row in self.rows]

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands below it: what its columns mean, and its notes."""
        keys = {column.key for column in self.columns}
        return (*(text for key, text in self.explained.items() if key in keys), *self.notes)

    def is_numeric(self, column: Column) -> bool:
        """Whether a column holds numbers."""
        return column.decimals is not None or any(
            isinstance(value, int | float) and not isinstance(value, bool)
            for value in self.values(column.key)
        )

    def shown(self) -> tuple[list[Column], list[list[str]]]:
        """Columns and cells for people: no column that says nothing, errors behind their values."""
        spreads = {column.spread: k for k, column in enumerate(self.columns)}
        cells = [
            [column.text(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]
        used = [
            k
            for k, column in enumerate(self.columns)
            if column.title is not None
            and column.key not in spreads
            and any(row[k] for row in cells)
        ]
        places = {column.key: k for k, column in enumerate(self.columns)}
        for row, values in zip(cells, self.rows, strict=True):
            for key, owner in spreads.items():
                if key and row[places[key]] and row[owner]:
                    between = " " if isinstance(values[places[key]], tuple) else " ± "
                    row[owner] += between + row[places[key]]
        return [self.columns[k] for k in used], [[row[k] for k in used] for row in cells]


@dataclass(frozen=True)
class Entry:
    """What a result says of one structure."""

    #: What all rows share, such as ``file``, ``name``, ``formula`` and ``warnings``.
    about: Mapping[str, Any]
    tables: tuple[Table, ...]  #: The first of them is what formats hold that hold one table.
    more: Mapping[str, Any] = field(default_factory=dict)  #: Further values of JSON.

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the structure."""
        return (*self.about.get("warnings", ()), *self.about.get("notes", ()))

    @property
    def where(self) -> str:
        """File and name of the structure."""
        return ": ".join(filter(None, (self.about.get("file"), self.about.get("name"))))

    def record(self) -> dict[str, Any]:
        """Everything, for JSON."""
        tables: dict[str, Any] = {}
        for table in self.tables:
            records = table.records()
            tables[table.key] = {r.pop(table.index): r for r in records} if table.index else records
        return {**self.about, **tables, **self.more}

    def flat(self, table: Table | None = None) -> tuple[list[str], Iterator[list[Any]]]:
        """Heads and rows of a table, the first if none is named, with what all rows share."""
        table = table or self.tables[0]
        before = [key for key in ("file", "name") if key in self.about]
        heads = [*before, *(column.label for column in table.columns)]
        start = [self.about[key] for key in before]
        end = ["; ".join(self.notes)] if before else []
        rows = (
            [*start, *(_plain(c.rounded(v)) for c, v in zip(table.columns, row, strict=True)), *end]
            for row in table.rows
        )
        return heads + ["notes"] * len(end), rows


def _plain(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Entries:
    """Entries of many structures, made one by one each time they are asked for."""

    items: Iterable[Any]
    entry: Callable[[Any], Entry]

    def __iter__(self) -> Iterator[Entry]:
        return map(self.entry, self.items)


@dataclass(frozen=True)
class Document:
    """A result as the views take it."""

    head: Mapping[str, Any]  #: Program, networks, units: what stands first in JSON.
    entries: Iterable[Entry]  #: One a structure; made when they are asked for, each time anew.
    key: str = ""  #: Name of the entries in JSON; empty where the document is its one entry.
    failures: Sequence[Failure] = ()  #: What could not be done, and why.

    def tables(self, notes: bool = True) -> Iterator[Table]:
        """All tables for people, with the notes on each structure below its first one."""
        for entry in self.entries:
            below = tuple(f"note: {text}" for text in entry.notes) if notes else ()
            for k, table in enumerate(entry.tables):
                if table.rows or (below and not k):
                    yield replace(table, notes=table.notes + below * (not k))
