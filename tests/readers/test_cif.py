"""Reading CIF: symmetry, odd columns, disorder, and every way to be broken."""

import time
from pathlib import Path

import numpy as np
import pytest

from shiftcli.errors import ReadError, StructureError
from shiftcli.readers import read, read_text
from shiftcli.structure.checks import check
from shiftcli.structure.neighbours import find_neighbours

CASES = Path(__file__).parents[3] / "shared" / "cases"

CELL = """_cell_length_a 7.0(1)
_cell_length_b 8.0
_cell_length_c 9.0
_cell_angle_alpha 80
_cell_angle_beta 85.0(2)
_cell_angle_gamma 75
"""
INVERSION = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-x,-y,-z'\n"
P1 = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n"
COLUMNS = "label type_symbol fract_x fract_y fract_z"
WATER = """O1 O 0.30 0.30 0.30
H1 H 0.38 0.27 0.30
H2 H 0.28 0.40 0.31
"""


def cif(
    rows=WATER, columns=COLUMNS, symmetry=INVERSION, formula="H2 O", z="2", cell=CELL, name="a"
):
    text = f"data_{name}\n{cell}{symmetry}"
    text += f"_chemical_formula_sum '{formula}'\n" if formula else ""
    text += f"_cell_formula_units_Z {z}\n" if z else ""
    tags = "".join(f"_atom_site_{column}\n" for column in columns.split())
    return f"{text}loop_\n{tags}{rows}"


def notes(crystal):
    """The warnings, but for that of the space: the cells here are roomy."""
    return tuple(text for text in crystal.warnings if "Å³ for each atom" not in text)


def one(text, **options):
    (item,) = read_text(text, "cif", "f.cif", **options)
    if isinstance(item, ReadError):
        raise item
    return item


def refused(text, match, **options):
    with pytest.raises(ReadError, match=match) as caught:
        one(text, **options)
    message = str(caught.value)
    assert message.startswith("f.cif")
    assert "\n" not in message
    return message


def test_symmetry_makes_the_cell_and_its_sites():
    crystal = one(cif())
    assert crystal.labels == ("O1", "O1", "H1", "H1", "H2", "H2")
    assert [site.multiplicity for site in crystal.sites] == [2, 2, 2]
    assert crystal.expected == {"H": 4.0, "O": 2.0}
    assert notes(crystal) == ()
    assert crystal.name == "a"
    np.testing.assert_allclose(np.linalg.norm(crystal.cell, axis=1), [7, 8, 9])


def test_p1_leaves_the_search_for_symmetry_to_the_crystal():
    rows = WATER + "O2 O 0.7 0.7 0.7\nH3 H 0.62 0.73 0.7\nH4 H 0.72 0.6 0.69\n"
    crystal = one(cif(rows, symmetry=P1))
    assert crystal.site_ids is None
    assert [site.multiplicity for site in crystal.sites] == [2, 2, 2]


def test_standard_uncertainties_and_fractions_outside_the_cell():
    rows = "O1 O 1.30(2) -0.70 0.30(1)\nH1 H 0.38(1) 0.27 0.30\nH2 H 0.28 0.40 .31\n"
    plain, shifted = one(cif()), one(cif(rows))
    inside = np.linalg.inv(plain.cell)
    np.testing.assert_allclose(
        plain.positions @ inside % 1, shifted.positions @ inside % 1, atol=1e-9
    )


@pytest.mark.parametrize("x", ["0.5", "0.4999", "0.5004"])
def test_special_position_has_its_multiplicity(x):
    crystal = one(cif(f"O1 O {x} 0.5 0.5\nH1 H 0.58 0.47 0.50\n"))
    assert [site.multiplicity for site in crystal.sites] == [1, 2]
    np.testing.assert_allclose(crystal.positions[0] @ np.linalg.inv(crystal.cell), 0.5, atol=1e-9)
    assert sum(site.multiplicity for site in crystal.sites) == len(crystal)


