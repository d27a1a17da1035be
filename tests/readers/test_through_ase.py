"""Formats that ASE reads."""

import numpy as np
import pytest

from shiftcli.errors import ReadError, UsageError
from shiftcli.readers import iter_structures, read, read_text

CELL = """%BLOCK LATTICE_CART
5 0 0
0 6 0
0 0 7
%ENDBLOCK LATTICE_CART
%BLOCK POSITIONS_FRAC
O 0 0 0
H 0.2 0 0
%ENDBLOCK POSITIONS_FRAC
"""


def test_castep_cell_by_suffix_or_content(tmp_path):
    for name in ("a.cell", "noname"):
        (tmp_path / name).write_text(CELL)
        (crystal,) = read(tmp_path / name)
        np.testing.assert_allclose(crystal.positions[1], [1, 0, 0])
        assert "read through ASE as castep-cell" in crystal.warnings
        assert crystal.labels == ("O1", "H1")
        assert not any("repeated labels" in text for text in crystal.warnings)


def test_castep_labels_of_some_atoms(tmp_path):
    (tmp_path / "a.cell").write_text(CELL.replace("H 0.2 0 0", "H:7 0.2 0 0 LABEL=Hw"))
    (crystal,) = read(tmp_path / "a.cell")
    assert crystal.labels == ("O1", "Hw")


def test_any_format_of_ase_by_name_or_as_ase_finds_it(tmp_path):
    text = "2  F\nO H\n1 1 0 0 0\n2 2 0.96 0 0\n".replace("F", "C")
    path = tmp_path / "water.gen"
    path.write_text(text)
    for options in ({}, {"format": "gen"}):
        (molecule,) = read(path, **options)
        assert molecule.elements.tolist() == ["O", "H"]
        assert "read through ASE as gen" in molecule.warnings
    (error,) = iter_structures(path, format="cif")
    assert isinstance(error, ReadError)
    (error,) = read_text("nonsense", "gen")
    assert "not readable as ASE's gen" in str(error)


@pytest.mark.parametrize("name", ["nonsense", "traj", "json", "db"])
def test_formats_that_are_not_taken(tmp_path, name):
    path = tmp_path / "a"
    path.write_text("x\n")
    with pytest.raises(UsageError, match=f"no format is called '{name}'"):
        read(path, format=name)


def test_text_that_is_no_structure_is_an_error(tmp_path, urea_path):
    readme = urea_path.with_name("README.md")
    (tmp_path / "notes.log").write_text("nothing to see\n")
    for path in (readme, tmp_path / "notes.log"):
        (error,) = iter_structures(path)
        assert isinstance(error, ReadError)
