"""Files become labelled crystals, each level of theory numbered by itself."""

from pathlib import Path, PureWindowsPath

import pytest

from shiftcli.errors import TrainingError, UsageError
from shiftcli.training.sources import load_levels, split_level

UREA = Path(__file__).parents[2] / "examples" / "urea.cif"

FRAME = """2
Lattice="2.7 0 0 0 2.7 0 0 0 2.7" Properties=species:S:1:pos:R:3:CS:R:1 NAME={name}
O 0 0 0 {shielding}
H 1 0 0 25.0
"""
BARE = '2\nLattice="2.7 0 0 0 2.7 0 0 0 2.7" NAME=bare\nO 0 0 0\nH 1 0 0\n'
BROKEN = '2\nLattice="2.7 0 0 0 2.7 0 0 0 2.7" NAME=broken\nO 0 0 oops\nH 1 0 0\n'
MOLECULE = """{name}


  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 {element:<3} 0  0
    1.0000    0.0000    0.0000 H   0  0
  1  2  1  0
M  END
$$$$
"""


def frame(name, shielding=100.0):
    return FRAME.format(name=name, shielding=shielding)


def molecules(folder, *elements):
    """An SDF with a table DFT.csv, molecules m0, m1, … that hold one element and hydrogen."""
    records = [MOLECULE.format(name=f"m{k}", element=e) for k, e in enumerate(elements)]
    (folder / "DFT.sdf").write_text("".join(records))
    rows = [f"m{k},1,{k + 0.5}\n" for k in range(len(elements))]
    (folder / "DFT.csv").write_text("mol_id,atom_index,Shift\n" + "".join(rows))
    return folder / "DFT.sdf"


@pytest.fixture
def crystals(tmp_path):
    path = tmp_path / "crystals.xyz"
    path.write_text(
        frame("A") + BARE + frame("B") + BROKEN + frame("C") + frame("D").replace("H", "Cl")
    )
    return path


def names(crystals):
    return {k: crystal.name for k, crystal in crystals.items()}


def test_left_out_structures_keep_their_numbers_and_are_told(crystals):
    notes = []
    labelled = load_levels([crystals], notes.append)
    assert names(labelled.main) == {0: "A", 2: "B", 4: "C"}
    assert labelled.auxiliary == {}
    assert labelled.level == ""
    assert labelled.problems == tuple(notes)
    assert "frame 4: not a readable XYZ frame" in notes[0]
    assert notes[1:] == [
        "left out: 1 structure without shieldings",
        "left out: 1 structure with elements other than H, C, N and O",
    ]
    assert names(load_levels([crystals]).main) == names(labelled.main)


@pytest.mark.parametrize("first", ["crystals", "molecules"])
def test_levels_do_not_move_each_other(crystals, tmp_path, first):
    path = molecules(tmp_path, "C", "Si", "N")
    data = [crystals, path] if first == "crystals" else [path, crystals]
    labelled = load_levels(data)
    numbered = {"crystals": {0: "A", 2: "B", 4: "C"}, "molecules": {0: "m0", 2: "m2"}}
    main = numbered.pop(first)
    (other,) = numbered.values()
    assert names(labelled.main) == main
    assert [names(crystals) for crystals in labelled.auxiliary.values()] == [other]
    assert (labelled.level, *labelled.auxiliary) == (
        ("", "DFT") if first == "crystals" else ("DFT", "")
    )
    assert any("left out: 1 structure with elements" in text for text in labelled.problems)
    assert names(load_levels(data).main) == main


def test_folder_with_both(crystals, tmp_path):
    molecules(tmp_path, "C")
    labelled = load_levels([tmp_path])  # DFT.sdf comes before crystals.xyz
    assert labelled.level == "DFT"
    labelled = load_levels([crystals, tmp_path])  # the crystals first, and once
    assert names(labelled.main) == {0: "A", 2: "B", 4: "C"}
    assert names(labelled.auxiliary["DFT"]) == {0: "m0"}


def test_unlabelled_files_before_the_first_labelled_one(crystals, tmp_path):
    labelled = load_levels([UREA, molecules(tmp_path, "C"), crystals])
    assert labelled.level == "DFT"
    # The urea has no level, and counts with the crystals that have none.
    assert names(labelled.auxiliary[""]) == {1: "A", 3: "B", 5: "C"}