def test_third_of_a_hexagonal_cell_in_few_digits():
    cell = (
        CELL.replace("75", "120").replace("80", "90").replace("85.0(2)", "90").replace("8.0", "7.0")
    )
    symmetry = "_space_group_name_H-M_alt 'P 3'\n"
    crystal = one(cif("C1 C 0.333 0.667 0.5\nH1 H 0.2 0.1 0.5\n", symmetry=symmetry, cell=cell))
    assert [site.multiplicity for site in crystal.sites] == [1, 3]


@pytest.mark.parametrize(
    ("symmetry", "atoms"),
    [
        ("_symmetry_space_group_name_H-M 'P -1'\n", 6),
        ("_space_group_name_Hall '-P 1'\n", 6),
        ("_space_group_IT_number 2\n", 6),
        ("_symmetry_space_group_name_H-M ?\n_symmetry_Int_Tables_number 2\n", 6),
        ("loop_\n_space_group_symop_operation_xyz\n'-X, -Y, -Z'\n'+x,+y,+z'\n'x+1,y,z'\n", 6),
        (
            "loop_\n_space_group_symop_id\n_space_group_symop_operation_xyz\n1 x,y,z\n2 -x,-y,-z\n",
            6,
        ),
    ],
)
def test_symmetry_from_operations_name_or_number(symmetry, atoms):
    assert len(one(cif(symmetry=symmetry))) == atoms


def test_non_standard_setting_by_its_operations():
    cell = CELL.replace("80", "90").replace("75", "90")
    pn = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n'1/2+x,1/2-y,1/2+z'\n-x,-y,-z\n"
    pn += "'1/2-x,1/2+y,1/2-z'\n"
    crystal = one(cif(symmetry=pn, z="4", cell=cell))
    assert len(crystal) == 12
    assert notes(crystal) == ()


def test_incomplete_operations_are_completed_from_the_name():
    cell = CELL.replace("80", "90").replace("75", "90")
    some = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\n'-x,1/2+y,1/2-z'\n"
    name = "_symmetry_space_group_name_H-M 'P 21/c'\n"
    crystal = one(cif(symmetry=some + name, z="4", cell=cell))
    assert len(crystal) == 12
    assert "the list lacks x,-y+1/2,z+1/2" in " ".join(crystal.warnings)
    refused(cif(symmetry=some, z="4", cell=cell), "no space group: x,-y")


def test_operations_cut_to_the_identity_lose_against_name_and_formula():
    crystal = one(cif(symmetry=P1 + "_symmetry_space_group_name_H-M 'P -1'\n"))
    assert len(crystal) == 6
    assert "P -1" in crystal.warnings[0]


def test_symmetry_that_is_not_needed_cannot_refuse():
    """Under the named group the carbon's image would meet the oxygen."""
    rows = """C1 C 0.50 0.60 0.50 0.9
O1 O 0.50 0.43 0.50 1
H1 H 0.60 0.66 0.50 1
"""
    text = cif(rows, COLUMNS + " occupancy", P1, formula="C H O", z="1")
    named = text.replace("loop_", "_symmetry_space_group_name_H-M 'P -1'\nloop_", 1)
    refused(named.replace(P1, INVERSION), "disorder that cannot be resolved")
    assert one(named).formula == "C H O"


def test_cell_that_disobeys_its_symmetry():
    refused(cif(symmetry="_space_group_name_H-M_alt 'P 41'\n"), "does not obey its symmetry")


def test_bad_operation():
    refused(cif(symmetry=INVERSION.replace("-y", "oops")), "'-x,oops,-z' is no symmetry operation")


def test_without_symmetry_the_formula_decides():
    assert "taken as P 1" in one(cif(symmetry="", z="1")).warnings[0]
    refused(cif(symmetry=""), r"no symmetry operations, and 3 atom sites .*6 atoms")
    refused(cif(symmetry="", formula=""), "no symmetry operations, and 3 atom sites")


def test_without_symmetry_and_formula_the_density_decides():
    small = CELL.replace("7.0(1)", "3").replace("8.0", "4").replace("9.0", "3.4")
    crystal = one(cif(symmetry="", formula="", cell=small))
    assert notes(crystal) == ("no symmetry is stated: taken as P 1",)
    half = small.replace("3.4", "6.8")
    with pytest.raises(ReadError, match="3 atom sites are not the whole cell"):
        one(cif(symmetry="", formula="", cell=half))


