"""Bonds reach across the walls of the cell, and groups follow from them."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.structure.bonds import Bonds, find_bonds, rotors
from shiftcli.structure.crystal import Crystal


def from_ase(atoms, cell=None):
    elements = np.array(atoms.get_chemical_symbols())
    return Crystal(elements, atoms.positions.copy(), cell, tuple(elements))


def molecule(name):
    from ase.build import molecule as build

    return from_ase(build(name))


def test_urea_has_the_bonds_of_urea(urea):
    bonds = find_bonds(urea)
    counts = {e: set(bonds.coordination[urea.elements == e].tolist()) for e in "HCNO"}
    assert counts == {"H": {1}, "C": {3}, "N": {3}, "O": {1}}
    carbon = int(np.argmax(urea.elements == "C"))
    assert sorted(urea.elements[bonds.neighbours[carbon]]) == ["N", "N", "O"]
    assert bonds.elements[bonds.neighbours[carbon][0]] == "O"  # the nearest


def test_walls_of_the_cell_cut_no_bond(urea):
    """Moved by a third of the cell and folded back, every atom has the same neighbours."""
    fractional = (urea.positions @ np.linalg.inv(urea.cell) + 1 / 3) % 1.0
    moved = replace(urea, positions=fractional @ urea.cell)
    for here, there in zip(find_bonds(urea).neighbours, find_bonds(moved).neighbours, strict=True):
        assert sorted(here) == sorted(there)


def test_a_chain_is_bonded_to_its_own_images():
    """Polyyne of one C2 a cell: each atom is bonded to the other on both sides."""
    chain = Crystal(
        np.array(["C", "C"]),
        np.array([[0.0, 0, 0], [1.2, 0, 0]]),
        np.diag([2.6, 9.0, 9.0]),
        ("C1", "C2"),
    )
    assert [near.tolist() for near in find_bonds(chain).neighbours] == [[1, 1], [0, 0]]


def test_other_elements_are_bonded_by_their_radii():
    bonds = find_bonds(molecule("CH3Cl"))
    assert bonds.coordination[bonds.elements == "Cl"].tolist() == [1]  # none to the hydrogens
    assert bonds.coordination[bonds.elements == "C"].tolist() == [4]
    assert bonds.count("H", "C")[bonds.elements == "C"].tolist() == [3]
    none = Crystal(np.array(["Cl"]), np.zeros((1, 3)), None, ("Cl1",))
    assert find_bonds(none).coordination.tolist() == [0]
    assert find_bonds(Crystal(np.array([]), np.zeros((0, 3)), None, ())).neighbours == ()


@pytest.mark.parametrize(
    ("places", "bonds"),
    [
        ([0, 1.3, 2.6], [[1], [0, 2], [1]]),  # in the middle of a hydrogen bond
        ([0, 1.28, 2.6], [[1], [0], []]),
        ([0, 1.22, 2.36], [[], [2], [1]]),  # the nearest, and no other beyond 1.2
        ([0, 1.36, 2.9], [[], [], []]),
    ],
)
def test_a_shared_hydrogen_is_bonded_to_the_nearest(places, bonds):
    positions = np.pad(np.array(places, dtype=float)[:, None], ((0, 0), (0, 2)))
    crystal = Crystal(np.array(["O", "H", "O"]), positions, None, ("O", "H", "O"))
    assert [near.tolist() for near in find_bonds(crystal).neighbours] == bonds


def test_hydrogens_are_not_bonded_to_each_other():
    positions = np.array([[0.0, 0, 0], [1.1, 0, 0]])
    assert find_bonds(Crystal(np.array(["H", "H"]), positions, None, "HH")).neighbours[0].size == 0


@pytest.mark.parametrize(
    ("name", "centre", "groups"),
    [
        ("CH3CH2OH", "C", 1), ("CH3CH2OH", "N", 0), ("isobutane", "C", 3), ("CH3CH2NH2", "N", 0),
        ("CH4", "C", 0), ("NH3", "N", 1), ("CH3Cl", "C", 1),
    ],
)  # fmt: skip
def test_rotors(name, centre, groups):
    crystal = molecule(name)
    found = rotors(find_bonds(crystal), centre)
    assert len(found) == groups
    for carrier, hydrogens in found:
        assert crystal.elements[carrier] == centre
        assert crystal.elements[hydrogens].tolist() == ["H"] * 3
        distance = np.linalg.norm(crystal.positions[hydrogens] - crystal.positions[carrier], axis=1)
        assert distance.max() < 1.2


def test_vectors_lead_to_the_neighbours_across_walls(urea):
    fractional = (urea.positions @ np.linalg.inv(urea.cell) + 1 / 3) % 1.0
    moved = replace(urea, positions=fractional @ urea.cell)
    bonds = find_bonds(moved)
    for atom, (near, ways) in enumerate(zip(bonds.neighbours, bonds.vectors, strict=True)):
        assert ways.shape == (len(near), 3)
        assert (np.linalg.norm(ways, axis=1) < 1.75).all()
        steps = (moved.positions[atom] + ways - moved.positions[near]) @ np.linalg.inv(moved.cell)
        assert steps == pytest.approx(steps.round(), abs=1e-9)


def test_molecules_are_numbered_by_their_first_atoms(urea):
    number = find_bonds(urea).molecules
    assert np.bincount(number).tolist() == [8, 8]
    assert number[0] == 0
    alone = Bonds(np.array(["O", "H", "N"]), (np.array([1]), np.array([0]), np.array([], int)), ())
    assert alone.molecules.tolist() == [0, 0, 1]
