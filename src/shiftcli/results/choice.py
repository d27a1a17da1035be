"""Rows and columns that somebody wants to see of a table, in the order that they want.

Queries are read with Python's own grammar, of which comparisons, arithmetic, ``in`` and the
logical words are understood; nothing is ever evaluated as code.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shiftcli.errors import UsageError, visible
from shiftcli.options import option, words_of
from shiftcli.results.tables import Column, Document, Entry, Table
from shiftcli.structure.nuclei import SPECIES, find_element

_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip

#: What is said where no row is left.
NOTHING = "--subset and --query leave no row"

#: Longest query in characters: deeper ones would exhaust Python's parser.
_LONGEST = 400

_PANEL = "Table"


@dataclass(frozen=True)
class Selection:
    """What is seen of any table."""

    query: str = option(
        "", """Rows, such as 'species == "1H" and shielding > 25'.""", metavar="CONDITION",
        shown="all", panel=_PANEL,
    )  # fmt: skip
    sort: tuple[str, ...] = option(
        (), "Columns to sort by; -shielding falls.", parse=words_of, metavar="COLUMNS",
        shown="as they come", panel=_PANEL,
    )  # fmt: skip
    columns: tuple[str, ...] = option(
        (), "Columns, such as labels,shift.", parse=words_of, metavar="COLUMNS", shown="all",
        panel=_PANEL,
    )  # fmt: skip

    def rows(self, table: Table, molecules: Sequence[int] = ()) -> list[int]:
        """Which rows are seen, in their order; `UsageError` for what no row or column is called.

        `molecules` are the numbers of each row's molecule, from 1; empty where nobody knows.
        """
        records = [_record(table, row) for row in table.rows]
        places = self._subset(records, molecules)
        if self.query:
            condition = parse_query(self.query)
            names = {node.id for node in ast.walk(condition) if isinstance(node, ast.Name)}
            for name in sorted(names):
                _known(name, table)
            places = [k for k in places if _evaluate(condition, records[k])]
        for word in reversed(self.sort):
            key = _known(word.lstrip("-+"), table)
            falls = word.startswith("-")
            empty = [k for k in places if records[k][key] is None]
            full = [k for k in places if records[k][key] is not None]
            places = sorted(full, key=lambda k: records[k][key], reverse=falls) + empty
        return places

    def _subset(self, records: Sequence[Mapping[str, Any]], molecules: Sequence[int]) -> list[int]:
        return list(range(len(records)))

    def check(self, columns: Sequence[Column]) -> None:
        """Refuse what can be chosen from no such table, before any work is done.

        `UsageError` if a column is unknown, or a query cannot be read.
        """
        self.of(Table("", columns, []))

    def of(self, table: Table, molecules: Sequence[int] = ()) -> Table:
        """The chosen part of a table; raises as `rows` does."""
        places = self.rows(table, molecules)
        keys = [_known(word, table) for word in self.columns]
        kept = keys or [c.key for c in table.columns]
        where = {column.key: k for k, column in enumerate(table.columns)}
        return replace(
            table,
            columns=[
                replace(table.columns[where[key]], title=table.columns[where[key]].title or "")
                if keys
                else table.columns[where[key]]
                for key in kept
            ],
            rows=[tuple(table.rows[k][where[key]] for key in kept) for k in places],
            atoms=[table.atoms[k] for k in places] if table.atoms else (),
        )

    def of_document(self, document: Document) -> Document:
        """A document whose first tables are chosen from."""
        if self == type(self)():
            return document
        entries = []
        for entry in document.entries:
            first, about = self.of(entry.tables[0]), entry.about
            if entry.tables[0].rows and not first.rows:
                about = {**about, "notes": [*about.get("notes", ()), NOTHING]}
            entries.append(Entry(about, (first, *entry.tables[1:]), entry.more))
        return replace(document, entries=entries)


@dataclass(frozen=True)
class Choice(Selection):
    """What is seen of tables of sites."""

    subset: tuple[str, ...] = option(
        (), "Sites: labels, elements or molecules, such as C1,H,mol2.", parse=words_of,
        metavar="WORDS", shown="all", panel=_PANEL,
    )  # fmt: skip

    def _subset(self, records: Sequence[Mapping[str, Any]], molecules: Sequence[int]) -> list[int]:
        if not self.subset:
            return super()._subset(records, molecules)
        wanted = [_subset(word, records, molecules) for word in self.subset]
        return [k for k in range(len(records)) if any(k in own for own in wanted)]


def _record(table: Table, row: Sequence[Any]) -> dict[str, Any]:
    """Values by every name that a query may use."""
    record: dict[str, Any] = {}
    for column, value in zip(table.columns, row, strict=True):
        seen = column.rounded(value)
        seen = " ".join(map(str, seen)) if isinstance(seen, tuple) else seen
        record.update(dict.fromkeys(_names(column), seen))
    return record


def _names(column: Column) -> tuple[str, ...]:
    """What a column goes by: its key, also as a word of a query, and its name in spreadsheets."""
    label = column.label
    return column.key, column.key.replace(".", "_"), label, label.partition("/")[0]


def _known(word: str, table: Table) -> str:
    """Key of a column by its key, or its name in spreadsheets."""
    for column in table.columns:
        if word in _names(column):
            return column.key
    known = ", ".join(column.key for column in table.columns)
    raise UsageError(f"no column '{visible(word, 50)}'", hint=f"there is {known}")


def _subset(word: str, records: Sequence[Mapping[str, Any]], molecules: Sequence[int]) -> set[int]:
    """Rows that are of one label, nuclide or molecule."""
    labelled = {
        k for k, record in enumerate(records)
        if word in (record["labels"], *str(record["labels"]).split(","))
    }  # fmt: skip
    if labelled:
        return labelled
    if word.startswith("mol") and word[3:].isdecimal() and molecules:
        return {k for k, own in enumerate(molecules) if own == int(word[3:])}
    species = SPECIES.get(find_element(word) or "")
    return {k for k, record in enumerate(records) if species and record["species"] == species}


def parse_query(text: str) -> ast.expr:
    """Read a query; `UsageError` for what is no expression, or holds calls or attributes."""
    hint = """write it like 'species == "1H" and shielding > 25'"""
    try:
        if len(text) > _LONGEST:
            raise ValueError
        body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"--query: cannot read '{visible(text, 100)}'", hint=hint) from error
    allowed = (
        ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Load, ast.Constant,
        ast.List, ast.Tuple, ast.And, ast.Or, ast.Not, ast.Invert, ast.USub,
        ast.BitAnd, ast.BitOr,
        *_COMPARE, *_ARITHMETIC,
    )  # fmt: skip
    for node in ast.walk(body):
        if not isinstance(node, allowed):
            raise UsageError(
                f"--query: '{visible(ast.unparse(node), 50)}' is nothing that a query can hold",
                hint=hint,
            )
    return body


def _evaluate(node: ast.expr, record: Mapping[str, Any]) -> Any:
    """The value of an expression for one row; a comparison with nothing is false."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return record[node.id]
        case ast.List() | ast.Tuple():
            return [_evaluate(item, record) for item in node.elts]
        case ast.BoolOp():
            combine = all if isinstance(node.op, ast.And) else any
            return combine(_evaluate(value, record) for value in node.values)
        case ast.UnaryOp():
            value = _evaluate(node.operand, record)
            return _applied(operator.neg, value) if isinstance(node.op, ast.USub) else not value
        case ast.BinOp():
            values = [_evaluate(item, record) for item in (node.left, node.right)]
            if isinstance(node.op, ast.BitAnd | ast.BitOr):
                if not all(isinstance(value, bool | None) for value in values):
                    raise UsageError("--query: & and | need brackets around what they join")
                return (all if isinstance(node.op, ast.BitAnd) else any)(values)
            return _applied(_ARITHMETIC[type(node.op)], *map(_number, values))
        case ast.Compare():
            items = (node.left, *node.comparators)
            values_ = [_evaluate(item, record) for item in items]
            if any(isinstance(item, ast.Name) and item.id == "species" for item in items):
                values_ = [_nuclides(value) for value in values_]
            pairs = zip(node.ops, values_, values_[1:], strict=False)
            return all(_applied(_COMPARE[type(op)], a, b) for op, a, b in pairs)
    raise UsageError(f"--query: cannot read '{visible(ast.unparse(node), 50)}'")


def _nuclides(value: Any) -> Any:
    """Nuclei as tables spell them, alone or in a list."""
    if isinstance(value, list):
        return [_nuclides(one) for one in value]
    return SPECIES.get(find_element(value) or "", value) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    if isinstance(value, str | list):
        raise UsageError(f"--query: {visible(repr(value), 30)} is no number")
    return value


def _applied(function: Callable[..., Any], *values: Any) -> Any:
    if None in values:
        return None
    try:
        return function(*values)
    except (TypeError, ArithmeticError) as error:
        shown = " and ".join(visible(repr(value), 30) for value in values)
        raise UsageError(f"--query: cannot compare {shown}") from error