def test_other_contents_than_formula_times_z():
    (warning,) = notes(one(cif(z="4")))
    assert "6 atoms" in warning
    assert "12" in warning


@pytest.mark.parametrize("z", ["", "?"])
def test_missing_z_is_found(z):
    crystal = one(cif(z=z))
    assert crystal.expected == {"H": 4.0, "O": 2.0}
    assert "Z is not given" in one(cif(z=z, formula="C H4")).warnings[0]


def test_missing_hydrogen_is_refused_by_the_check():
    crystal = one(cif(WATER.rsplit("H2", 1)[0]))
    with pytest.raises(StructureError, match="2 hydrogen atoms in the cell, the formula says 4"):
        check(crystal)


def test_odd_formula_is_a_warning():
    assert "not understood" in one(cif(formula="2(H2 O)")).warnings[0]
    assert notes(one(cif(formula="D2 O1"))) == ()


def test_labels_missing_or_repeated():
    rows = "O 0.3 0.3 0.3\nH 0.38 0.27 0.3\nH 0.28 0.4 0.31\n"
    crystal = one(cif(rows, "type_symbol fract_x fract_y fract_z"))
    assert sorted(site.label for site in crystal.sites) == ["H1", "H2", "O1"]
    crystal = one(cif(WATER.replace("H2 H", "H1 H")))
    assert [site.label for site in crystal.sites] == ["O1", "H1", "H1_2"]
    assert notes(crystal) == ("repeated labels made distinct: H1",)


@pytest.mark.parametrize(
    ("label", "formula", "element"),
    [
        ("CA1", "C H2", "C"),
        ("Ca1", "C H2", "C"),
        ("Ca1", "Ca H2", "Ca"),
        ("HO2", "", "H"),
        ("Cl1", "", "Cl"),
        ("CL1", "C Cl H", "Cl"),
        ("D3", "", "H"),
        ("N(12)", "", "N"),
        ("o1w", "", "O"),
        ("OW1", "", "O"),
        ("Wat1", "", "O"),
        ("W1", "C H2 O", "O"),
        ("W(1)", "C H2 O", "O"),
        ("W1", "W O3", "W"),
        ("Wat1", "W O3", "W"),
        ("C1'", "", "C"),
    ],
)
def test_element_from_the_label(label, formula, element):
    rows = f"{label} 0.3 0.3 0.3\n" if "'" not in label else f'"{label}" 0.3 0.3 0.3\n'
    crystal = one(cif(rows, "label fract_x fract_y fract_z", formula=formula, z=""))
    assert set(crystal.elements) == {element}


@pytest.mark.parametrize("kind", ["O", "o", "O2-", "Oval", "O0+"])
def test_element_from_the_type(kind):
    assert one(cif(WATER.replace("O1 O ", f"O1 {kind} "))).elements[0] == "O"


@pytest.mark.parametrize("element", ["Cl", "Na", "Ca", "Co", "Hg"])
def test_element_that_the_formula_lacks_is_what_the_type_says(element):
    rows = WATER + f"{element}1 {element} 0.7 0.3 0.8\n"
    crystal = one(cif(rows, formula="C6 H5 N O"))
    assert crystal.elements[-1] == element
    with pytest.raises(StructureError, match=rf"contains {element} \(first at atom {element}1\)"):
        check(crystal)
    capitals = one(cif(rows.replace(f" {element} ", f" {element.upper()} "), formula="C6 H5 N O"))
    assert capitals.elements[-1] == element[0]


def test_unknown_element():
    refused(cif(WATER.replace("O1 O", "O1 Jq")), "atom O1: no element is called 'Jq'")


def test_deuterium_is_a_hydrogen_that_keeps_its_label():
    crystal = one(cif(WATER.replace("H2 H", "D2 D"), formula="H D O"))
    assert crystal.elements.tolist() == ["O", "O", "H", "H", "H", "H"]
    assert crystal.labels[-1] == "D2"
    assert notes(crystal) == ()


