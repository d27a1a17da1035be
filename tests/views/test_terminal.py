"""Tables fit a terminal of 80 columns, whatever names and files are called."""

from io import StringIO

import pytest
from rich.console import Console

from shiftcli.results.tables import Column, Table
from shiftcli.views.terminal import at_commas, lines, plain_text, shortened

PPM = [Column(key, key, "ppm", 2) for key in ("σ/ppm", "±68 %", "±95 %", "δ/ppm")]
COLUMNS = (Column("labels"), Column("species"), Column("multiplicity", "mult."), *PPM,
           Column("flags"))  # fmt: skip


def shown(table, width=80):
    stream = StringIO()
    console = Console(file=stream, width=width, color_system=None)
    console.print(*lines(table, width), sep="\n")
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("label", "flags"),
    [
        ("H1", ()),
        ("H11,H12,H13,H14,H15,H16", ("hydrogen-normalised", "other-elements-ignored")),
        ("H" * 60, ("near-other-element",)),
        ("H1\u202e\x1b[1m", ("atoms-overlap",) * 4),
    ],
)
def test_tables_fit(label, flags):
    rows = [(label, "13C", 16, -1234.567, 12.3, 123.4, 1234.5, flags)] * 2
    title = "/a/very/long/folder/of/structures/from/somewhere/else/structure-000001.cif: structure"
    found = shown(Table("sites", COLUMNS, rows, title, "C26 H52 O10, Z = 8, model compact"))
    assert max(map(len, found)) <= 80
    assert found[0].startswith("/a/")
    assert "…" in found[0]
    assert found[0].endswith("structure  C26 H52 O10, Z = 8, model compact")
    text = "".join(found)
    assert "-1234.57" in text  # no number is cut
    assert not set(text) & set("\u202e\x1b")


def test_groups_break_between_names():
    assert at_commas("H11,H12,H13,H14") == "H11,H12,H13,\nH14"
    assert at_commas("one flag, two") == "one flag, two"


def test_paths_lose_their_middle():
    columns = (Column("candidate"), *(Column(f"{k}C RMSE", decimals=3) for k in range(9)))
    rows = [(f"candidates/some/folder/structure-{k}.cif", *[1.0] * 9) for k in range(3)]
    found = shown(Table("c", columns, rows))
    assert max(map(len, found)) <= 80
    assert [line.split()[0][-6:] for line in found[-3:]] == ["-0.cif", "-1.cif", "-2.cif"]
    assert shortened("abcdefghij", 7) == "ab…ghij"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_numbers_are_never_cut(width):
    """What has no room stands below, behind the same first words."""
    figures = [
        column
        for k in range(9)
        for column in (
            Column(f"error {k} of all", spread=f"spread {k}", decimals=3),
            Column(f"spread {k}", decimals=2),
        )
    ]
    columns = (Column("environment"), Column("n", "atoms"), *figures, Column("flags"))
    rows = [
        (kind, 12345, *(1000 * k + 0.125 for k in range(18)), ("unseen-environment",))
        for kind in ("aromatic/olefinic C-H", "nitro")
    ]
    found = shown(Table("errors", columns, rows), width)
    assert max(map(len, found)) <= width
    assert all(f"{2000 * k}.125 ± {2000 * k + 1000}.12" in "\n".join(found) for k in range(9))
    parts = sum("───" in line for line in found)
    assert sum(line.startswith("nitro") for line in found) == parts > 1


def test_a_table_without_rows_has_its_notes():
    assert shown(Table("sites", COLUMNS, [], "a.cif", notes=("below",))) == ["a.cif", "below"]


def test_files_get_the_whole_width():
    rows = [("a" * 100, "1H", 1, 1.0, 1.0, 1.0, 1.0, ())]
    (text,) = plain_text([Table("sites", COLUMNS, rows, "t", notes=("below",))])
    assert "a" * 100 in text
    assert text.endswith("below\n\n")
