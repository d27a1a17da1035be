"""What a file says of its symmetry, its contents and its volume, held against each other."""

import re
from pathlib import Path

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import iter_structures, read, read_text
from shiftcli.structure.neighbours import find_neighbours

CASES = Path(__file__).parents[3] / "shared" / "cases"
UREA = (Path(__file__).parents[2] / "examples" / "urea.cif").read_text()
OPERATIONS = UREA[UREA.index("loop_") : UREA.index("loop_\n_atom_site")]


def urea(operations=OPERATIONS, more="", **changes):
    """The example with other operations, further lines, and some of its items replaced."""
    text = UREA.replace(OPERATIONS, operations)
    for item, value in changes.items():
        text = re.sub(
            rf"^(_\S*{re.escape(item)}\s+).*$", rf"\g<1>{value}", text, flags=re.MULTILINE
        )
    return text.replace("loop_", f"{more}\nloop_", 1)


def one(text):
    (item,) = read_text(text, "cif", "f.cif")
    if isinstance(item, ReadError):
        raise item
    return item


def listed(*operations):
    return "loop_\n_space_group_symop_operation_xyz\n" + "\n".join(operations) + "\n"


def fingerprint(crystal):
    """Element, share of the atoms, and twelve nearest distances (Å) of each kind of site."""
    near = find_neighbours(crystal.cell, crystal.positions, 4.0)
    found = []
    for site in crystal.sites:
        distances = np.sort(near.distances[near.first == site.atoms[0]])[:12]
        found.append((site.element, site.multiplicity / len(crystal), distances))
    return found


def same(crystal, other):
    assert crystal.elements.tolist().count("H") * len(other) == len(crystal) * (
        other.elements.tolist().count("H")
    )
    left = fingerprint(other)
    for *kind, distances in fingerprint(crystal):
        alike = [k for k, o in enumerate(left)
                 if list(o[:2]) == kind and abs(o[2] - distances).max() < 0.02]  # fmt: skip
        assert alike, (kind, distances)
        del left[alike[0]]
    assert not left


@pytest.mark.parametrize(
    "operations",
    [listed("x,y,z"), listed("x,y,z", "-x,-y,z"), listed("x,y,z", "-x,-y,z", "y,-x,-z", "-y,x,-z")],
)
@pytest.mark.parametrize("formula", ["'C H4 N2 O'", "?"])
def test_fewer_operations_than_the_name_has(operations, formula):
    crystal = one(urea(operations, formula_sum=formula, formula_units_Z="?"))
    same(crystal, one(UREA))
    # Four of the eight make the same crystal, for all atoms lie on special positions.
    assert "makes a sound crystal and is taken" in crystal.warnings[0]


def test_all_atoms_listed_beside_the_name_of_their_group():
    """The list is right, and short; so is the name."""
    crystal = one(UREA)
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    rows = "".join(
        f"{e}{k} {e} {x:.6f} {y:.6f} {z:.6f}\n"
        for k, (e, (x, y, z)) in enumerate(zip(crystal.elements, fractional.tolist(), strict=True))
    )
    head = urea(listed("x,y,z"))
    whole = one(head[: head.index("C1 C")] + rows)
    same(whole, crystal)
    assert "operations listed: 1, operations of the space group P -4 21 m: 8" in whole.warnings[0]


def test_neither_operations_nor_name():
    text = urea(listed("x,y,z"), formula_units_Z="8")
    with pytest.raises(
        ReadError, match=r"operations listed: 1, .* P -4 21 m: 8, and neither makes"
    ):
        one(text)
    with pytest.raises(ReadError, match="not those of the space group P -4 m 2"):
        one(urea(**{"name_H-M_alt": "'P -4 m 2'", "formula_units_Z": "8"}))


def test_operations_of_another_group_than_the_name():
    crystal = one(urea(**{"name_H-M_alt": "'P -4 m 2'"}))
    same(crystal, one(UREA))
    assert "not those of the space group P -4 m 2: the list makes" in crystal.warnings[0]


@pytest.mark.parametrize("name", ["P -4 2(1) m", "P-42_1m", "P -4 2~1~ m (113)", "P-42sub1m"])
def test_names_without_operations(name):
    same(one(urea("", **{"name_H-M_alt": f"'{name}'"})), one(UREA))