def test_dummies_and_zero_occupancy_are_left_out():
    rows = """O1 O 0.30 0.30 0.30 d 1
H1 H 0.38 0.27 0.30 d 1.0(2)
H2 H 0.28 0.40 0.31 calc ?
X1 X 0.1 0.1 0.1 d 1
Q2 . 0.1 0.2 0.1 d 1
C9 C 0.1 0.3 0.1 dum 1
CG C 0.1 0.4 0.1 d 0.00
"""
    crystal = one(cif(rows, COLUMNS + " calc_flag occupancy"))
    assert len(crystal) == 6
    assert notes(crystal) == (
        "dummy atoms left out: X1, Q2, C9",
        "sites of zero occupancy left out: CG",
    )


def test_cartesian_coordinates():
    fractional = one(cif())
    rows = "".join(
        f"{fractional.labels[k]} {fractional.elements[k]} {x} {y} {z}\n"
        for k, (x, y, z) in zip([0, 2, 4], fractional.positions[[0, 2, 4]], strict=True)
    )
    columns = "label type_symbol Cartn_x Cartn_y Cartn_z"
    crystal = one(cif(rows, columns))
    np.testing.assert_allclose(crystal.positions, fractional.positions, atol=1e-9)
    molecule = one(cif(rows, columns, cell="", symmetry="", formula="", z=""))
    assert molecule.cell is None
    assert "isolated molecule" in molecule.warnings[-1]


def test_cartesian_coordinates_with_the_files_own_matrix():
    axes = np.array([[0, 8, 0], [8, 0, 0], [0, 0, 9]])
    matrix = "".join(
        f"_atom_sites_Cartn_tran_matrix_{i + 1}{j + 1} {axes[i, j]}\n"
        for i in range(3)
        for j in range(3)
    )
    cell = "".join(f"_cell_length_{a} {v}\n" for a, v in zip("abc", (8, 8, 9), strict=True))
    text = cif(
        "O1 O 1.6 0.8 0.9\n", "label type_symbol Cartn_x Cartn_y Cartn_z", cell=cell + matrix
    )
    crystal = one(text)
    np.testing.assert_allclose(crystal.positions[0] @ np.linalg.inv(crystal.cell), [0.1, 0.2, 0.1])
    assert "taken as 90°" in crystal.warnings[0]


def test_blocks():
    text = cif(name="one") + "data_empty\n_x 1\n" + cif(name="two") + cif(name="one")
    assert [item.name for item in read_text(text, "cif", "f.cif")] == ["one", "two", "one #2"]


def test_a_bad_block_does_not_hide_the_others():
    text = cif(name="one") + "data_bad\nloop_\n_a\n_b\n1 2 3\n" + cif(WATER.replace("0.38", "?"))
    good, broken, unknown = read_text(text + cif(name="two"), "cif", "f.cif").__iter__(), None, None
    items = list(good)
    broken, unknown = items[1], items[2]
    assert items[0].name == "one"
    assert isinstance(broken, ReadError)
    assert str(broken) == (
        "f.cif: broken or cut-off CIF: 3 values for the 2 names of a loop at line 27"
    )
    assert str(unknown) == "f.cif: a: atom H1: coordinate x is '?'"
    assert items[3].name == "two"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("just some words\n", "broken or cut-off CIF"),
        ("# only a comment\n", "no data block"),
        ("data_x\n_cell_length_a 5\n", "x: no atom sites"),
        (cif() + "H3 H 0.1\n", "3 values for the 5 names of a loop at line 23"),
        (cif()[:-10], "3 values for the 5 names of a loop at line 22"),
        (cif() + "_title 'never closed\n", "unterminated"),
        (cif() + "_text\n;never closed\n\n\n", "unterminated text field at line 24"),
        (cif() + "_a 1\n_A 2\n", "broken CIF: _a is given 2 times"),
        (cif(WATER.replace("0.38", ".")), "atom H1: coordinate x is '.'"),
        (cif(WATER.replace("0.38", "nan")), "atom H1: coordinate x is 'nan'"),
        (cif(WATER.replace("0.38", "380")), "atom H1: fractional coordinates above 100"),
        (cif(cell=CELL.replace("8.0", "?")), "no usable unit cell: _cell_length_b is ?"),
        (cif(cell=CELL.replace("80", "?")), "no usable unit cell: _cell_angle_alpha is ?"),
        (cif(cell=CELL.replace("8.0", "0.0")), "no usable unit cell: _cell_length_b is 0.0"),
        (cif(cell=CELL.replace("80", "5").replace("75", "170")), "it has no volume"),
        (cif(cell=CELL.replace("8.0", "0.1")), "only 0.095 Å thick"),
        (cif(cell=""), "no usable unit cell: _cell_length_a is missing"),
        (cif() + "_cell_modulation_dimension 1\n", "modulated structure"),
        (cif() + "_space_group_ssg_name 'P -1(abg)0'\n", "modulated structure"),
        ("data_1ABC\n_entity_poly.entity_id 1\n_atom_site.id 1\n", "mmCIF file of a macromol"),
        (cif(WATER.replace("\n", " -1\n"), COLUMNS + " occupancy"), "atom O1: occupancy -1"),
    ],
)
def test_refusals_in_one_line(text, match):
    refused(text, match)


