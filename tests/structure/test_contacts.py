"""Hydrogen bonds and distances to other elements, across the walls of the cell."""

import numpy as np
import pytest

from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.contacts import distances_to_others, hydrogen_bonds
from shiftcli.structure.crystal import Crystal

DIMER = np.array(
    [[0, 0, 0], [0.97, 0, 0], [-0.24, 0.93, 0], [2.87, 0, 0], [3.2, 0.9, 0], [3.2, -0.9, 0]]
)


def waters(cell=None, shift=0.0):
    symbols = np.array(["O", "H", "H", "O", "H", "H"])
    return Crystal(symbols, DIMER + shift, cell, tuple(symbols))


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_a_hydrogen_bond_belongs_to_three_atoms(shift):
    cell = np.eye(3) * 12.0
    for crystal in (waters(), waters(cell, shift)):
        found = hydrogen_bonds(crystal, find_bonds(crystal))
        assert found[[0, 1, 3]] == pytest.approx(1.9)
        assert np.isinf(found[[2, 4, 5]]).all()


def test_urea(urea):
    found = hydrogen_bonds(urea, find_bonds(urea))
    assert (found[urea.elements == "H"] < 2.2).all()
    assert np.isinf(found[urea.elements == "C"]).all()


def test_other_elements():
    crystal = waters(np.eye(3) * 12.0)
    assert np.isinf(distances_to_others(crystal)).all()
    elements = crystal.elements.astype("<U2")
    elements[0] = "Cl"
    changed = Crystal(elements, crystal.positions, crystal.cell, crystal.labels)
    expected = np.linalg.norm(crystal.positions - crystal.positions[0], axis=1)
    assert distances_to_others(changed) == pytest.approx(expected)
    far = Crystal(
        np.array(["O", "Cl"]), np.array([[0.5, 0, 0], [9.5, 0, 0]]), np.eye(3) * 10.0, ("O", "Cl")
    )
    assert distances_to_others(far) == pytest.approx([1.0, 0.0])
