"""SDF and mol files, and the tables of shifts beside them."""

import gzip
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import iter_structures, read
from shiftcli.structure.crystal import ELEMENTS

DFT8K = Path(__file__).parents[3] / "shared" / "data" / "dft8k" / "DFT.sdf.gz"

WATER = """water
  by hand           3D

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1173 O   0  0  0  0
    0.0000    0.7572   -0.4692 H   0  0  0  0
    0.0000   -0.7572   -0.4692 D   0  0  0  0
  1  2  1  0
  1  3  1  0
M  END
"""
WATER_V3000 = """water
  by hand           3D

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 3 2 0 0 0
M  V30 BEGIN ATOM
M  V30 1 O 0 0 0.1173 0
M  V30 2 H 0 0.7572 -
M  V30 -0.4692 0
M  V30 7 D 0 -0.7572 -0.4692 0 CHG=0
M  V30 END ATOM
M  V30 BEGIN BOND
M  V30 1 1 1 2
M  V30 2 1 1 7
M  V30 END BOND
M  V30 END CTAB
M  END
"""
ANION = """anion
  by hand           3D

  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 O   0  5  0  0
    0.9600    0.0000    0.0000 H   0  0  0  0
  1  2  1  0
M  CHG  1   1  -1
M  END
> <energy>
-75.1

"""
TABLE = """,mol_id,atom_type,atom_index,Shift
0,water,8,0,-40.0
1,water,1,1,1.5
2,water,1,2,1.75
3,anion,1,1,-3.5
"""


def put(folder, text, name="m.sdf"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def sdf(*records):
    return "".join(record + "$$$$\n" for record in records)


@pytest.mark.parametrize("text", [WATER, WATER_V3000, WATER.replace("\n", "\r\n")])
def test_atoms_of_a_record(tmp_path, text):
    (molecule,) = read(put(tmp_path, text, "m.mol"))
    assert molecule.name == "water"
    assert molecule.elements.tolist() == ["O", "H", "H"]
    assert molecule.labels == ("O1", "H1", "H2")
    assert molecule.cell is None
    assert molecule.warnings == ("no unit cell: predicted as an isolated molecule",)
    assert (molecule.shieldings, molecule.level) == (None, "")
    np.testing.assert_array_equal(
        molecule.positions, [[0, 0, 0.1173], [0, 0.7572, -0.4692], [0, -0.7572, -0.4692]]
    )


@pytest.mark.parametrize("name", ["m.sdf", "m.SDF.gz", "m.mol", "unnamed"])
def test_records_by_suffix_or_content(tmp_path, name):
    text = sdf(WATER, WATER_V3000.replace("water", "", 1), ANION) + "\n"
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    else:
        put(tmp_path, text, name)
    assert [(m.name, len(m)) for m in read(tmp_path / name)] == [
        ("water", 3), ("#2", 3), ("anion", 2),
    ]  # fmt: skip


def test_columns_that_touch_in_the_counts_line(tmp_path):
    atoms = "".join(f"{k:10.4f}    0.0000    0.0000 C   0\n" for k in range(100))
    bonds = "  1100  1  0\n" * 120
    text = f"long\n\n\n100120  0  0  0  0999 V2000\n{atoms}{bonds}M  END\n"
    (molecule,) = read(put(tmp_path, text))
    assert len(molecule) == 100


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("O   0", "Jq  0", "atom 1: no element is called 'Jq'"),
        ("    0.7572", "    0.75.2", "atom 2: coordinates '0.0000 0.75.2 -0.4692' are no numbers"),
        ("    0.7572", "       nan", "atom 2: coordinates '0.0000 nan -0.4692' are no numbers"),
        ("  3  2", "  9  2", "cut off: 9 atoms are announced, 5 follow|no element"),
        ("  3  2", " 99  2", "cut off: 99 atoms are announced, 5 follow"),
        ("  3  2", "three ", "the fourth line should count the atoms but is 'three"),
        ("  3  2", "  0  0", "more than the 0 atoms and 0 bonds announced"),
        ("  3  2", "  2  2", "2 atoms and 2 bonds are announced, but '0.0000 -0.7572"),
        ("  3  2", "  3  3", "3 atoms and 3 bonds are announced, but 'M END' is no bond"),
        ("  3  2", "  3  1", "more than the 3 atoms and 1 bonds announced: '1 3 1 0'"),
        ("  1  3  1", "  1  4  1", "but '1 4 1 0' is no bond of them"),
        ("    0.7572", "     0_7.5", "coordinates '0.0000 0_7.5 -0.4692' are no numbers"),
        ("M  END\n", "", "cut off: no M  END"),
        (WATER[WATER.index("  by") :], "  by\n", "cut off: a record has a counts line"),
        (WATER[WATER.index("    0.0000    0.0000") :], "    0.0\n", "cut off: 3 .*, 0 follow"),
    ],
)
def test_a_broken_record_does_not_hide_the_others(tmp_path, old, new, match):
    assert old in WATER
    items = list(iter_structures(put(tmp_path, sdf(ANION, WATER.replace(old, new, 1), ANION))))
    assert [isinstance(item, ReadError) for item in items] == [False, True, False]
    with pytest.raises(ReadError, match=match):
        raise items[1]
    assert "water" in str(items[1])
    assert "\n" not in str(items[1])