def test_text_of_the_file_cannot_break_a_message():
    label = "H1\u2028" + "x" * 300
    message = refused(cif(WATER.replace("H1 H 0.38", f"'{label}' H ?")), "atom H1 x")
    assert len(message) < 120
    assert "\u2028" not in message


METHYL = """C1 C 0.30 0.30 0.30 1 . .
C2 C 0.4925 0.30 0.30 1 . .
H1 H 0.28 0.40 0.31 0.6 A 1
H2 H 0.24 0.26 0.38 0.6 A 1
H3 H 0.24 0.26 0.22 0.6 A 1
H4 H 0.22 0.22 0.30 0.4 A 2
H5 H 0.28 0.36 0.38 0.4 A 2
H6 H 0.28 0.36 0.22 0.4 A 2
"""
DISORDER_COLUMNS = COLUMNS + " occupancy disorder_assembly disorder_group"


@pytest.mark.parametrize("assembly", ["A", "."])
def test_major_group_is_kept(assembly):
    rows = METHYL.replace(" A ", f" {assembly} ")
    crystal = one(cif(rows, DISORDER_COLUMNS, formula="C2 H3"))
    assert {site.label for site in crystal.sites} == {"C1", "C2", "H1", "H2", "H3"}
    assert notes(crystal) == (
        "disorder: 3 minor sites left out: H4, H5, H6",
        "disorder: 3 partly occupied sites taken as full: H1, H2, H3",
    )


def test_groups_without_occupancies_are_alternatives():
    rows = METHYL.replace(" 0.6 ", " ? ").replace(" 0.4 ", " ? ").replace("0.24", "0.20")
    crystal = one(cif(rows, DISORDER_COLUMNS, formula="C2 H3"))
    assert {site.label for site in crystal.sites} == {"C1", "C2", "H1", "H2", "H3"}


def test_disorder_can_be_refused():
    message = refused(cif(METHYL, DISORDER_COLUMNS), "first at H1", disorder="error")
    assert "--disorder major" in message
    assert len(one(cif(), disorder="error")) == 6


def test_regions_without_assembly_are_chosen_one_by_one():
    rows = METHYL
    for line in METHYL.splitlines():
        label, element, x, y, z, occupancy, _, group = line.split()
        other = 1.0 if group == "." else 1 - float(occupancy)
        rows += f"{label}B {element} {x} {y} {float(z) + 0.5} {other} . {group}\n"
    crystal = one(cif(rows.replace(" A ", " . "), DISORDER_COLUMNS, formula=""))
    kept = {site.label for site in crystal.sites if site.element == "H"}
    assert kept == {"H1", "H2", "H3", "H4B", "H5B", "H6B"}


