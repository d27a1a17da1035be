"""Magres files."""

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import read_text

HEAD = """#$magres-abinitio-v1.0
[calculation]
calc_code CASTEP
[/calculation]
[atoms]
units lattice Angstrom
lattice 5 0 0 0 6 0 0 0 7
units atom Angstrom
"""
ATOMS = "atom O O 1 1 1 1\natom H H 1 1.9 1 1\natom H H 2 0.8 1.9 1\n"
INVERSION = "symmetry x,y,z\nsymmetry -x,-y,-z\n"
TENSORS = "ms O 1 240 1 2 3 250 4 5 6 260\nms H 2 26 0 0 0 26 0 0 0 26\n"


def magres(atoms=ATOMS, tensors=TENSORS, head=HEAD):
    return f"{head}{atoms}[/atoms]\n[magres]\nunits ms ppm\n{tensors}[/magres]\n"


def notes(crystal):
    """The warnings, but for that of the space: the cells here are roomy."""
    return tuple(text for text in crystal.warnings if "Å³ for each atom" not in text)


def one(text):
    (item,) = read_text(text, "magres", "f.magres")
    if isinstance(item, ReadError):
        raise item
    return item


def test_labels_and_isotropic_shieldings():
    crystal = one(magres())
    assert crystal.labels == ("O1", "H1", "H2")
    np.testing.assert_allclose(crystal.shieldings, [250, np.nan, 26])
    np.testing.assert_array_equal(np.diag(crystal.cell), [5, 6, 7])
    assert notes(crystal) == ()


def test_asymmetric_unit_is_expanded():
    crystal = one(magres(INVERSION + ATOMS))
    assert crystal.formula == "H4 O2"
    assert [site.multiplicity for site in crystal.sites] == [2, 2, 2]
    np.testing.assert_allclose(crystal.shieldings[:2], 250)


def test_all_atoms_with_symmetry_lines_are_kept():
    more = "atom O O 2 4 5 6\natom H H 3 3.1 5 6\natom H H 4 4.2 4.1 6\n"
    crystal = one(magres(INVERSION + ATOMS + more))
    assert len(crystal) == 6
    assert [site.multiplicity for site in crystal.sites] == [2, 2, 2]
    # Some of the copies alone: the same crystal.
    some = one(magres(INVERSION + ATOMS + more.splitlines()[0] + "\n"))
    assert "1 of 4 atom sites are copies of others, counted once: O2" in some.warnings[0]
    np.testing.assert_allclose(some.positions, crystal.positions, atol=1e-9)


def test_glued_label_and_index():
    atoms = ATOMS + "atom H H100 3 3 3\n"
    crystal = one(magres(atoms, TENSORS + "ms H100 27 0 0 0 27 0 0 0 27\n"))
    assert crystal.labels[-1] == "H100"
    assert crystal.shieldings[-1] == 27


def test_custom_species_that_repeat():
    atoms = ATOMS + "atom H:1 H 1 3 3 3\n"
    crystal = one(magres(atoms))
    assert crystal.shieldings is None
    assert "H 1 names more than one atom" in crystal.warnings[0]
    assert crystal.labels[-1] == "H1_2"


def test_without_lattice_it_is_a_molecule():
    assert one(magres(head=HEAD.replace("lattice 5 0 0 0 6 0 0 0 7\n", ""))).cell is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("atoms\n", "not a magres file"),
        (magres(""), "no atoms"),
        (magres(ATOMS.replace("1.9 1 1", "1_9.1 1 1")), "line 10 cannot be understood"),
        (magres(ATOMS[: ATOMS.index("atom H H 2")]), "a tensor of H 2, which is not among the a"),
        (magres(head=HEAD + "lattice 5 0 0 0 6 0 0 0 7\n"), "two lattices"),
        (magres()[:-50], "cut off|cannot be understood"),
        (magres(ATOMS.replace("1.9 1 1", "1.9 1 ?")), "line 10 cannot be understood"),
        (magres(ATOMS.replace("1.9 1 1", "1.9 1 nan")), "line 10 cannot be understood"),
        (magres(ATOMS.replace("atom O", "atom Jq")), "no element is called 'Jq'"),
        (magres(head=HEAD.replace("5 0 0 0 6 0", "5 0 0 5 0 0")), "no volume"),
        (magres(head=HEAD.replace("atom Angstrom", "atom Bohr")), "atom in Bohr"),
        (magres("symmetry x,y,oops\n" + ATOMS), "no symmetry operation"),
        (magres("symmetry x,y,z\nsymmetry x,y,z+1/3\n" + ATOMS), "no space group"),
        (magres("symmetry x,y,z\nsymmetry y,x,z\n" + ATOMS), "does not obey"),
    ],
)
def test_refusals_in_one_line(text, match):
    with pytest.raises(ReadError, match=match) as caught:
        one(text)
    assert "\n" not in str(caught.value)


def test_symmetry_by_name():
    crystal = one(magres("symmetry P 2(1)2(1)2(1)\n" + ATOMS))
    assert [site.multiplicity for site in crystal.sites] == [4, 4, 4]


def test_a_tensor_given_twice():
    again = "ms H 2 26 0 0 0 26 0 0 0 26\n"
    assert "the tensor of H 2 is given twice" in notes(one(magres(tensors=TENSORS + again)))
    glued = again.replace("H 2", "H2").replace("26\n", "27\n")
    with pytest.raises(ReadError, match="two tensors of H 2 that differ"):
        one(magres(tensors=TENSORS + glued))


def test_glued_names_of_tensors_mean_the_atom_whatever_its_label():
    atoms = ATOMS.replace("H H 2", "H H1 2")
    tensor = "ms H12 26 0 0 0 26 0 0 0 26\n"
    np.testing.assert_allclose(one(magres(atoms, tensor)).shieldings, [np.nan, np.nan, 26])
    both = atoms.replace("H H 1 ", "H H 12 ")
    np.testing.assert_allclose(one(magres(both, tensor)).shieldings, [np.nan, 26, np.nan])
    two = ATOMS.replace("H H 1 ", "H H1 12 ").replace("H H 2 ", "H H11 2 ")
    with pytest.raises(ReadError, match="a tensor of H 112, which names more than one atom"):
        one(magres(two, tensor.replace("H12", "H112")))
