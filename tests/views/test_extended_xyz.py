"""Extended XYZ, read back by ASE and by shiftcli."""

import io
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read as read_ase

from shiftcli.readers import read
from shiftcli.views import render


def frames(results):
    return read_ase(io.StringIO(render(results, "xyz")), index=":", format="extxyz")


def test_all_atoms_with_their_columns(results, urea):
    (atoms,) = frames(results)
    assert len(atoms) == 16
    assert atoms.pbc.all()
    assert np.allclose(atoms.cell.array, urea.cell)
    assert np.allclose(atoms.positions, urea.positions, atol=1e-6)
    assert atoms.arrays["labels"].tolist() == list(urea.labels)
    for row in results.predictions[0].sites:
        for name in ("shielding", "uncertainty", "uncertainty95"):
            column = "MS_shielding" if name == "shielding" else f"MS_shielding_{name}"
            values = atoms.arrays[column][row.site.atoms]
            assert values == pytest.approx(round(getattr(row, name), 2))
    assert np.isnan(atoms.arrays["MS_shift"][urea.elements == "N"]).all()


def test_several_structures_and_a_molecule(predicted, urea, molecule):
    crystal, alone = frames(predicted(urea, molecule))
    assert (len(crystal), len(alone)) == (16, 4)
    assert not alone.pbc.any()
    assert np.allclose(alone.positions, molecule.positions)


@pytest.mark.parametrize("name", ['a "b" = [c]', "x=1 y=2", "{curly}", "back\\slash", "é", 'q"\\'])
def test_strange_names(predicted, urea, name):
    (atoms,) = frames(predicted(replace(urea, name=name)))
    assert atoms.info["name"] == name
    assert atoms.pbc.all()


def test_no_name(predicted, urea):
    (atoms,) = frames(predicted(replace(urea, name="", source="")))
    assert "name" not in atoms.info
    assert atoms.pbc.all()


def test_own_output_is_read_again(results, tmp_path, urea):
    path = tmp_path / "out.xyz"
    path.write_text(render(results, "xyz"))
    (again,) = read(path)
    assert again.labels == urea.labels
    assert [s.atoms.tolist() for s in again.sites] == [s.atoms.tolist() for s in urea.sites]
    for row in results.predictions[0].sites:
        assert again.shieldings[row.site.atoms] == pytest.approx(row.shielding)


def test_more_than_999_atoms(predicted, large):
    (atoms,) = frames(predicted(large))
    assert atoms.arrays["labels"].tolist() == list(large.labels)
    assert len(set(atoms.arrays["MS_shielding"].tolist())) == 1200