def test_partial_occupancy_without_groups():
    rows = METHYL.replace("A 1", ". .").replace("A 2", ". .")
    rows += "O9 O 0.8 0.8 0.8 0.3 . .\nH9 H 0.9 0.8 0.8 0.3 . .\nO8 O 0.6 0.1 0.8 0.7 . .\n"
    crystal = one(cif(rows, DISORDER_COLUMNS, formula="C2 H3 O"))
    assert {site.label for site in crystal.sites} == {"C1", "C2", "H1", "H2", "H3", "O8"}


def test_one_image_of_a_molecule_about_an_inversion_centre():
    rows = """C1 C 0.50 0.55 0.50 0.5 . -1
O1 O 0.50 0.41 0.50 0.5 . -1
H1 H 0.60 0.60 0.50 0.5 . -1
H2 H 0.40 0.62 0.50 0.5 . -1
"""
    crystal = one(cif(rows, DISORDER_COLUMNS, formula="C H2 O", z="1"))
    assert crystal.elements.tolist() == ["C", "O", "H", "H"]
    assert crystal.site_ids is None
    assert "one of the overlapping images kept for C1, O1, H1, H2" in " ".join(crystal.warnings)
    assert not any("formula" in warning for warning in crystal.warnings)
    assert len(find_neighbours(crystal.cell, crystal.positions, 0.6).first) == 0
    check(crystal)


def test_half_hydrogen_between_inversion_related_oxygens():
    rows = "O1 O 0.5 0.36 0.5 1 . .\nH1 H 0.5 0.46 0.5 0.5 . .\nH2 H 0.6 0.3 0.5 1 . .\n"
    crystal = one(cif(rows, DISORDER_COLUMNS, formula="H3 O2", z="1"))
    assert crystal.formula == "H3 O2"


def test_disorder_that_stays_in_conflict():
    rows = "C1 C 0.3 0.3 0.3 1 . .\nC2 C 0.36 0.3 0.3 0.9 A 1\nH1 H 0.1 0.1 0.1 1 . .\n"
    refused(cif(rows, DISORDER_COLUMNS), "disorder that cannot be resolved: atoms C1 and C2")


def test_groups_with_full_occupancy_and_no_alternative_are_no_disorder():
    rows = "".join(f"{line} 1 . 1\n" for line in WATER.splitlines())
    assert notes(one(cif(rows, DISORDER_COLUMNS), disorder="error")) == ()


def test_shieldings_in_a_column():
    rows = WATER.replace("0.30\n", "0.30 ?\n", 1).replace("0.27 0.30", "0.27 0.30 25.5(3)")
    rows = rows.replace("0.40 0.31", "0.40 0.31 -1")
    (crystal,) = read_text(cif(rows, f"{COLUMNS} nmr_shielding_iso"), "cif", "water.cif")
    assert np.isnan(crystal.shieldings[:2]).all()
    assert crystal.shieldings[2:].tolist() == [25.5, 25.5, -1, -1]
    (error,) = read_text(cif(rows.replace("25.5(3)", "low"), f"{COLUMNS} nmr_shielding_iso"), "cif")
    assert "atom H1: shielding 'low'" in str(error)


def test_operations_of_the_file_are_kept(urea):
    assert urea.operations[:3] == ("x,y,z", "-x,-y,z", "y,-x,-z")
    assert len(urea.operations) == 8


def test_mmcif_of_a_small_molecule():
    head = "data_X\n" + CELL.replace("_cell_", "_cell.") + "_symmetry.space_group_name_H-M 'P -1'\n"
    columns = "group_PDB type_symbol label_atom_id label_alt_id Cartn_x Cartn_y Cartn_z occupancy"
    tags = "".join(f"_atom_site.{column}\n" for column in columns.split())
    fractional = one(cif())
    rows = "".join(
        f"HETATM {fractional.elements[k]} {fractional.labels[k]} . {x} {y} {z} 1.00\n"
        for k, (x, y, z) in zip([0, 2, 4], fractional.positions[[0, 2, 4]].tolist(), strict=True)
    )
    crystal = one(f"{head}loop_\n{tags}{rows}")
    assert crystal.labels == fractional.labels
    np.testing.assert_allclose(crystal.positions, fractional.positions, atol=1e-9)


