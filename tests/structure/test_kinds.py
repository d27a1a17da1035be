"""Kinds of environments of molecules whose chemistry is known."""

from collections import Counter

import numpy as np
import pytest

from shiftcli.structure.crystal import Crystal
from shiftcli.structure.kinds import CLASSES, environment_classes


def classes(elements, positions):
    crystal = Crystal(np.array(elements), np.array(positions, dtype=float), None, tuple(elements))
    return [(e, c) for e, c in zip(elements, environment_classes(crystal), strict=True)]


def of_molecule(name):
    from ase.build import molecule

    atoms = molecule(name)
    return Counter(classes(atoms.get_chemical_symbols(), atoms.positions))


METHYL = {("H", "methyl"): 3, ("C", "CH3"): 1}

EXPECTED = {
    "CH3CH2OH": {
        **METHYL, ("H", "aliphatic C-H"): 2, ("H", "O-H"): 1, ("C", "CH2"): 1,
        ("O", "hydroxyl"): 1,
    },
    "CH3CONH2": {
        **METHYL, ("H", "N-H"): 2, ("C", "carbonyl/carboxyl"): 1, ("N", "N-H"): 1,
        ("O", "carbonyl/carboxyl"): 1,
    },
    "CH3COOH": {
        **METHYL, ("H", "O-H"): 1, ("C", "carbonyl/carboxyl"): 1, ("O", "carbonyl/carboxyl"): 1,
        ("O", "hydroxyl"): 1,
    },
    "HCOOCH3": {
        **METHYL, ("H", "aromatic/olefinic C-H"): 1, ("C", "carbonyl/carboxyl"): 1,
        ("O", "carbonyl/carboxyl"): 1, ("O", "ether/ester"): 1,
    },
    "CH3CN": {**METHYL, ("C", "nitrile/alkyne"): 1, ("N", "nitrile"): 1},
    "C3H4_C3v": {**METHYL, ("C", "nitrile/alkyne"): 2, ("H", "other"): 1},
    "CH3NO2": {**METHYL, ("N", "nitro"): 1, ("O", "nitro"): 2},
    "C5H5N": {
        ("H", "aromatic/olefinic C-H"): 5, ("C", "aromatic/olefinic"): 5, ("N", "pyridine-like"): 1
    },
    "C4H4NH": {
        ("H", "aromatic/olefinic C-H"): 4, ("H", "N-H"): 1, ("C", "aromatic/olefinic"): 4,
        ("N", "N-H"): 1,
    },
    "C3H9N": {("H", "methyl"): 9, ("C", "CH3"): 3, ("N", "tertiary"): 1},
    "isobutane": {
        ("H", "methyl"): 9, ("H", "aliphatic C-H"): 1, ("C", "CH3"): 3, ("C", "CH"): 1
    },
    "CH3OCH3": {("H", "methyl"): 6, ("C", "CH3"): 2, ("O", "ether/ester"): 1},
    "H2O": {("H", "O-H"): 2, ("O", "water"): 1},
    "CH4": {("H", "aliphatic C-H"): 4, ("C", "CH3"): 1},
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_molecules(name):
    found = of_molecule(name)
    assert found == EXPECTED[name]
    assert all(kind in CLASSES[element] for element, kind in found)


def test_urea(urea):
    kinds = environment_classes(urea)
    expected = {"H": "N-H", "C": "carbonyl/carboxyl", "N": "N-H", "O": "carbonyl/carboxyl"}
    assert {e: set(kinds[urea.elements == e]) for e in "HCNO"} == {
        e: {kind} for e, kind in expected.items()
    }


def test_ions_and_quaternary_carbon():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
    ammonium = classes(["N", *"HHHH"], [[0, 0, 0], *(1.03 * corners)])
    assert ammonium[:2] == [("N", "ammonium"), ("H", "N-H")]
    neopentane_core = classes(["C", *"CCCC"], [[0, 0, 0], *(1.53 * corners)])
    assert neopentane_core[0] == ("C", "quaternary")
    angles = np.deg2rad([0, 120, 240])
    ring = 1.25 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    assert classes(["N", *"OOO"], [[0, 0, 0], *ring])[:2] == [("N", "nitro"), ("O", "nitro")]


def test_a_proton_between_two_belongs_to_the_nearer():
    kinds = classes(["O", "H", "N"], [[0, 0, 0], [1.19, 0, 0], [2.30, 0, 0]])
    assert kinds[1] == ("H", "N-H")


def test_atoms_alone_and_other_elements():
    kinds = classes(["H", "C", "Cl"], [[0, 0, 0], [5, 0, 0], [10, 0, 0]])
    assert [kind for _, kind in kinds] == ["other"] * 3