def test_a_name_that_is_not_understood_is_not_replaced_by_its_number():
    with pytest.raises(ReadError, match=r"'P -4 2x m' is not known \(add the symmetry operations"):
        one(urea("", **{"name_H-M_alt": "'P -4 2x m'"}))
    with pytest.raises(ReadError, match="space groups that disagree: the number is 114"):
        one(urea("", IT_number="114"))
    assert len(one(urea("", **{"name_H-M_alt": "?"}))) == 16
    assert len(one(urea(**{"name_H-M_alt": "'P -4 2x m'"}))) == 16  # the operations are enough


def test_volume_and_density_of_the_file():
    assert (
        one(urea(more="_cell_volume 145.06(3)\n_exptl_crystal_density_diffrn 1.375")).warnings == ()
    )
    (note,) = one(urea(more="_cell_volume 149.0")).warnings
    assert note == "the file says a volume of 149 Å³, its cell has 145.06"
    (note,) = one(urea(more="_exptl_crystal_density_diffrn 1.30")).warnings
    assert note == "the file says a density of 1.3 g/cm³, its cell has 1.3749"
    with pytest.raises(ReadError, match=r"a volume of 149 Å³.*not those of the formula"):
        one(urea(more="_cell_volume 149.0", formula_units_Z="4"))


@pytest.mark.parametrize(
    ("length", "note"),
    [
        ("37.5", "72.6 Å³ for each atom, organic crystals have 7.6 to 11.2: are atoms missing?"),
        ("7.8", "15.1 Å³ for each atom, organic crystals have 7.6 to 11.2: are atoms missing?"),
        ("3.3", "6.4 Å³ for each atom, organic crystals have 7.6 to 11.2: are the cell and its"),
    ],
)
def test_space_for_an_atom(length, note):
    assert note in one(urea(length_c=length)).warnings[-1]


COLUMN = "_atom_site_fract_z\n"


def occupancies(*values, text=UREA):
    head, rows = text.split(COLUMN)
    lines = [f"{r} {v}" for r, v in zip(rows.splitlines(), values, strict=True)]
    return f"{head}{COLUMN}_atom_site_occupancy\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("formula", ["'C H4 N2 O'", "?"])
def test_occupancies_with_the_multiplicity(formula):
    text = occupancies(0.25, 0.25, 0.5, 0.5, 0.5, text=urea(formula_sum=formula))
    crystal = one(text)
    same(crystal, one(UREA))
    assert "include the multiplicity of special positions" in crystal.warnings[0]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ((1, 1, 1, 1, 1.2), "atom H2: occupancy 1.2, above 1"),
        ((0.4, 1, 1, 1, 1), "the cell would hold 0 C instead of 0.8"),
        ((1, 1, 0.4, 1, 1), "the cell would hold 0 N instead of 1.6"),
        ((1, 1, 1, 1, 0.3), "the cell would hold 4 H instead of 5.2"),
    ],
)
@pytest.mark.parametrize("formula", ["'C H4 N2 O'", "?"])
def test_occupancies_that_tear_a_molecule(values, match, formula):
    with pytest.raises(ReadError, match=match):
        one(occupancies(*values, text=urea(formula_sum=formula)))


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
@pytest.mark.parametrize(
    ("folder", "names", "like"),
    [
        ("space-group-names", "n01_name_only n02_name_only n08_name_only o0_markup o1_markup "
         "b1_c_unique b4_c_unique e2_cell_choice3 b_p21n_ops a_p21c_ops", "b9_c_unique_ops"),
        ("origin-choice", "b_name_only e_number_only", "a_ops_origin2"),
        ("rhombohedral", "r7_name r8_name_nonumber", "r0_ops"),
        ("operations-against-name", "b_xyz_only_noformula e_half_list_group", "a_full"),
    ],
)  # fmt: skip
def test_cases(folder, names, like):
    (right,) = read(CASES / folder / f"{like}.cif")
    for name in names.split():
        (crystal,) = read(CASES / folder / f"{name}.cif")
        same(crystal, right)
        assert crystal.warnings or name.endswith("_ops")


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_cases_of_urea():
    for name in (
        "operations-against-name/m5_urea_identity_only",
        "occupancies/a_occupancy_m_over_M",
    ):
        (crystal,) = iter_structures(CASES / f"{name}.cif")
        same(crystal, one(UREA))
        assert crystal.warnings


@pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not here")
def test_a_chosen_setting_names_the_others_that_would_do():
    (crystal,) = read(CASES / "space-group-names" / "b4_c_unique.cif")
    (note,) = crystal.warnings
    assert "taken from the space group P 1 1 21/a in place of" in note
    assert "the space group P 1 1 21/n would leave contacts" in note


HEAD = """data_methane
_cell_length_a {}
_cell_length_b {}
_cell_length_c {}
_cell_angle_alpha 90
_cell_angle_beta 100
_cell_angle_gamma 90
{}
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""
#: Methane in P 2₁/c, where P 2₁/n bonds it as well: with room for both, and too near in the latter.
ROOM_FOR_BOTH = (4.6, 7.3, 7.7), (
    "C1 .61 .73 .54", "H1 .771 .816 .623", "H2 .723 .644 .457", "H3 .449 .816 .457",
    "H4 .497 .644 .623",
)  # fmt: skip
ROOM_FOR_ONE = (6.5, 5.5, 6.9), (
    "C1 .2 .94 .37", "H1 .314 1.054 .463", "H2 .28 .826 .277", "H3 .086 1.054 .277",
    "H4 .12 .826 .463",
)  # fmt: skip


def methane(cell, rows, group):
    return HEAD.format(*cell, group) + "\n".join(rows) + "\n"


def test_a_number_alone_has_no_usual_setting():
    with pytest.raises(
        ReadError, match=r"2 of them make a sound crystal: .* 21/c 1, .* 21/n 1 \(add"
    ):
        one(methane(*ROOM_FOR_BOTH, "_symmetry_Int_Tables_number 14"))
    for name in ("P 21/c", "P 21/n"):
        crystal = one(methane(*ROOM_FOR_BOTH, f"_symmetry_space_group_name_H-M '{name}'"))
        assert crystal.warnings == (f"symmetry taken from the space group P 1 {name[2:]} 1",)


def test_of_several_sound_settings_the_one_with_room_is_proven():
    number = one(methane(*ROOM_FOR_ONE, "_symmetry_Int_Tables_number 14"))
    assert number.warnings == (
        "symmetry taken from the space group P 1 21/c 1; the space group P 1 21/n 1 would leave "
        "contacts shorter than crystals have",
    )
    same(number, one(methane(*ROOM_FOR_ONE, "_symmetry_space_group_name_H-M 'P 21/c'")))


def test_a_name_of_no_sound_crystal_gives_way_only_to_one_that_is_proven():
    """As P 2₁/a no crystal is made of these: several others are left, or one with a note."""
    name = "_symmetry_space_group_name_H-M 'P 21/a'"
    with pytest.raises(ReadError, match=r"2 of them make a sound crystal: .* 21/c 1, .* 21/n 1"):
        one(methane(*ROOM_FOR_BOTH, name))
    assert (
        "21/c 1 in place of the space group P 1 21/a 1, which makes no sound crystal; the"
        in (one(methane(*ROOM_FOR_ONE, name)).warnings[0])
    )


def test_a_cell_that_nearly_obeys_its_symmetry_is_told():
    (note,) = one(urea(length_b="5.60")).warnings
    assert note == "the cell obeys its symmetry only within 1.3 %: is it right?"
    assert one(urea(length_b="5.566")).warnings == ()


def test_tables_that_name_atoms_which_are_not_listed():
    bonds = "loop_\n_geom_bond_atom_site_label_1\n_geom_bond_atom_site_label_2\nC1 N1\nN1 {}\n"
    assert one(UREA + bonds.format("h1")).warnings == ()
    assert one(UREA + bonds.format("Cg1")).warnings == ()  # a centroid
    (note,) = one(UREA + bonds.format("H9")).warnings
    assert note.startswith("other tables of the file name H9, not among its atoms")


def test_a_file_that_ends_within_a_number(tmp_path):
    path = tmp_path / "urea.cif"
    for text, is_told in ((UREA, False), (UREA.rstrip(), False), (UREA.rstrip()[:-3], True)):
        path.write_text(text)
        (crystal,) = read(path)
        assert any("is the file cut off?" in note for note in crystal.warnings) == is_told
