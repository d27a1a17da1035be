"""Output of gipaw.x, whose cell is that of pw.x."""

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import read, read_text

#: Water in an orthorhombic box of 10 × 12 × 14 Bohr.
PW = """
     Program PWSCF v.7.0 starts on  1Jan2022 at  0: 0: 0

     number of atoms/cell      =            3
     celldm(1)=  10.000000  celldm(2)=   0.000000  celldm(3)=   0.000000
     celldm(4)=   0.000000  celldm(5)=   0.000000  celldm(6)=   0.000000

     crystal axes: (cart. coord. in units of alat)
               a(1) = (   1.000000   0.000000   0.000000 )
               a(2) = (   0.000000   1.200000   0.000000 )
               a(3) = (   0.000000   0.000000   1.400000 )

     site n.     atom                  positions (alat units)
         1           O   tau(   1) = (   0.0000000   0.0000000   0.0000000  )
         2           H   tau(   2) = (   0.1810000   0.0000000   0.0000000  )
         3           H   tau(   3) = (  -0.0450000   0.1750000   0.0000000  )

!    total energy              =     -34.00000000 Ry
"""

NMR = """
     Program GIPAW v.7.0 starts on  1Jan2022 at  0: 1: 0

     Total NMR chemical shifts in ppm: ---------------------------------------
     (adopting the Simpson convention for anisotropy and asymmetry)-----------

     Atom  1  O   pos: (  0.000000  0.000000  0.000000)  Total sigma:         280.50
           280.5000          0.0000          0.0000

     Atom  2  H   pos: (  0.181000  0.000000  0.000000)  Total sigma:          30.10
            30.1000          0.0000          0.0000

     Atom  3  H   pos: ( -0.045000  1.375000  0.000000)  Total sigma:          31.20

     Initialization:
"""


def test_the_output_of_pw_in_the_same_file_or_beside_it(tmp_path):
    (tmp_path / "both.out").write_text(PW + NMR)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "nmr.out").write_text(NMR)
    (folder / "a-scf.out").write_text(PW.replace("0.1810000", "0.1910000"))
    (folder / "b-scf.out").write_text(PW)
    for path in (tmp_path / "both.out", folder / "nmr.out"):
        (crystal,) = read(path)
        assert crystal.source == str(path)
        assert crystal.elements.tolist() == ["O", "H", "H"]
        np.testing.assert_allclose(crystal.shieldings, [280.5, 30.1, 31.2])
        np.testing.assert_allclose(np.diag(crystal.cell), np.array([10, 12, 14]) * 0.5291772)
    assert "cell from b-scf.out" in crystal.warnings


def test_shieldings_without_their_cell_are_refused(tmp_path):
    for beside in (
        "",
        PW.replace("0.1810000", "0.1910000"),
        PW.replace("   O   tau", "   N   tau"),
    ):
        (tmp_path / "scf.out").write_text(beside)
        (tmp_path / "nmr.out").write_text(NMR)
        with pytest.raises(ReadError, match=r"put the output of pw\.x beside it"):
            read(tmp_path / "nmr.out")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (NMR.replace("30.10\n", "*****\n"), "cannot be understood"),
        (NMR[: NMR.index("Total NMR")], "printed no shieldings"),
        (NMR[: NMR.index("     Atom  1")], "no atoms with places"),
        (PW + NMR[: NMR.index("     Atom  3")], "shieldings without a cell"),
    ],
)
def test_what_is_cut_off_or_unreadable_is_refused(wrong, words):
    (error,) = read_text(wrong, "gipaw", "x.out")
    assert isinstance(error, ReadError)
    assert words in str(error)


def test_pw_alone_is_for_ase():
    (crystal,) = read_text(PW, "gipaw", "x.out")
    assert crystal.shieldings is None
    assert "read through ASE as espresso-out" in crystal.warnings
