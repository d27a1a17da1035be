"""SOAP-KRR learns what follows from the geometry, and is timed."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.benchmark import baseline as module
from shiftcli.benchmark import check_extra, measure_baseline
from shiftcli.benchmark.accuracy import Accuracy, PredictedAtoms, measure_errors
from shiftcli.benchmark.atoms import collect_atoms
from shiftcli.benchmark.baseline import choose_hyperparameters, soap
from shiftcli.crystal import SPECIES
from shiftcli.errors import TrainingError, UsageError
from shiftcli.training import load_labelled


@pytest.fixture
def small(monkeypatch):
    """Fewer choices, for time."""
    pytest.importorskip("dscribe")
    pytest.importorskip("sklearn")
    monkeypatch.setattr(module, "CUTOFFS", ((3.0,), (3.0, 4.0)))
    monkeypatch.setattr(module, "ZETAS", (1, 2))
    monkeypatch.setattr(module, "REGULARISATIONS", (1e-4, 1e-2))


@pytest.fixture(scope="module")
def data(urea, tmp_path_factory):
    """Sixteen distorted ureas whose shieldings follow from the distance to the next atom."""
    from ase import Atoms
    from ase.io import write

    rng = np.random.default_rng(11)
    frames = []
    for _ in range(16):
        positions = urea.positions + rng.normal(0, 0.03, (16, 3))
        atoms = Atoms(urea.elements.tolist(), positions, cell=urea.cell, pbc=True)
        distances = atoms.get_all_distances(mic=True) + 9 * np.eye(16)
        atoms.set_array("CS", 20.0 + 50.0 * (distances.min(axis=1) - 1.0))
        frames.append(atoms)
    path = tmp_path_factory.mktemp("data") / "distances.xyz"
    write(path, frames, format="extxyz")
    return path


@pytest.fixture(scope="module")
def ours(data):
    """Networks that are wrong by one ppm, without networks."""
    crystals = {k: c for k, c in load_labelled([data]).items() if k % 8 == 0}
    predicted = {}
    for element, species in SPECIES.items():
        atoms = collect_atoms(crystals, element)
        unknown = np.full(len(atoms), np.nan)
        predicted[species] = PredictedAtoms(atoms, atoms.reference + 1, unknown, unknown, 0.5)
    figures = {species: measure_errors(p) for species, p in predicted.items()}
    return Accuracy(str(data), "validation", len(crystals), figures, predicted)


def test_descriptors_are_periodic_and_invariant(urea, small):
    """Whole translations, a rotation and a doubled cell leave the power spectra as they are."""
    spectra = soap(urea, urea.sites, 5.0)
    assert spectra.shape == (len(urea.sites), 3696)
    assert spectra.dtype == np.float32
    assert np.linalg.norm(spectra, axis=1) == pytest.approx(1.0, abs=1e-5)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = replace(urea, positions=urea.positions @ turn, cell=urea.cell @ turn)
    shifted = replace(urea, positions=urea.positions + urea.cell[0] - 2 * urea.cell[2])
    for same in (turned, shifted):
        assert np.allclose(soap(same, urea.sites, 5.0), spectra, atol=1e-4)
    alone = replace(urea, cell=None)
    assert not np.allclose(soap(alone, urea.sites, 5.0), spectra, atol=1e-2)


def test_choice_is_by_crystals(small):
    """Copies of an atom in one crystal give nothing away about their label: noise stays noise."""
    rng = np.random.default_rng(5)
    crystals = np.repeat(np.arange(40), 3)
    x = rng.normal(size=(40, 80))[crystals] + 0.01 * rng.normal(size=(120, 80))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    noise = rng.normal(size=40)[crystals]
    chosen = choose_hyperparameters({3.0: x, 4.0: x}, noise, np.ones(120), crystals)
    assert chosen.rmse > 0.8 * noise.std()
    by_atoms = choose_hyperparameters({3.0: x, 4.0: x}, noise, np.ones(120), np.arange(120))
    assert by_atoms.rmse < 0.3 * noise.std()


def test_learns_from_geometry(ours, data, small):
    notes = []
    found = measure_baseline(ours, [data], (4, 14), on_note=notes.append)
    assert found.validation_crystals == 2
    assert set(found.nuclei) == {"1H", "13C", "15N", "17O"}
    assert len(notes) == 8
    for species, nucleus in found.nuclei.items():
        assert nucleus.ours == ours.nuclei[species]
        few, many = nucleus.curve
        assert (few.crystals, many.crystals) == (4, 14)
        assert few.samples < many.samples
        assert many.errors.n == nucleus.ours.n
        assert many.margin.rmse == pytest.approx(many.errors.rmse)
        assert many.margin.difference == pytest.approx(nucleus.ours.rmse - many.errors.rmse)
        assert many.chosen.cutoffs in module.CUTOFFS
        assert many.chosen.regularisation in module.REGULARISATIONS
        assert min(many.seconds.__dict__.values()) > 0
        assert nucleus.ours.rmse == pytest.approx(1.0)
    for species in ("1H", "13C", "15N"):
        few, many = found.nuclei[species].curve
        assert many.errors.rmse < few.errors.rmse
        assert many.errors.r2 > 0.5


def test_protons_outside_the_range_are_not_learned_from(ours, data, small, monkeypatch):
    monkeypatch.setattr(module, "H_RANGE", (-1000.0, -999.0))
    assert set(measure_baseline(ours, [data], (4,)).nuclei) == {"13C", "15N", "17O"}


def test_same_crystals_give_the_same_errors(ours, data, small):
    first, second = (measure_baseline(ours, [data], (6,)) for _ in "ab")
    for species, nucleus in first.nuclei.items():
        assert nucleus.curve[0].errors == second.nuclei[species].curve[0].errors


def test_crystals_are_halved(ours, data, small):
    found = measure_baseline(replace(ours, predicted={"13C": ours.predicted["13C"]}), [data])
    assert [p.crystals for p in found.nuclei["13C"].curve] == [3, 7, 14]
    values = found.to_dict()["soap_krr"]
    assert set(values["nuclei"]["13C"]["curve"]) == {"3", "7", "14"}
    assert set(values["nuclei"]["13C"]["curve"]["14"]["seconds"]) == {
        "descriptors", "selection", "training", "prediction",
    }  # fmt: skip


def test_too_many_crystals(ours, data, small):
    with pytest.raises(TrainingError, match="99 training crystals are wanted, the data have 14"):
        measure_baseline(ours, [data], (99,))


def test_other_parts_of_the_data(ours, data, small):
    with pytest.raises(UsageError, match="validation crystals"):
        measure_baseline(replace(ours, split="all"), [data])


def test_missing_extra_is_named(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "dscribe" else real(name))
    with pytest.raises(UsageError, match="DScribe") as caught:
        check_extra()
    assert "pip install 'shiftcli[benchmark]'" in str(caught.value)
