"""Whatever describes a structure becomes the same crystal."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase.io import read as read_ase

import shiftcli
from shiftcli.errors import ReadError, StructureError, UsageError
from shiftcli.prediction.inputs import as_crystal


def test_crystals_pass_untouched(urea):
    assert as_crystal(urea) is urea


def test_paths(urea_path, urea):
    for path in (urea_path, str(urea_path)):
        assert np.array_equal(as_crystal(path).positions, urea.positions)
    with pytest.raises(ReadError):
        as_crystal("nowhere.cif")


def test_a_file_of_several(urea, tmp_path):
    atoms = as_crystal(urea)
    lines = f"{len(atoms)}\n\n" + "".join(
        f"{e} {x} {y} {z}\n" for e, (x, y, z) in zip(atoms.elements, atoms.positions, strict=True)
    )
    path = tmp_path / "two.xyz"
    path.write_text(2 * lines)
    with pytest.raises(UsageError, match="holds 2 structures"):
        as_crystal(path)


def test_ase_atoms(urea_path, urea):
    assert as_crystal(read_ase(urea_path)).formula == urea.formula


def pymatgen(urea, **other):
    """What a pymatgen Structure shows, without pymatgen."""
    values = {
        "lattice": SimpleNamespace(matrix=urea.cell),
        "species": [SimpleNamespace(symbol=str(e)) for e in urea.elements],
        "cart_coords": urea.positions,
        "is_ordered": True,
    }
    return SimpleNamespace(**{**values, **other})


def test_pymatgen(urea):
    found = as_crystal(pymatgen(urea))
    assert found.elements.tolist() == urea.elements.tolist()
    assert len(found.sites) == len(urea.sites)
    labels = [f"{label}a" for label in urea.labels]
    assert as_crystal(pymatgen(urea, labels=labels)).labels == tuple(labels)
    plain = as_crystal(pymatgen(urea, labels=list(map(str, pymatgen(urea).species))))
    assert plain.labels == found.labels
    molecule = pymatgen(urea)
    del molecule.lattice
    assert as_crystal(molecule).cell is None
    disordered = pymatgen(urea, is_ordered=False)
    del disordered.species  # which those of pymatgen refuse
    with pytest.raises(StructureError, match="disordered"):
        as_crystal(disordered)


@pytest.mark.parametrize("wrong", [None, 5, {"a": 1}, np.zeros(3), object()])
def test_anything_else(wrong):
    with pytest.raises(UsageError, match="cannot predict a"):
        as_crystal(wrong)


def test_lists(urea, urea_path):
    predictor = shiftcli.Predictor(nuclei=["C"], views=1, device="cpu")
    one, two = predictor.predict([urea, str(urea_path)])
    assert one.sites[0].shielding == two.sites[0].shielding
    assert predictor.predict([]) == []