def test_errors_say_which_record(tmp_path):
    path = put(tmp_path, sdf(ANION, WATER.replace("O   0", "R#  0"), "\nx"))
    _, first, second = iter_structures(path)
    assert str(first) == f"{path}: record 2 (water): atom 1: no element is called 'R#'"
    assert str(second).startswith(f"{path}: record 3: cut off")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("M  V30 END ATOM\n", "", "cut off: no BEGIN ATOM"),
        ("M  V30 BEGIN ATOM\n", "", "cut off: no BEGIN ATOM"),
        (" -0.7572 -0.4692 0 CHG=0", "", "atom 3: an index, a symbol and three coordinates"),
        ("1 O 0", "1 [C,N] 0", "atom 1: no element is called"),
        ("1 O 0", "1 O x", "atom 1: coordinates 'x 0 0.1173' are no numbers"),
    ],
)
def test_broken_v3000(tmp_path, old, new, match):
    with pytest.raises(ReadError, match=match):
        read(put(tmp_path, WATER_V3000.replace(old, new, 1)))


def test_a_drawing_is_no_geometry(tmp_path):
    flat = WATER.replace("3D", "2D", 1)
    assert len(read(put(tmp_path, flat))) == 1  # it has heights, whatever it is called
    for height in ("    0.1173", "   -0.4692"):
        flat = flat.replace(height, "    0.0000")
    with pytest.raises(ReadError, match="a drawing in the plane"):
        read(put(tmp_path, flat))
    assert len(read(put(tmp_path, flat.replace("2D", "3D", 1)))) == 1


@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz", "DFT1.csv", "m.CSV"])
def test_shifts_of_the_table_become_shieldings(tmp_path, name):
    put(tmp_path, TABLE, name.lower() if name.endswith("gz") else name)
    water, anion = read(put(tmp_path, sdf(WATER, ANION), "m.sdf.gz"))
    np.testing.assert_array_equal(water.shieldings, [40, -1.5, -1.75])
    np.testing.assert_array_equal(anion.shieldings, [np.nan, 3.5])
    assert water.level == anion.level == name.split(".")[0]
    assert len(water.warnings) == len(anion.warnings) == 1


def test_table_of_the_same_name_is_preferred_to_others(tmp_path):
    put(tmp_path, TABLE.replace("1.5", "9.5"), "a.csv")
    put(tmp_path, "file,labels,MS_shielding/ppm\nx,H1,3\n", "results.csv")
    put(tmp_path, "\x00\xff", "broken.csv")
    (tmp_path / "broken.csv.gz").write_bytes(b"\x1f\x8bnonsense")
    path = put(tmp_path, WATER)
    assert read(path)[0].shieldings[1] == -9.5
    put(tmp_path, TABLE, "m.csv")
    assert read(path)[0].shieldings[1] == -1.5
    (tmp_path / "m.csv").unlink()
    put(tmp_path, TABLE, "b.csv")
    with pytest.raises(ReadError, match=r"2 tables could label it: a.csv, b.csv .*m\.csv"):
        read(path)


def test_shieldings_win_over_shifts_and_a_column_can_be_named(tmp_path):
    path = put(tmp_path, WATER)
    put(tmp_path, "mol_id,atom_index,shift,sigma/ppm,q\nwater,0,1,330,0.5\n", "m.csv")
    assert read(path)[0].shieldings[0] == 330
    assert read(path, shielding_column="q")[0].shieldings[0] == 0.5
    assert read(path, shielding_column="shift")[0].shieldings[0] == -1
    with pytest.raises(ReadError, match=r"no column 'x' \(the table has mol_id, atom_index, sh"):
        read(path, shielding_column="x")


