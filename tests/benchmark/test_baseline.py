"""SOAP-KRR learns what follows from the geometry, and is timed."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.benchmark import regression
from shiftcli.benchmark.accuracy import Accuracy
from shiftcli.benchmark.baseline import measure_baseline
from shiftcli.errors import TrainingError, UsageError
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.atoms import PredictedAtoms, collect_atoms, measure_errors
from shiftcli.training.sources import load_levels


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
    crystals = {k: c for k, c in load_levels([data]).main.items() if k % 8 == 0}
    predicted = {}
    for element, species in SPECIES.items():
        atoms = collect_atoms(crystals, element)
        unknown = np.full(len(atoms), np.nan)
        predicted[species] = PredictedAtoms(atoms, atoms.reference + 1, unknown, unknown, 0.5)
    figures = {species: measure_errors(p) for species, p in predicted.items()}
    return Accuracy(str(data), "validation", len(crystals), None, figures, (), predicted)


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
        assert many.chosen.cutoffs in regression.CUTOFFS
        assert many.chosen.regularisation in regression.REGULARISATIONS
        assert min(many.seconds.__dict__.values()) > 0
        assert nucleus.ours.rmse == pytest.approx(1.0)
    for species in ("1H", "13C", "15N"):
        few, many = found.nuclei[species].curve
        assert many.errors.rmse < few.errors.rmse
        assert many.errors.r2 > 0.5


def test_protons_outside_the_range_are_not_learned_from(ours, data, small, monkeypatch):
    monkeypatch.setattr("shiftcli.training.data.H_RANGE", (-1000.0, -999.0))
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


def test_says_when_the_networks_know_the_crystals(ours, data, small):
    notes = []
    only = replace(ours, predicted={"13C": ours.predicted["13C"]}, seen=2)
    measure_baseline(only, [data], (4,), on_note=notes.append)
    assert notes[0] == "the networks have learned from 2 of these crystals, SOAP-KRR from none"
