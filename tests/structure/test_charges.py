"""Ions and radicals are told from neutral molecules."""

import numpy as np
import pytest

from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.charges import ions_and_radicals
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.valences import net_charge


def crystal_of(*molecules):
    """Molecules beside each other, 20 Å apart."""
    symbols, positions = [], []
    for k, atoms in enumerate(molecules):
        symbols += atoms.get_chemical_symbols()
        positions += np.add(atoms.positions, [20.0 * k, 0, 0]).tolist()
    return Crystal(np.array(symbols), np.array(positions), None, tuple(symbols))


def build(name):
    from ase import Atoms
    from ase.build import molecule

    if name == "ammonium":
        corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
        return Atoms("NH4", [[0, 0, 0], *(1.03 * corners)])
    if name == "oxalate":
        c = [[0.78, 0, 0], [-0.78, 0, 0]]
        right = [[1.4, 1.08, 0], [1.4, -1.08, 0]]
        left = [[-x, y, z] for x, y, z in right]
        return Atoms("C2O4", [*c, *right, *left])
    if name == "acetate":
        atoms = molecule("CH3COOH")
        oxygens = np.flatnonzero(atoms.numbers == 8)
        hydrogens = np.flatnonzero(atoms.numbers == 1)
        nearest = min(hydrogens, key=lambda h: atoms.get_distances(h, oxygens).min())
        del atoms[int(nearest)]
        return atoms
    return molecule(name)


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("CH3COOH", False),
        ("H2O", False),
        ("CH3NO2", False),
        ("C5H5N", False),
        ("CO2", False),
        ("ammonium", True),
        ("acetate", True),
        ("oxalate", True),
        ("CH3", True),
        ("NO2", True),
    ],
)
def test_one_molecule(name, marked):
    found = ions_and_radicals(crystal_of(build(name)))
    assert found.tolist() == [marked] * len(found)


def test_each_molecule_by_itself():
    water, ammonium = build("H2O"), build("ammonium")
    found = ions_and_radicals(crystal_of(water, ammonium, water))
    assert found.tolist() == [False] * 3 + [True] * 5 + [False] * 3


def test_no_bonds_at_all():
    lonely = Crystal(np.array(["Cl", "O"]), np.array([[0, 0, 0], [9.0, 0, 0]]), None, ("a", "b"))
    assert ions_and_radicals(lonely).tolist() == [True, True]


@pytest.mark.parametrize("name", ["CH3COOH", "CH3NO2", "ammonium", "acetate", "oxalate", "CH3"])
def test_the_mark_agrees_with_the_note_on_the_charge(name):
    crystal = crystal_of(build(name))
    bonds = find_bonds(crystal)
    assert ions_and_radicals(crystal).any() == bool(net_charge(crystal, bonds))