@pytest.mark.parametrize("label", ["H\u03b11", "H1\u2032", "H1\u2019", "'H\u03b11'"])
def test_labels_beyond_ascii_need_no_quotes(label):
    crystal = one(cif(WATER.replace("H1 H", f"{label} H")))
    assert crystal.labels[2] == label.strip("'")


def test_minus_signs_and_spaces_of_word_processors():
    plain = one(cif(WATER.replace("0.38", "-0.62")))
    odd = one(cif(WATER.replace("0.38", "\u22120.62").replace("O1 O", "O1\u00a0O")))
    np.testing.assert_array_equal(odd.positions, plain.positions)


def test_cif2():
    text = cif().replace("'x,y,z'", '"""x,y,z"""').replace("_cell_length_a", "_list [1 [2 'a]']]\n"
        "_table {'a':1\n 'b':2}\n_text '''several\nlines \"of\" it'''\n_cell.length_a")  # fmt: skip
    assert len(one("#\\#CIF_2.0\n" + text)) == 6
    lines = text.count("\n") + 1
    message = refused("#\\#CIF_2.0\n" + text + "H3 H 0.1\n", "3 values for the 5 names")
    assert message.endswith(f"at line {lines + 1}")


def test_letters_before_the_first_block_are_passed_over():
    assert len(one("This file was sent to you\n\n" + cif())) == 6
    assert isinstance(next(read_text("_cell_length_a 5\n" + cif(), "cif")), ReadError)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_cases(urea):
    for path in [*sorted(CASES.glob("text/*")), *sorted(CASES.glob("cif2/*"))]:
        (crystal,) = read(path)
        assert len(crystal) == (24 if path.parent.name == "text" else 16)
        assert {site.multiplicity for site in crystal.sites} <= {2, 4}
        if path.parent.name == "cif2":
            np.testing.assert_array_equal(crystal.positions, urea.positions)


def test_blocks_that_hold_nothing_take_no_time():
    start = time.process_time()
    (error,) = read_text("data_\n" * 90_000, "cif")
    assert time.process_time() - start < 5
    assert "90000 data blocks, all of them empty" in str(error)
    (error,) = read_text("data_a\n\n", "cif")
    assert error.message == "an empty data block"


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        ("loop_\n_smtbx_masks_void_nr\n_smtbx_masks_void_count_electrons\n1 19.8\n2 20.3\n",
         "solvent of 40 electrons was removed from the file (SMTBX)"),
        ("_platon_squeeze_void_nr 1\n", "solvent was removed from the file (SQUEEZE)"),
        ("_refine_special_details 'PLATON/SQUEEZE was used'\n", "solvent was removed"),
        ("_chemical_formula_moiety 'C8 H9 N O2 [+ solvent]'\n", "solvent was removed"),
        ("_chemical_formula_moiety 'C8 H9 N O2, [solvents]'\n", "solvent was removed"),
        ("_refine_special_details 'The Squeeze routine of PLATON'\n", "solvent was removed"),
        ("_olex2_refinement_description\n;\n1. Use Solvent Mask\n;\n", "solvent was removed"),
        ("_shelx_res_file\n;\nTITL x\nABIN\nFVAR 1\n;\n", "solvent was removed"),
    ],
)  # fmt: skip
def test_removed_solvent_is_told(lines, match):
    assert match in " ".join(one(cif(symmetry=lines + INVERSION)).warnings)
    assert not any("solvent" in text for text in one(cif()).warnings)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_masked_solvent():
    (crystal,) = read(CASES / "masked-solvent" / "c_masked_formula_without_water.cif")
    assert "solvent of 20 electrons was removed" in " ".join(crystal.warnings)


def test_many_names_and_lists_that_never_end_take_no_time():
    start = time.process_time()
    (error,) = read_text("data_a\n" + "".join(f"_x{k} 1\n" for k in range(60_000)), "cif")
    assert error.message == "no atom sites"
    assert len(list(read_text("#\\#CIF_2.0\ndata_a\n_x " + "[ " * 40_000, "cif"))) == 1
    assert time.process_time() - start < 5
