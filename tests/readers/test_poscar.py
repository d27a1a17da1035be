"""POSCAR and CONTCAR."""

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import read_text

POSCAR = """urea
1.0
5.0 0.0 0.0
0.0 6.0 0.0
0.0 0.0 7.0
O H
1 2
Selective dynamics
Direct
0.1 0.2 0.3 T T F
0.2 0.2 0.3 T T F
0.1 0.3 0.3 F F F
"""


def notes(crystal):
    """The warnings, but for that of the space: the cells here are roomy."""
    return tuple(text for text in crystal.warnings if "Å³ for each atom" not in text)


def test_poscar_with_selective_dynamics():
    (crystal,) = read_text(POSCAR, "poscar", "POSCAR")
    assert crystal.name == "urea"
    assert sorted(crystal.labels) == ["H1", "H2", "O1"]
    np.testing.assert_allclose(crystal.positions[1], [1.0, 1.2, 2.1])
    assert notes(crystal) == ()


@pytest.mark.parametrize("text", [POSCAR[:-40], "x\n", POSCAR.replace("1 2\n", "a b\n")])
def test_broken_poscar(text):
    (error,) = read_text(text, "poscar", "POSCAR")
    assert isinstance(error, ReadError)
    assert "not a readable POSCAR" in str(error)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (POSCAR.replace("O H\n", ""), "no element symbols, as in a file of VASP 4"),
        (POSCAR.rstrip("\n") + "\n0.5 0.5 0.5\n", "more atoms than the 3 announced"),
        (POSCAR + "Direct configuration=  2\n0 0 0\n", "'Direct configuration= 2' after the atoms"),
        (POSCAR + POSCAR, "'urea' after the atoms: several structures in one file?"),
        (POSCAR.replace("0.3 0.3", "0_3.3 0.3"), "'0_3.3' is no number"),
        (POSCAR.replace("6.0", "6,0"), "not a readable POSCAR"),
        (POSCAR.replace("O H\n", "O Xx\n"), "no element is called 'Xx'"),
        (POSCAR.replace("O H\n", "O\n"), "1 element, but 2 numbers of atoms"),
    ],
)
def test_what_would_be_read_as_something_else(text, match):
    (error,) = read_text(text, "poscar", "POSCAR")
    assert isinstance(error, ReadError)
    assert match in str(error)


def test_velocities_and_symbols_in_the_title():
    (crystal,) = read_text(POSCAR + "\n0.0 0.0 0.1\n0 0 0\n0 0 0\n", "poscar")
    assert len(crystal) == 3
    (crystal,) = read_text(POSCAR.replace("O H\n", "").replace("urea", "O H"), "poscar")
    assert crystal.elements.tolist() == ["O", "H", "H"]