def test_oddities_of_a_table_are_warnings(tmp_path):
    put(
        tmp_path,
        TABLE + "4,water,1,1,1.5\n5,water,1,2,1.8\n6,water,1,3,2\n7,methane,6,0,1\n8,water,8,0,\n",
        "m.csv",
    )  # fmt: skip
    twice = ANION.replace("anion", "twice")
    water, anion, ether, *others = read(
        put(tmp_path, sdf(WATER, ANION, ANION.replace("anion", "ether"), twice, twice))
    )
    np.testing.assert_array_equal(water.shieldings, [np.nan, -1.5, np.nan])
    assert water.warnings[1:] == (
        "m.csv has several rows for no. 1, no. 2, no. 3: no label where they differ",
        "m.csv has rows for atoms beyond the molecule: 3",
        "m.csv has rows for molecules not in this file: methane",
    )
    assert len(anion.warnings) == 1
    assert ether.shieldings is None
    assert ether.warnings[1:] == ("m.csv has no row for this molecule",)
    for molecule in others:
        assert molecule.shieldings is None
        assert molecule.warnings[1:] == ("not labelled: 2 records have this name",)


def test_table_of_many_files_is_no_news(tmp_path):
    put(tmp_path, TABLE, "all.csv")
    assert len(read(put(tmp_path, WATER, "water.mol"))[0].warnings) == 1
    assert read(put(tmp_path, ANION, "anion.mol"))[0].shieldings[1] == 3.5


@pytest.mark.parametrize("kind", ["1", "H", "6", "Xx", "999"])
def test_another_element_refuses_the_record(tmp_path, kind):
    put(tmp_path, TABLE.replace("0,water,8", f"0,water,{kind}"), "m.csv")
    error, anion = iter_structures(put(tmp_path, sdf(WATER, ANION)))
    assert f"record 1 (water): line 2 of m.csv has atom_type '{kind}' for atom 0" in str(error)
    assert anion.shieldings[1] == 3.5


@pytest.mark.parametrize("kind", ["O", "o", "8", ""])
def test_the_same_element_in_any_notation(tmp_path, kind):
    put(tmp_path, TABLE.replace("0,water,8", f"0,water,{kind}"), "m.csv")
    assert read(put(tmp_path, WATER))[0].shieldings[0] == 40


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("1,water,1,1,1.5", "1,water,1,1", "line 3: 4 fields under a header of 5"),
        ("1.75", "1,75", "line 4: 6 fields under a header of 5"),
        ("1.75", "high", "line 4: 'high' is no value in ppm"),
        ("1.75", "inf", "line 4: 'inf' is no value in ppm"),
        ("1,1,1.5", "1,-1,1.5", "line 3: atom_index '-1' is no whole number"),
        ("1,1,1.5", "1,1.0,1.5", "line 3: atom_index '1.0' is no whole number"),
        ("3,anion", "3, ", "line 5: the mol_id is empty"),
        ("3,anion", '3,"anion', "line 5: unexpected end of data"),
    ],
)
def test_malformed_tables_name_the_line(tmp_path, old, new, match):
    assert old in TABLE
    put(tmp_path, TABLE.replace(old, new, 1), "m.csv")
    (item,) = iter_structures(put(tmp_path, sdf(WATER, ANION)))
    assert isinstance(item, ReadError)
    assert str(item).startswith(str(tmp_path / "m.csv"))
    with pytest.raises(ReadError, match=match):
        raise item


def test_a_changed_table_is_read_again(tmp_path):
    path = put(tmp_path, WATER)
    put(tmp_path, TABLE, "m.csv")
    assert read(path)[0].shieldings[1] == -1.5
    put(tmp_path, TABLE.replace("1.5", "12.5"), "m.csv")
    assert read(path)[0].shieldings[1] == -12.5


@pytest.mark.skipif(not DFT8K.is_file(), reason="the published molecules are not here")
def test_the_published_molecules():
    start = time.process_time()
    items = list(iter_structures(DFT8K))
    assert time.process_time() - start < 60
    molecules = [item for item in items if not isinstance(item, ReadError)]
    # The table has one molecule that the file lacks, and mixes two for each of five others.
    assert (len(items), len(molecules)) == (7454, 7449)
    assert {m.level for m in molecules} == {"DFT8K"}
    assert sum(set(m.elements.tolist()) <= set(ELEMENTS) for m in molecules) == 4455
    warnings = Counter(text for m in molecules for text in m.warnings[1:])
    assert warnings == {"DFT8K.csv.gz has rows for molecules not in this file: 20176318": 1}
    (one,) = (m for m in molecules if m.name == "2192")
    assert one.shieldings[0] == -107.01141034530998
    assert np.isnan(one.shieldings[16])
    assert all((m.elements[np.isfinite(m.shieldings)] != "O").all() for m in molecules)
