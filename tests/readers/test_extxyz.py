"""Extended XYZ."""

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import read_text

LATTICE = 'Lattice="5 0 0 0 6 0 0 0 7"'
FRAME = f"""3
{LATTICE} Properties=species:S:1:pos:R:3:CS:R:2 NAME=WATER
O\t1.0 1.0 1.0 250.0 251.5
H 1.9 1.0 1.0 25.0 25.5
H 0.8 1.9 1.0 26.0 26.5
"""
PLAIN = "3\nwater = it's odd \"text\nO 1 1 1\nH 1.9 1 1\nD 0.8 1.9 1\n"


def frames(text, **options):
    return list(read_text(text, "extxyz", "f.xyz", **options))


def notes(crystal):
    """The warnings, but for that of the space: the cells here are roomy."""
    return tuple(text for text in crystal.warnings if "Å³ for each atom" not in text)


def one(text, **options):
    (item,) = frames(text, **options)
    if isinstance(item, ReadError):
        raise item
    return item


def test_cell_name_shieldings_and_baseline():
    crystal = one(FRAME)
    assert crystal.name == "WATER"
    assert sorted(crystal.labels) == ["H1", "H2", "O1"]
    assert notes(crystal) == ()
    np.testing.assert_array_equal(crystal.shieldings, [250, 25, 26])
    np.testing.assert_array_equal(crystal.baseline, [251.5, 25.5, 26.5])
    np.testing.assert_array_equal(np.diag(crystal.cell), [5, 6, 7])


@pytest.mark.parametrize(
    "name", ["CS", "cs_iso", "sigma", "ms", "shielding", "MS_shielding", "MS_shielding/ppm"]
)
def test_names_of_the_shielding_column(name):
    text = FRAME.replace("CS:R:2", f"x:R:1:{name}:R:1")
    crystal = one(text)
    np.testing.assert_array_equal(crystal.shieldings, [251.5, 25.5, 26.5])
    assert crystal.baseline is None


def test_tensor_gives_its_isotropic_part():
    text = FRAME.replace("CS:R:2", "ms:R:9")
    for values in ("250.0 251.5", "25.0 25.5", "26.0 26.5"):
        text = text.replace(values, "10 1 2 3 20 4 5 6 60")
    np.testing.assert_allclose(one(text).shieldings, 30)


def test_column_by_request():
    text = FRAME.replace("CS:R:2", "first:R:1:second:R:1")
    assert one(text).shieldings is None
    np.testing.assert_array_equal(
        one(text, shielding_column="second").shieldings, [251.5, 25.5, 26.5]
    )
    with pytest.raises(ReadError, match=r"no column 'third' \(the file has first, second\)"):
        one(text, shielding_column="third")


@pytest.mark.parametrize("name", ["charge", "charges", "magmom", "masses", "tags", "second"])
def test_column_by_a_name_that_ase_takes_for_its_own(name):
    text = FRAME.replace("CS:R:2", f"first:R:1:{name}:R:1")
    np.testing.assert_array_equal(one(text, shielding_column=name).shieldings, [251.5, 25.5, 26.5])
    assert one(text, shielding_column="first").shieldings[0] == 250.0


@pytest.mark.parametrize("name", ["pos", "species"])
def test_column_that_makes_the_structure_is_none_of_shieldings(name):
    with pytest.raises(ReadError, match=f"no column '{name}'"):
        one(FRAME, shielding_column=name)


def test_column_of_forces_is_none_of_shieldings():
    text = FRAME.replace("CS:R:2", "forces:R:3")
    for values in ("250.0 251.5", "25.0 25.5", "26.0 26.5"):
        text = text.replace(values, "1 2 3")
    with pytest.raises(ReadError, match="column 'forces' holds no shieldings"):
        one(text, shielding_column="forces")


def test_column_of_a_strange_width_is_left_out():
    crystal = one(FRAME.replace("CS:R:2", "x:R:1:CS:S:1"))
    assert crystal.shieldings is None
    assert "'CS' holds no shieldings" in crystal.warnings[0]


@pytest.mark.parametrize("text", [PLAIN, FRAME.replace(" NAME", ' pbc="F F F" NAME')])
def test_without_a_lattice_it_is_a_molecule(text):
    crystal = one(text)
    assert crystal.cell is None
    news = ('pbc is "F F F": the Lattice is not used',) if "Lattice" in text else ()
    assert notes(crystal) == ("no unit cell: predicted as an isolated molecule", *news)
    assert crystal.elements.tolist() == ["O", "H", "H"]


def test_slab_is_taken_as_a_crystal_with_a_warning():
    crystal = one(FRAME.replace(" NAME", ' pbc="T T F" NAME'))
    assert crystal.cell is not None
    assert "pbc T T F" in crystal.warnings[0]


