"""`shiftcli.get_shieldings`: shieldings of `ase.Atoms` in their order."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import read as read_ase

import shiftcli
from shiftcli.errors import ReadError, StructureError, UsageError
from shiftcli.prediction.ase_interface import _kept_predictor, from_ase, get_shieldings
from shiftcli.prediction.predictor import Predictor


@pytest.fixture(scope="module")
def protons():
    """One nucleus, few views: what is tested here is the order, not the numbers."""
    return Predictor(nuclei=["H"], device="cpu", hydrogens="keep", views=1)


@pytest.fixture
def atoms(urea_path):
    return read_ase(urea_path)


def test_they_are_those_of_the_predictor_in_the_order_of_the_atoms(atoms, protons):
    order = np.random.default_rng(3).permutation(len(atoms))
    shieldings = get_shieldings(atoms[order], protons)
    assert shieldings.shape == (16,)
    prediction = protons.predict(from_ase(atoms))
    expected = np.full(16, np.nan)
    for row in prediction.sites:
        expected[row.site.atoms] = row.shielding
    assert np.isfinite(expected).sum() == 8
    np.testing.assert_allclose(shieldings, expected[order], atol=0.01)
    assert len(set(np.round(expected[np.isfinite(expected)], 2))) == 2


def test_atoms_of_other_elements_and_what_is_near_them_are_skipped(atoms):
    atoms.extend(Atoms("Ar", [[4.50, 1.61, 2.40]]))
    with pytest.raises(StructureError, match="contains Ar"):
        get_shieldings(atoms, nuclei=["H"], views=1, device="cpu")
    shieldings = get_shieldings(
        atoms, nuclei=["H"], views=1, device="cpu", allow=["elements", "valence"]
    )
    near = atoms.get_distances(len(atoms) - 1, range(len(atoms)), mic=True) < 3.4
    predicted = np.flatnonzero((atoms.numbers == 1) & ~near)
    assert np.flatnonzero(np.isfinite(shieldings)).tolist() == predicted.tolist()
    assert 0 < len(predicted) < 8


def test_the_geometry_is_taken_as_it_is(atoms, protons):
    """Short X–H bonds stay, unlike with `Predictor` and its ``hydrogens="auto"``."""
    crystal = from_ase(atoms)
    heavy = np.flatnonzero(atoms.numbers == 7)
    for h in np.flatnonzero(atoms.numbers == 1):
        vectors = atoms.get_distances(h, heavy, mic=True, vector=True)
        nearest = np.linalg.norm(vectors, axis=1).argmin()
        atoms.positions[h] += 0.14 * vectors[nearest] / np.linalg.norm(vectors[nearest])
    assert not np.allclose(from_ase(atoms).positions, crystal.positions)
    short = get_shieldings(atoms, nuclei=["H"], views=1, device="cpu")
    moved = get_shieldings(atoms, nuclei=["H"], views=1, device="cpu", hydrogens="auto")
    kept = get_shieldings(atoms, protons)
    np.testing.assert_array_equal(short, kept)
    assert np.nanmin(np.abs(short - moved)) > 0.05


def test_networks_are_loaded_once():
    options = {"nuclei": ["N"], "device": "cpu"}
    first = _kept_predictor(options)
    assert _kept_predictor(options) is first
    assert first.hydrogens == "keep"
    assert _kept_predictor({**options, "views": 1}) is not first


def test_a_crystal_does_not_follow_the_atoms(atoms):
    crystal = from_ase(atoms)
    before = crystal.positions.copy(), crystal.cell.copy()
    atoms.positions += 0.1
    atoms.cell[:] *= 1.1
    assert np.array_equal(crystal.positions, before[0])
    assert np.array_equal(crystal.cell, before[1])


def test_molecule_and_crystal(atoms):
    assert np.allclose(from_ase(atoms).cell, atoms.cell.array)
    atoms.pbc = False
    assert from_ase(atoms).cell is None
    atoms.pbc = (True, True, False)
    with pytest.raises(StructureError, match=r"pbc T T F.*atoms\.pbc = True"):
        from_ase(atoms)


def test_labels_are_the_atoms_own(atoms):
    assert from_ase(atoms).labels[:3] == ("C1", "C1", "O1")  # copies
    names = [f"{s}x{k}" for k, s in enumerate(atoms.get_chemical_symbols())]
    atoms.set_array("labels", np.array(names))
    assert list(from_ase(atoms).labels) == names
    atoms.set_array("labels", np.array(atoms.get_chemical_symbols()))
    assert len(set(from_ase(atoms).labels)) == 5  # the five sites; copies share a label


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Atoms(), "no atoms"),
        (Atoms("H", [[np.nan, 0, 0]]), "coordinate that is not a number"),
        (Atoms("H", pbc=True), "no volume"),
        (Atoms("H", cell=[1e-3, 50, 50], pbc=True), "no volume|thick"),
    ],
)
def test_what_is_no_structure(made, words):
    with pytest.raises(ReadError, match=words):
        from_ase(made)


def test_what_the_networks_cannot_know(protons):
    for made in (Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]), Atoms("XH", [[0, 0, 0], [0, 0, 1]])):
        with pytest.raises(StructureError):
            get_shieldings(made, protons)


def test_options(atoms, protons):
    with pytest.raises(UsageError, match="beside a predictor"):
        get_shieldings(atoms, protons, views=1)
    with pytest.raises(UsageError, match="'nucleus' is no option"):
        get_shieldings(atoms, nucleus="H")


def test_public_names():
    assert shiftcli.get_shieldings is get_shieldings
    assert shiftcli.from_ase is from_ase
