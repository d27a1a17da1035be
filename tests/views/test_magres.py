"""Magres, read back by ASE, Soprano and shiftcli."""

import io
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read as read_ase

from shiftcli.errors import UsageError
from shiftcli.readers import read
from shiftcli.views import render


def by_ase(results):
    return read_ase(io.StringIO(render(results, "magres")), format="magres")


def test_ase_reads_atoms_labels_and_isotropic_tensors(results, urea):
    atoms = by_ase(results)
    assert np.allclose(atoms.cell.array, urea.cell)
    assert np.allclose(atoms.positions, urea.positions)
    assert atoms.get_chemical_symbols() == urea.elements.tolist()
    assert atoms.info["magres_units"]["ms"] == "ppm"
    assert atoms.arrays["labels"].tolist() == list(urea.labels)
    assert atoms.arrays["indices"][urea.elements == "H"].tolist() == [1, 2, 3, 4] * 2
    tensors = atoms.arrays["ms"]
    isotropic = np.trace(tensors, axis1=1, axis2=2) / 3
    assert np.allclose(tensors, isotropic[:, None, None] * np.eye(3))
    for row in results.predictions[0].sites:
        assert isotropic[row.site.atoms] == pytest.approx(round(row.shielding, 2))


def test_it_says_that_shieldings_are_isotropic(results):
    assert "isotropic shieldings only" in render(results, "magres").splitlines()[1]
    comment = by_ase(results).info["magresblock_calculation"]["calc_comment"]
    assert comment[0][:3] == ["isotropic", "shieldings", "only:"]


def test_soprano_finds_our_shielding_at_each_label(results):
    pytest.importorskip("soprano")
    from soprano.properties.nmr import MSAnisotropy, MSIsotropy

    atoms = by_ase(results)
    found = MSIsotropy.get(atoms)
    for row in results.predictions[0].sites:
        values = found[atoms.get_array("labels") == row.site.label]
        assert len(values) == row.site.multiplicity
        assert values == pytest.approx(round(row.shielding, 2))
    assert np.allclose(MSAnisotropy.get(atoms), 0)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*inplace.*")
def test_the_table_of_soprano_has_our_rows(results, tmp_path):
    pytest.importorskip("soprano")
    from soprano.scripts.nmr import nmr_extract_multi

    path = tmp_path / "urea.magres"
    path.write_text(render(results, "magres"))
    table = nmr_extract_multi([str(path)], properties=["ms"], isotopes={"N": 15})[0]
    rows = results.table(results.predictions[0]).records()
    for column in ("labels", "species", "multiplicity"):
        assert list(table[0][column]) == [row[column] for row in rows]
    shieldings = [row["shielding"] for row in rows]
    assert list(table[0]["MS_shielding/ppm"]) == pytest.approx(shieldings)


def test_own_output_is_read_again(results, tmp_path, urea):
    path = tmp_path / "urea.magres"
    path.write_text(render(results, "magres"))
    (again,) = read(path)
    assert np.allclose(again.positions, urea.positions)
    assert [s.atoms.tolist() for s in again.sites] == [s.atoms.tolist() for s in urea.sites]
    for row in results.predictions[0].sites:
        assert again.shieldings[row.site.atoms] == pytest.approx(round(row.shielding, 2))


def test_more_than_999_copies_of_a_label(predicted, large, tmp_path):
    same = replace(large, labels=tuple(large.elements.tolist()))
    atoms = by_ase(predicted(same))
    protons = same.elements == "H"
    assert atoms.arrays["indices"][protons].tolist() == list(range(1, 601))
    shieldings = np.trace(atoms.arrays["ms"], axis1=1, axis2=2) / 3
    expected = [round(10.0 + 1.37 * k, 2) for k in range(1200)]
    assert shieldings == pytest.approx(expected)
    path = tmp_path / "large.magres"
    path.write_text(render(predicted(same), "magres"))
    assert read(path)[0].shieldings == pytest.approx(expected)


def test_molecule_without_a_cell(predicted, molecule):
    atoms = by_ase(predicted(molecule))
    assert not atoms.pbc.any()
    assert np.allclose(atoms.positions, molecule.positions)
    assert atoms.arrays["labels"].tolist() == list(molecule.labels)


@pytest.mark.parametrize("name", ["", "[atoms]", "a b # c", "</magres>"])
def test_strange_names(predicted, urea, name):
    assert len(by_ase(predicted(replace(urea, name=name)))) == 16


def test_one_whole_structure(predicted, results, urea):
    with pytest.raises(
        UsageError, match=r"one structure, not 2 .*--output FOLDER.*cif, xyz and json"
    ):
        render(predicted(urea, urea), "magres")
    prediction = results.predictions[0]
    part = replace(results, predictions=[replace(prediction, sites=prediction.sites[:2])])
    with pytest.raises(UsageError, match="all 16 atoms"):
        render(part, "magres")


def test_failures_alone(results):
    assert render(replace(results, predictions=[]), "magres") == ""
