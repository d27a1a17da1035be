"""Rows, columns and order of a table, from words; a query is never code."""

import pytest

from shiftcli.errors import UsageError
from shiftcli.results.choice import NOTHING, Choice
from shiftcli.results.tables import Column, Document, Entry, Table

TABLE = Table(
    "sites",
    (
        Column("labels"), Column("species"),
        Column("shielding", "σ/ppm", "ppm", 1, name="MS_shielding/ppm"), Column("shift"),
        Column("flags"), Column("model", None),
    ),
    [
        ("C1", "13C", 50.04, 118.0, (), "m"),
        ("H11,H12", "1H", 29.0, None, ("moved",), "m"),
        ("H2", "1H", 22.0, 8.0, (), "m"),
        ("O1", "17O", 50.0, None, (), "m"),
    ],
    atoms=[[0], [1, 2], [3], [4]],
)  # fmt: skip


def labels(**words):
    return [row[0] for row in Choice(**words).of(TABLE, (1, 1, 2, 2)).rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('species == "1H" and shielding > 25', ["H11,H12"]),
        ("species == '1H' & shielding > 25", None),  # & binds tighter, as in Python
        ("(species == '1H') & (shielding > 25)", ["H11,H12"]),
        ("(species == '1H') | ~(shielding < 50)", ["C1", "H11,H12", "H2", "O1"]),
        ("20 < MS_shielding <= 29", ["H11,H12", "H2"]),
        ("shift > 5", ["C1", "H2"]),  # what has no shift is not above 5
        ("not shift", ["H11,H12", "O1"]),
        ("species in ['13C', '17O']", ["C1", "O1"]),
        ("species == 'carbon' or 'proton' == species", ["C1", "H11,H12", "H2"]),
        ("species not in ['C13', '¹H', 'x']", ["O1"]),
        ("'moved' in flags", ["H11,H12"]),
        ("shielding + -2 * 1 == 48", ["C1", "O1"]),  # as they are shown
    ],
)
def test_queries(query, found):
    if found is None:
        with pytest.raises(UsageError, match="need brackets"):
            labels(query=query)
    else:
        assert labels(query=query) == found


@pytest.mark.parametrize(
    "query",
    [
        "__import__('os').system('true')", "labels.__class__", "[x for x in labels]", "lambda: 1",
        "shielding ** 9999", "labels[0]", "shielding >", "labels := 1", "f'{labels}'", "x", "1;2",
        "'a' * 999999999", "shielding > 'a'", "(" * 300, "-" * 4000 + "1", "shielding / 0", "\0",
    ],
)  # fmt: skip
def test_anything_else_is_refused(query):
    with pytest.raises(UsageError):
        Choice(query=query).of(TABLE)


def test_deep_queries_are_understood():
    assert len(labels(query="-" * 398 + "1")) == len(labels(query="not " * 98 + "1")) == 4


def test_subsets():
    assert labels(subset=("H",)) == ["H11,H12", "H2"]
    assert labels(subset=("H12", "13c")) == ["C1", "H11,H12"]
    assert labels(subset=("mol2",)) == ["H2", "O1"]
    assert labels(subset=("C9",)) == []


def test_order():
    assert labels(sort=("shielding",)) == ["H2", "H11,H12", "C1", "O1"]
    assert labels(sort=("-shielding", "-labels")) == ["O1", "C1", "H11,H12", "H2"]
    assert labels(sort=("-shift",)) == ["C1", "H2", "H11,H12", "O1"]  # nothing comes last


def test_columns():
    table = Choice(columns=("MS_shielding", "labels", "model"), subset=("C",)).of(TABLE)
    assert table.rows == [(50.04, "C1", "m")]
    assert table.atoms == [[0]]
    assert [column.key for column in table.shown()[0]] == ["shielding", "labels", "model"]


@pytest.mark.parametrize("words", [{"sort": ("x",)}, {"columns": ("x",)}, {"query": "x > 1"}])
def test_unknown_columns_are_refused_before_the_work(words):
    with pytest.raises(UsageError, match="no column 'x'"):
        Choice(**words).check(TABLE.columns)


def test_a_choice_that_leaves_nothing_says_so():
    document = Document({}, [Entry({"file": "a.cif", "notes": ["kept"]}, (TABLE,))])
    (entry,) = Choice(query="shielding > 1000").of_document(document).entries
    assert entry.notes == ("kept", NOTHING)
    (entry,) = Choice(query="shielding > 25").of_document(document).entries
    assert entry.notes == ("kept",)
