"""SHELX files."""

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import read_text

UREA = """TITL urea in P-42(1)m
CELL 0.71073 5.565 5.565 4.684 90 90 90
ZERR 2 0.001 0.001 0.001 0 0 0
LATT -1
SYMM -X, -Y, Z
SYMM Y, -X, -Z
SYMM -Y, X, -Z
SYMM 0.5-X, 0.5+Y, -Z
SYMM 0.5+X, 0.5-Y, -Z
SYMM 0.5-Y, 0.5-X, Z
SYMM 0.5+Y, 0.5+X, Z
SFAC C O N H
UNIT 2 2 4 8
L.S. 4
FVAR 0.5 0.75
C1 1 10.0 10.5 0.3260 10.25 0.02 0.02 =
   0.01 0.01
O1 2 0 0.5 0.5953 10.25
N1 3 0.1459 0.6459 0.1766 10.5
H1 4 0.2575 0.7575 0.2827 10.5 -1.2
H2 4 0.1441 0.6441 -0.0380 10.5 -1.2
Q1 1 0.3 0.3 0.3 11.0 0.05 1.2
HKLF 4
"""
AIRSS = "TITL run-7 0 61 -20\nCELL 1.54180 4 5 6 90 90 90\nLATT -1\nSFAC C H\n"
AIRSS += "C 1 0.1 0.1 0.1 1.0\nH 2 0.1 0.3 0.1 1.0\nEND\n"


def one(text):
    (item,) = read_text(text, "res", "f.res")
    if isinstance(item, ReadError):
        raise item
    return item


def test_symmetry_and_occupancies(urea):
    crystal = one(UREA)
    assert (crystal.name, crystal.warnings) == ("urea", ())
    assert crystal.labels == urea.labels
    np.testing.assert_allclose(crystal.positions, urea.positions, atol=1e-9)


def test_all_atoms_of_airss():
    crystal = one(AIRSS)
    assert (crystal.name, crystal.labels) == ("run-7", ("C1", "H1"))


def test_centring_and_inversion():
    text = AIRSS.replace("LATT -1", "LATT 7").replace("4 5 6", "8 9 9")
    assert one(text).formula == "C4 H4"


def test_parts_and_free_variables():
    parts = "PART 1\nH 2 0.1 0.3 0.1 21.0\nPART 2\nH 2 0.1 0.1 0.3 -21.0\nPART 0\n"
    crystal = one(AIRSS.replace("H 2 0.1 0.3 0.1 1.0\n", "FVAR 0.5 0.75\n" + parts))
    assert "1 minor site left out: no. 3" in " ".join(crystal.warnings)


def test_an_open_end_and_removed_solvent_are_told():
    assert "no HKLF and no END" in " ".join(one(AIRSS.removesuffix("END\n")).warnings)
    assert "solvent was removed" in one(UREA.replace("L.S. 4", "L.S. 4\nABIN")).warnings[-1]


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("H 2 0.1 0.3 0.1 1.0\nEND", "H 2 0.1", "line 6 cannot be understood"),
        ("0.6459 0.1766", "0.6459 0,1766", "line 19 cannot be understood"),
        ("CELL 0.71073 5.565", "CELL 0.71073 5_565", "cannot be understood"),
        ("N1 3", "N1 9", "line 19 cannot be understood"),
        ("-Y, X, -Z", "-Y, oops, -Z", "line 7 cannot be understood"),
        ("SFAC C O N H\n", "", "cannot be understood|no CELL, or no SFAC"),
        (
            "UNIT",
            "CELL 0.71073 5.565 5.565 4.684 90 90 90\nUNIT",
            "several .* CELL .* 2 times",
        ),
        ("LATT -1", "LATT 9", "cannot be understood"),
    ],
)
def test_refusals(old, new, match):
    with pytest.raises(ReadError, match=match):
        one((AIRSS if old in AIRSS else UREA).replace(old, new))
