"""Copies of a crystal are found, other crystals are not."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.structure.crystal import Crystal
from shiftcli.structure.fingerprint import fingerprint


def rewritten(crystal: Crystal, steps: list[list[int]], name: str = "") -> Crystal:
    """The same crystal in another cell, or in a multiple of its own."""
    from ase import Atoms
    from ase.build import make_supercell

    atoms = make_supercell(
        Atoms(crystal.elements.tolist(), crystal.positions, cell=crystal.cell, pbc=True), steps
    )
    symbols = atoms.get_chemical_symbols()
    return Crystal(np.array(symbols), atoms.positions, atoms.cell.array, tuple(symbols), name=name)


@pytest.mark.parametrize(
    "steps",
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 2], [0, 1, 1], [0, 0, 1]],
        [[2, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 1, 0], [-1, 1, 0], [0, 0, 1]],
    ],
)
def test_other_cells_of_one_crystal(urea, steps):
    copy = rewritten(urea, steps, name="another")
    assert fingerprint(copy).matches(fingerprint(urea))


def test_a_cell_that_differs_a_little(urea):
    a_little = replace(urea, cell=urea.cell * 1.005, positions=urea.positions * 1.005, name="b")
    much = replace(urea, cell=urea.cell * 1.02, positions=urea.positions * 1.02, name="b")
    assert fingerprint(a_little).matches(fingerprint(urea))
    assert not fingerprint(much).matches(fingerprint(urea))


def test_another_formula_in_the_same_cell(urea):
    other = np.where(urea.elements == "O", "N", urea.elements)
    assert not fingerprint(replace(urea, elements=other, name="b")).matches(fingerprint(urea))


def test_names(urea):
    named = replace(urea, name="UREAXX")
    grown = replace(urea, cell=urea.cell * 1.1, positions=urea.positions * 1.1)
    assert fingerprint(replace(grown, name="UREAXX")).matches(fingerprint(named))
    assert not fingerprint(replace(grown, name="")).matches(fingerprint(replace(urea, name="")))


def test_a_place_in_a_file_is_no_name(urea):
    grown = replace(urea, cell=urea.cell * 1.1, positions=urea.positions * 1.1, name="#3")
    assert not fingerprint(grown).matches(fingerprint(replace(urea, name="#3")))


def test_a_name_that_others_have(urea):
    other = replace(urea, elements=np.where(urea.elements == "O", "N", urea.elements))
    assert not fingerprint(other).matches(fingerprint(urea))


def test_molecules_are_known_by_name_alone():
    water = Crystal(
        np.array(["O", "H", "H"]),
        np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]),
        None,
        ("O1", "H1", "H2"),
    )
    assert not fingerprint(water).matches(fingerprint(water))
    named = replace(water, name="water")
    assert fingerprint(named).matches(fingerprint(named))


def test_a_displaced_copy_whose_cell_is_no_longer_centred(urea):
    """Twice the primitive cell, its halves no longer alike: known by its name alone."""
    named = replace(urea, name="UREAXX")
    double = rewritten(urea, [[2, 0, 0], [0, 1, 0], [0, 0, 1]], name="UREAXX")
    moves = np.random.default_rng(0).normal(0, 0.04, double.positions.shape)
    moved = replace(double, positions=double.positions + moves)
    assert fingerprint(moved).formula != fingerprint(named).formula
    assert fingerprint(moved).matches(fingerprint(named))
    assert not fingerprint(replace(moved, name="OTHER")).matches(fingerprint(named))
