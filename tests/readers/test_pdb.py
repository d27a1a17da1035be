"""PDB files."""

from pathlib import Path

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import iter_structures, read_text

CASES = Path(__file__).parents[3] / "shared" / "cases" / "cut-off"

CRYST = "CRYST1    5.000    6.000    7.000  90.00  90.00  90.00 P 1 21 1      2\n"


def atom(name, element, x, y, z, altloc=" ", occupancy=1.0, residue="HOH", number=1):
    return (
        f"HETATM    1 {name:<4}{altloc}{residue:>3} A{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}"
        f"{occupancy:6.2f}  0.00          {element:>2}\n"
    )


WATER = (
    atom(" O", "O", 1, 1, 1) + atom(" H1", "H", 1.9, 1, 1) + atom(" D2", "D", 0.8, 1.9, 1) + "END\n"
)


def one(text, **options):
    (item,) = read_text(text, "pdb", "f.pdb", **options)
    if isinstance(item, ReadError):
        raise item
    return item


def test_space_group_is_applied():
    crystal = one(CRYST + WATER)
    assert crystal.formula == "H4 O2"
    assert [site.multiplicity for site in crystal.sites] == [2, 2, 2]
    assert [site.label for site in crystal.sites] == ["O", "H1", "D2"]
    np.testing.assert_allclose(np.diag(crystal.cell), [5, 6, 7])


DUMMY = "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1\n"


@pytest.mark.parametrize("head", ["", DUMMY])
def test_without_a_cell_it_is_a_molecule(head):
    crystal = one(head + WATER)
    assert crystal.cell is None
    np.testing.assert_allclose(crystal.positions[1], [1.9, 1, 1], atol=1e-6)
    assert "isolated molecule" in crystal.warnings[0]


def test_signs_beyond_ascii_do_not_shift_the_columns():
    assert one(CRYST + WATER.replace(" HOH A", " Hé  é")).formula == "H4 O2"


def test_p1_cell():
    assert len(one(CRYST.replace("P 1 21 1", "P 1     ") + WATER)) == 3


def test_alternative_locations():
    text = CRYST + atom(" O", "O", 1, 1, 1, "A", 0.7) + atom(" O", "O", 1, 1.4, 1, "B", 0.3) + WATER
    text = text.replace(atom(" O", "O", 1, 1, 1), "")
    crystal = one(text)
    assert crystal.formula == "H4 O2"
    assert "1 minor site left out: O_2" in crystal.warnings[0]
    with pytest.raises(ReadError, match="--disorder major"):
        one(text, disorder="error")


def test_models_are_structures():
    model = "MODEL        {}\n" + WATER.replace("END\n", "ENDMDL\n")
    crystals = list(read_text(model.format(1) + model.format(2) + "END\n", "pdb"))
    assert [c.name for c in crystals] == ["#1", "#2"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (WATER.replace("1.900", "1.x00"), "coordinate x of atom H1 is '1.x00'"),
        (WATER[:120], "line 2: coordinate"),
        ("HEADER\nEND\n", "no atoms"),
        (CRYST.replace("P 1 21 1", "P 7 7 7 ") + WATER, "space group 'P 7 7 7' is not known"),
        (
            "".join(atom(" CA", "C", k, 0, 0, residue="ALA", number=k) for k in range(1, 40)),
            "macromolecule",
        ),
    ],
)
def test_refusals_in_one_line(text, match):
    with pytest.raises(ReadError, match=match) as caught:
        one(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (CRYST.replace("    5.000", "    5,000") + WATER, "line 1: cell length a is '5,000'"),
        (CRYST.replace("  90.00 P", "  9_0.0 P") + WATER, "line 1: cell angle gamma is '9_0.0'"),
        (CRYST + WATER.replace("1.900", "1_9.0"), "coordinate x of atom H1 is '1_9.0'"),
        (
            CRYST + WATER.replace("  1.00  0.00", "  1,00  0.00"),
            "the occupancy of atom O is",
        ),
        (CRYST + WATER.replace("  1.00  0.00", "  1.50  0.00"), "occupancy 1.5, above 1"),
        (CRYST + WATER[:-30], "cut off: the last line ends at"),
        (CRYST + "MODEL     1\n" + WATER, "cut off: a MODEL has no ENDMDL"),
        (CRYST + WATER + "CONECT    1    7\n", "cut off: a bond leads to atom 7"),
        (CRYST + WATER + f"MASTER {'':43}    5\n", "cut off: 5 atoms are announced, 3 are there"),
    ],
)
def test_misread_or_cut_off(text, match):
    with pytest.raises(ReadError, match=match):
        one(text)


def test_a_missing_end_is_told():
    assert "no END record: the file may be cut off" in one(CRYST + WATER[:-4]).warnings
    assert one(CRYST + WATER).warnings == one(CRYST + WATER + "\n\n").warnings


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("", "f"),
        ("HEADER    CSD ENTRY ACSALA01\n", "ACSALA01"),
        (f"HEADER    {'WATER':40}01-JAN-20   1ABC\n", "1ABC"),
        ("TITLE     Ice\n", "Ice"),
    ],
)
def test_name(head, name):
    assert one(head + CRYST + WATER).name == name


def test_spelling_of_the_space_group():
    assert len(one(CRYST.replace("P 1 21 1 ", "P 2(1)   ") + WATER)) == 6


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
@pytest.mark.parametrize("name", ["m6255", "comma"])
def test_cases(name):
    (error,) = iter_structures(CASES / f"{name}.pdb")
    assert isinstance(error, ReadError)
