"""Bonded environments of molecules whose bonds are known."""

import numpy as np
import pytest

from shiftcli.structure.bonded import bonded_environments, count_families
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.crystal import Crystal


def of_molecule(name: str) -> Crystal:
    from ase.build import molecule

    atoms = molecule(name)
    symbols = atoms.get_chemical_symbols()
    return Crystal(np.array(symbols), atoms.positions, None, tuple(symbols), name=name)


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "CH3CONH2": {
            "C0(C4,N3,O1)", "C3(C3)", "N2(C3)", "O0(C3)", "H-C3(C3)", "H-N2(C3)",
        },
        "CH3CN": {"C3(C2)", "C0(C4,N1)", "N0(C2)", "H-C3(C2)"},
        "C3H4_D2d": {"C0(C3,C3)", "C2(C2)", "H-C2(C2)"},  # allene
        "H2O": {"O2()", "H-O2()"},
    }.items(),
)  # fmt: skip
def test_molecules(name, expected):
    assert set(bonded_environments(find_bonds(of_molecule(name)))) == expected


def test_a_hydrogen_without_a_bond():
    lonely = Crystal(np.array(["H"]), np.zeros((1, 3)), None, ("H1",))
    assert bonded_environments(find_bonds(lonely)).tolist() == ["H"]


def test_families_count_once():
    water, nitrile = of_molecule("H2O"), of_molecule("CH3CN")
    counts = count_families([water, water, nitrile, water], ["a", "a", "b", "c"])
    assert counts["O2()"] == 2
    assert counts["N0(C2)"] == 1
    assert list(counts) == sorted(counts)


def test_the_walls_of_the_cell_do_not_matter(urea):
    found = bonded_environments(find_bonds(urea))
    assert set(found) == {"C0(N3,N3,O1)", "N2(C3)", "O0(C3)", "H-N2(C3)"}
