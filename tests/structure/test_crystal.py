"""The record of a crystal: its formula, its sites, copies with something changed."""

import numpy as np

from shiftcli.structure.crystal import Crystal

WATER = np.array([[1.0, 1, 1], [1.96, 1, 1], [0.76, 1.93, 1]])


def make(elements="O H H", positions=WATER, cell=6.0, **options):
    elements = np.array(elements.split())
    labels = options.pop("labels", tuple(f"{e}{k}" for k, e in enumerate(elements.tolist())))
    matrix = None if cell is None else np.eye(3) * cell
    return Crystal(elements, np.array(positions, dtype=float), matrix, labels, **options)


def test_formula_and_place_of_a_crystal():
    crystal = make()
    assert crystal.formula == "H2 O"
    assert len(crystal) == 3
    assert make("C H O", WATER).formula == "C H O"
    assert make(source="a.cif", name="b").where == "a.cif: b"


def test_sites_follow_the_order_of_their_first_atoms():
    ids = np.array([7, 2, 2])
    first, second = make(site_ids=ids).sites
    assert (first.label, first.multiplicity, first.species) == ("O0", 1, "17O")
    assert (second.label, second.multiplicity, second.species) == ("H1", 2, "1H")
    assert second.atoms.tolist() == [1, 2]


def test_atoms_that_stay_keep_their_sites_flags_and_values():
    ids = np.array([0, 1, 1, 2, 3])
    values = np.arange(5.0)
    crystal = make("O H H P O", [*WATER, [4, 4, 4], [4, 5.4, 4]], site_ids=ids,
                   shieldings=values, baseline=values + 1)  # fmt: skip
    kept = crystal.with_flag(np.array([2, 4]), "seen").take(crystal.elements != "P")
    assert kept.elements.tolist() == ["O", "H", "H", "O"]
    assert kept.site_ids.tolist() == kept.site_numbers.tolist() == [0, 1, 1, 2]
    assert kept.flags == {1: ("seen",), 2: ("seen",)}
    assert kept.shieldings.tolist() == [0, 1, 2, 4]
    assert kept.baseline.tolist() == [1, 2, 3, 5]
    assert kept.labels[-1] == "O4"


def test_no_two_sites_have_one_label():
    """Copies that are no longer alike are told apart, without taking the label of another."""
    positions = np.arange(15.0).reshape(5, 3)
    crystal = make("C C C O O", positions, labels=("C1", "C1", "C1_2", "O1", "O1"),
                   site_ids=np.array([0, 1, 2, 3, 3]))  # fmt: skip
    assert [site.label for site in crystal.sites] == ["C1", "C1_3", "C1_2", "O1"]
