"""Tables: numbers are rounded once, people see what says something, records nest."""

import math

import pytest

from shiftcli.results.tables import Column, Document, Entry, Table

COLUMNS = (
    Column("labels"),
    Column("shielding", "σ/ppm", "ppm", 2, name="MS_shielding/ppm", spread="error"),
    Column("error", "±", "ppm", 2),
    Column("rmse.1H", "1H RMSE", decimals=1),
    Column("flags"),
    Column("hash", None),
)
ROWS = [
    ("C1", 5.006, 0.5, 1.26, ("a", "b"), "0a"),
    ("H\x1b1", -0.001, None, math.nan, (), "0b"),
]
TABLE = Table("sites", COLUMNS, ROWS, "urea.cif: urea", "C H4 N2 O")


def test_records_are_rounded_and_nest():
    assert TABLE.records() == [
        {"labels": "C1", "shielding": 5.01, "error": 0.5, "rmse": {"1H": 1.3},
         "flags": ("a", "b"), "hash": "0a"},
        {"labels": "H\x1b1", "shielding": 0.0, "error": None, "rmse": {"1H": None},
         "flags": (), "hash": "0b"},
    ]  # fmt: skip
    assert math.copysign(1, TABLE.records()[1]["shielding"]) == 1  # no −0.0


def test_people_see_heads_errors_and_no_controls():
    columns, cells = TABLE.shown()
    assert [column.head for column in columns] == ["labels", "σ/ppm", "1H RMSE", "flags"]
    assert cells == [["C1", "5.01 ± 0.50", "1.3", "a b"], ["H\\x1b1", "0.00", "", ""]]


def test_columns_that_say_nothing_are_left_out():
    table = Table("t", (Column("a"), Column("b")), [("x", None), ("y", "")])
    assert [column.key for column in table.shown()[0]] == ["a"]


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (Column("a", digits=3), 1234.5, "1.23e+03"),
        (Column("a", decimals=1, signed=True), 2.04, "+2.0"),
        (Column("a"), True, "yes"),
        (Column("a"), False, ""),
        (Column("a", decimals=2), math.inf, ""),
        (Column("a", show=lambda v: f"<{v}>"), 1, "<1>"),
    ],
)
def test_text_of_a_value(column, value, text):
    assert column.text(value) == text


def test_spreadsheets_have_file_name_and_notes_in_every_row():
    about = {"file": "a.cif", "name": "a", "warnings": ("one",), "notes": ("two",)}
    heads, rows = Entry(about, (TABLE,)).flat()
    assert heads == [
        "file", "name", "labels", "MS_shielding/ppm", "error/ppm", "rmse.1H", "flags", "hash",
        "notes",
    ]  # fmt: skip
    assert next(rows) == ["a.cif", "a", "C1", 5.01, 0.5, 1.3, "a b", "0a", "one; two"]


def test_rows_named_by_a_column():
    table = Table("fits", (Column("species"), Column("n")), [("1H", 3)], index="species")
    assert Entry({"file": "a"}, (table,)).record() == {"file": "a", "fits": {"1H": {"n": 3}}}


def test_empty_tables_are_not_shown():
    empty = Table("t", (Column("a"),), [])
    document = Document({}, [Entry({"warnings": ("one",)}, (TABLE, empty))])
    assert list(document.tables(notes=False)) == [TABLE]
    (table,) = document.tables()
    assert table.notes == ("note: one",)