def test_labels_isotopes_and_numbers_as_species():
    assert one(PLAIN).name == "water = it's odd \"text"
    crystal = one(PLAIN.replace("O 1", "O1W 1").replace("H 1", "HA 1"))
    assert crystal.labels == ("O1W", "HA", "H2")
    assert crystal.elements.tolist() == ["O", "H", "H"]
    assert one(PLAIN.replace("O 1", "8 1")).elements[0] == "O"
    labelled = FRAME.replace("CS:R:2", "labels:S:1:CS:R:1").replace(" 250.0", " O7a")
    assert one(labelled.replace(" 25.0", " H7a").replace(" 26.0", " H7b")).labels == (
        "O7a", "H7a", "H7b",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("species", "indices", "labels"),
    [
        ("O H H", "1 1 2", ("O1", "H1", "H2")),
        ("O H1 H1", "1 1 2", ("O1", "H1_1", "H1_2")),
    ],
)
def test_label_and_index_as_in_magres(species, indices, labels):
    text = FRAME.replace("CS:R:2", "labels:S:1:indices:I:1")
    for old, *new in zip(
        ("250.0 251.5", "25.0 25.5", "26.0 26.5"), species.split(), indices.split(), strict=True
    ):
        text = text.replace(old, " ".join(new))
    crystal = one(text)
    assert crystal.labels == labels
    assert notes(crystal) == ()


def test_repeated_labels_are_told_apart_but_not_copies_of_a_site():
    text = FRAME.replace("CS:R:2", "labels:S:1:CS:R:1").replace(" 250.0", " O")
    crystal = one(text.replace(" 25.0", " H").replace(" 26.0", " H"))
    assert crystal.labels == ("O", "H", "H_2")
    assert notes(crystal) == ("repeated labels made distinct: H",)
    assert one(PLAIN.replace("O 1", "H2 1")).labels == ("H2", "H2_2", "H3")
    copies = f"""4
{LATTICE} Properties=species:S:1:pos:R:3:labels:S:1
O 1.0 1.0 1.0 A
O 4.0 5.0 6.0 A
H 1.9 1.0 1.0 B
H 3.1 5.0 6.0 B
"""
    crystal = one(copies)
    assert crystal.labels == ("A", "A", "B", "B")
    assert notes(crystal) == ()


def test_atoms_far_outside_their_cell_are_brought_back():
    crystal = one(FRAME.replace("1.9 1.0 1.0", "-498.1 1.0 1.0"))
    np.testing.assert_allclose(crystal.positions[1], [1.9, 1.0, 1.0])


def test_several_frames_are_numbered():
    crystals = frames(FRAME.replace(" NAME=WATER", "") * 2 + "\n" + FRAME)
    assert [c.name for c in crystals] == ["#1", "#2", "WATER"]


def test_a_bad_frame_does_not_hide_the_others():
    items = frames(
        FRAME.replace("1.9 1.0", "1.9 oops") + FRAME.replace("1.9 1.0", "nan 1.0") + FRAME
    )
    assert "frame 1: not a readable XYZ frame" in str(items[0])
    assert str(items[1]) == "f.xyz: WATER: atom no. 2 has a coordinate that is not a number"
    assert items[2].name == "WATER"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (FRAME[:-30], "cut off: line 1 announces 3 atoms, 2 follow"),
        (FRAME + "2\n", "cut off: line 6 announces 2 atoms, 0 follow"),
        ("hello\n", "line 1 should be a number of atoms but is 'hello'"),
        ("0\n\n", "no atoms"),
        (FRAME.replace("O\t", "Jx "), "atom 1: no element is called 'Jx'"),
        (FRAME.replace("5 0 0", "0 0 0"), "no volume"),
        (FRAME.replace("5 0 0", "0.1 0 0"), "unit cell is only 0.1 Å thick"),
        (FRAME.replace("5 0 0", "5 0 inf"), "not finite|not a readable"),
        (FRAME.replace("5 0 0", "5 0"), "'Lattice' with 8 numbers"),
        (
            FRAME.replace("Lattice", "Lattise").replace(" NAME", " pbc=T NAME"),
            "no Lattice, but 'Lattise' with 9 numbers",
        ),
        (FRAME.replace("Lattice", "lattice"), "no Lattice, but 'lattice' with 9 numbers"),
        ("1\ncell=[5, 5, 5]\nH 0 0 0\n", "no Lattice, but 'cell' with 3 numbers"),
        ("1\nCell parameters: 5 5 5 90 90 90\nH 0 0 0\n", "no Lattice, but 'Cell' with 6 numbers"),
        ("1\n5 0 0 0 5 0 0 0 5.5\nH 0 0 0\n", "no Lattice, but 9 numbers"),
        (FRAME.replace("Lattice", "x").replace(" NAME", " pbc=T NAME"), "without a unit cell"),
        (FRAME.replace("1.9 1.0", "1_0.7 1.0"), "'1_0.7' is no number"),
        (FRAME.replace("5 0 0", "5_0 0 0"), "'5_0' is no number"),
        (FRAME.replace("1.9 1.0", "1,9 1.0"), "not a readable XYZ frame"),
        (PLAIN.replace("1.9", "\uff11.9"), "is no number"),
    ],
)
def test_refusals_in_one_line(text, match):
    error = frames(text)[-1]
    assert isinstance(error, ReadError)
    with pytest.raises(ReadError, match=match):
        raise error
    assert "\n" not in str(error)


def test_two_columns_of_shieldings_are_told():
    text = (
        '3\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:CS:R:1:MS_shielding:R:1\n'
        "O 1 1 1 1 300\nH 1 1.757 1.587 2 30\nH 1 0.243 1.587 3 30\n"
    )
    (crystal,) = read_text(text, "extxyz")
    assert crystal.shieldings.tolist() == [300, 30, 30]
    note = "shieldings of the column MS_shielding are taken, not those of CS"
    assert note in crystal.warnings
    (crystal,) = read_text(text, "extxyz", shielding_column="CS")
    assert note not in crystal.warnings