def test_levels_by_name(crystals, tmp_path):
    path = molecules(tmp_path, "C")
    labelled = load_levels([f"PBE={crystals}", f"PBE0={path}"])
    assert labelled.level == "PBE"
    assert {c.level for c in labelled.main.values()} == {"PBE"}
    assert labelled.auxiliary["PBE0"][0].level == "PBE0"
    assert "PBE: left out: 1 structure without shieldings" in labelled.problems
    # Naming a file wins over the folder that holds it, whichever comes first.
    assert load_levels([tmp_path, f"X={crystals}"]).auxiliary.keys() == {"X"}
    assert load_levels([f"X={crystals}", tmp_path]).level == "X"
    with pytest.raises(UsageError, match="is given as level 'X' and as level 'Y'"):
        load_levels([f"X={crystals}", f"Y={tmp_path}"])


def test_level_or_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_level("PBE0=a.xyz") == ("PBE0", "a.xyz")
    assert split_level("B3LYP(d,p)=sets/a=b.xyz") == ("B3LYP(d,p)", "sets/a=b.xyz")
    assert split_level(Path("PBE0=sets/a.xyz")) == ("PBE0", str(Path("sets/a.xyz")))
    Path("PBE0=a.xyz").write_text(frame("A"))
    assert split_level("PBE0=a.xyz") == ("", "PBE0=a.xyz")
    assert split_level("PBE0=*.xyz") == ("", "PBE0=*.xyz")
    assert split_level("PBE0=*.cif") == ("PBE0", "*.cif")
    for text in ("a.xyz", "sets/a=b.xyz", "./a=b.xyz", "[a]=b.xyz", "a=", "=a"):
        assert split_level(text) == ("", text)


def test_drive_letters_are_no_levels():
    for path in (r"C:\sets\a.xyz", r"C:\a=b.xyz", r"C:a=b.xyz"):
        assert split_level(path) == ("", path)
    entry = str(PureWindowsPath(r"DFT=C:\sets\a.xyz"))
    assert split_level(entry) == ("DFT", r"C:\sets\a.xyz")


def test_column_by_request(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(frame("A").replace("CS:R", "own:R"))
    with pytest.raises(TrainingError, match="no structure in the data has shieldings"):
        load_levels([path])
    (crystal,) = load_levels([path], shielding_column="own").main.values()
    assert crystal.shieldings.tolist() == [100, 25]
    assert load_levels([path], shielding_column="own").main.keys() == {0}


def test_format_by_request(tmp_path):
    path = tmp_path / "a.data"
    path.write_text(frame("A"))
    (crystal,) = load_levels([path], format="extxyz").main.values()
    assert crystal.name == "A"
    with pytest.raises(TrainingError, match="no structure in the data has shieldings"):
        load_levels([path], format="cif")


def test_warnings_are_one_line_a_level(tmp_path):
    path = molecules(tmp_path, "C", "N", "O")
    with open(tmp_path / "DFT.csv", "a") as handle:
        handle.write("m0,7,1.0\nm1,9,1.0\n")
    (line,) = load_levels([path]).problems
    assert line == (
        f"DFT: structures with warnings: 2, first {path}: m0: "
        "DFT.csv has rows for atoms beyond the molecule: 7"
    )


def test_nothing_to_learn_from(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(frame("A").replace("O 0", "S 0"))
    with pytest.raises(TrainingError, match="no structure of H, C, N and O in the data has"):
        load_levels([path])


def test_data_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = tmp_path / "a.xyz"
    good.write_text(frame("A"))
    (tmp_path / "empty").mkdir()
    for place in ("missing", "DFT=missing", "*.cif", "x" * 2000):
        # And not a structure less, which would move all others between the parts.
        with pytest.raises(UsageError, match=r"the data '.+' is not there"):
            load_levels([place, good])
    with pytest.raises(UsageError, match="the data 'empty' has no structure files"):
        load_levels([good, "empty"])


def test_digest_is_of_what_is_learned_from(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(frame("A"))
    digest = load_levels([path]).digest()
    assert digest == load_levels([path]).digest()
    assert digest != load_levels([f"B={path}"]).digest()
    labelled = load_levels([path])
    (crystal,) = labelled.main.values()
    for values in (crystal.positions, crystal.shieldings):
        values.flags.writeable = True
        values.flat[0] += 1e-3
        assert labelled.digest() != digest
        digest = labelled.digest()
