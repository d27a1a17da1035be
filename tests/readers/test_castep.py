"""Output of CASTEP: structure and table of shieldings."""

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import iter_structures, read, read_text

HEAD = " |      CCC   AA    SSS  TTTTT  EEEEE  PPPP        |\n"

#: Water in a box, as CASTEP prints a cell and its contents.
CELL = """
           Real Lattice({unit})              Reciprocal Lattice(1/A)
     5.0000000     0.0000000     0.0000000        1.256637061   0.000000000   0.000000000
     0.0000000     {b}     0.0000000        0.000000000   1.047197551   0.000000000
     0.0000000     0.0000000     7.0000000        0.000000000   0.000000000   0.897597901

            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            x  Element    Atom        Fractional coordinates of atoms  x
            x            Number           u          v          w      x
            x----------------------------------------------------------x
            x  H            1         0.192000   0.000000   0.000000   x
            x  {second}            2        -0.048000   0.155000   0.000000   x
            x  O            1         0.000000   0.000000   0.000000   x
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
"""

TABLE = """
 ===============================================================================
 |                Chemical Shielding and Electric Field Gradient Tensors       |
 |-----------------------------------------------------------------------------|
 |     Nucleus                       Shielding tensor             EFG Tensor   |
 |    Species            Ion    Iso(ppm)   Aniso(ppm)  Asym    Cq(MHz)    Eta  |
 |    H                  1       30.10      20.00      0.10   1.500E-01   0.10 |
 |    {second}                  2       31.20     -21.00       N/A   1.600E-01   0.12 |
 |    O                  1     -280.50     350.00      0.51   7.000E+00   0.25 |
 ===============================================================================
"""


def text(b="6.0000000", second="H", unit="A", table=TABLE):
    return HEAD + CELL.format(b=b, second=second, unit=unit) + table.format(second=second)


def test_the_last_structure_and_its_shieldings(tmp_path):
    for name in ("water.castep", "noname"):
        # An optimisation and, of another run in the same file, a first table.
        (tmp_path / name).write_text(text(b="8.0000000") + text())
        (crystal,) = read(tmp_path / name)
        assert crystal.labels == ("H1", "H2", "O1")
        np.testing.assert_allclose(crystal.shieldings, [30.1, 31.2, -280.5])
        np.testing.assert_allclose(crystal.cell, np.diag([5.0, 6.0, 7.0]))
        bonds = np.linalg.norm(crystal.positions[:2] - crystal.positions[2], axis=1)
        assert bonds[0] == pytest.approx(0.96)


def test_a_table_of_shieldings_alone_and_marked_species():
    title = "Chemical Shielding and Electric Field Gradient Tensors"
    alone = TABLE.replace(title, "Chemical Shielding Tensors").replace("   1.500E-01   0.10", "")
    (crystal,) = read_text(text(second="H:D", table=alone), "castep")
    assert crystal.elements.tolist() == ["H", "H", "O"]
    np.testing.assert_allclose(crystal.shieldings, [30.1, 31.2, -280.5])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (HEAD + TABLE.format(second="H"), "no cell or no atoms"),
        (text(unit="a0"), "lattice in a0, not Angstrom"),
        (text(table=TABLE.replace("-280.50", "*******")), "cannot be understood"),
        (text(table=TABLE.replace("|    O ", "|    N ")), "shieldings of 3 atoms, but 3 atoms"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, words):
    (error,) = read_text(wrong, "castep", "x.castep")
    assert isinstance(error, ReadError)
    assert words in str(error)


def test_without_shieldings_it_is_for_ase(tmp_path):
    (tmp_path / "a.castep").write_text(HEAD + "cut off\n")
    (error,) = iter_structures(tmp_path / "a.castep")
    assert "castep-castep" in str(error)
