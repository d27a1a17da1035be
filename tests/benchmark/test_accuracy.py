"""Errors are those of the predictions, atoms counted with their multiplicity."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.benchmark.accuracy import find_seen, measure_accuracy
from shiftcli.benchmark.tables import accuracy_tables
from shiftcli.errors import UsageError
from shiftcli.network.calibration import Calibration
from shiftcli.structure.fingerprint import fingerprint
from shiftcli.training.sources import load_levels


@pytest.fixture(scope="module")
def measured(predictor, labelled_file):
    return measure_accuracy(predictor, [labelled_file], "validation")


def test_figures_follow_from_the_predictions(measured, predictor, labelled_file):
    crystals = [c for k, c in load_levels([labelled_file]).main.items() if k % 8 == 0]
    errors = []
    for crystal in crystals:
        for row in predictor.predict(crystal).sites:
            if row.site.element == "N":
                errors += [row.shielding - crystal.shieldings[a] for a in row.site.atoms]
    figures = measured.nuclei["15N"]
    assert measured.crystals == 2
    assert figures.n == len(errors) == 8
    assert figures.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-5)
    assert figures.mae == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)
    assert figures.bias == pytest.approx(np.mean(errors), rel=1e-5)
    assert figures.baseline_rmse is None


def test_coverage_is_that_of_the_intervals(predictor, labelled_file, monkeypatch):
    """With intervals of a chosen width the coverage is the fraction of such errors."""
    crystals = [c for k, c in load_levels([labelled_file]).main.items() if k % 8 == 0]
    errors = []
    for crystal in crystals:
        for row in predictor.predict(crystal).sites:
            if row.site.element == "H":
                errors += [abs(row.shielding - crystal.shieldings[a]) for a in row.site.atoms]
    narrow, wide = (np.mean(np.sort(errors)[[k, k + 1]]) for k in (4, 11))
    made = Calibration(1, narrow, 0.0, 0.0, 1.0, wide / narrow, 9, 9)
    monkeypatch.setitem(predictor.calibrations, "H", made)
    result = measure_accuracy(predictor, [labelled_file], "validation")
    assert result.nuclei["1H"].coverage68 == pytest.approx(5 / 16)
    assert result.nuclei["1H"].coverage95 == pytest.approx(12 / 16)
    assert result.to_dict()["accuracy"]["1H"]["coverage"] == {"68": 5 / 16, "95": 12 / 16}


def test_no_coverage_without_intervals(predictor, labelled_file, monkeypatch):
    for network, metadata in predictor.networks["O"]:
        unknown = [(network, replace(metadata, validation={}, calibration={}))]
        monkeypatch.setitem(predictor.networks, "O", unknown)
    monkeypatch.setitem(predictor.calibrations, "O", None)
    result = measure_accuracy(predictor, [labelled_file], "validation")
    assert result.nuclei["17O"].coverage68 is None
    assert result.to_dict()["accuracy"]["17O"]["coverage"] is None


def test_splits_partition_the_crystals(predictor, labelled_file):
    counts = {
        split: measure_accuracy(predictor, [labelled_file], split).crystals
        for split in ("validation", "train", "all")
    }
    assert counts == {"validation": 2, "train": 14, "all": 16}


def test_broken_structures_do_not_move_the_split(predictor, labelled_file, tmp_path):
    lines = labelled_file.read_text().splitlines()
    frames = [lines[k : k + 18] for k in range(0, len(lines), 18)]
    frames[3][5] = frames[3][5].replace("H", "Qq").replace("C", "Qq").replace("O", "Qq")
    path = tmp_path / "one-broken.xyz"
    path.write_text("\n".join(line for frame in frames for line in frame) + "\n")
    notes = []
    broken = measure_accuracy(predictor, [path], "validation", on_note=notes.append)
    whole = measure_accuracy(predictor, [labelled_file], "validation")
    assert len(notes) == 1
    assert broken.nuclei == whole.nuclei


def test_unknown_split(predictor, labelled_file):
    with pytest.raises(UsageError, match="validation, train, all"):
        measure_accuracy(predictor, [labelled_file], "test")


def test_dictionary(measured):
    values = measured.to_dict()
    assert set(values["accuracy"]) == {"1H", "13C", "15N", "17O"}
    assert set(values["accuracy"]["1H"]) == {
        "n", "distinct", "crystals", "rmse", "rmse_interval", "mae", "mae_interval", "bias", "p95",
        "r2", "baseline", "coverage", "classes",
    }  # fmt: skip
    assert set(values["accuracy"]["1H"]["coverage"]) == {"68", "95"}
    assert json.loads(json.dumps(values)) == values


def test_classes_part_the_atoms(measured):
    """In urea every hydrogen is on N; a class has the figures of its atoms and no classes."""
    assert set(measured.nuclei["1H"].classes) == {"N-H"}
    assert set(measured.nuclei["17O"].classes) == {"carbonyl/carboxyl"}
    (kind,) = measured.nuclei["1H"].classes.values()
    assert kind == replace(measured.nuclei["1H"], classes={})
    assert "classes" not in kind.to_dict()


def test_classes_of_a_methyl_group(predictor, tmp_path):
    """Errors of acetonitrile's two kinds of carbon, each weighed by its atoms."""
    from ase import Atoms
    from ase.build import molecule
    from ase.io import write

    built = molecule("CH3CN")
    atoms = Atoms(built.get_chemical_symbols(), built.positions + 5, cell=np.eye(3) * 12, pbc=True)
    atoms.set_array("CS", np.full(6, 30.0))
    path = tmp_path / "acetonitrile.xyz"
    write(path, [atoms], format="extxyz")
    carbon = measure_accuracy(predictor, [path]).nuclei["13C"]
    assert {name: e.n for name, e in carbon.classes.items()} == {"CH3": 1, "nitrile/alkyne": 1}
    squares = [e.rmse**2 for e in carbon.classes.values()]
    assert carbon.rmse**2 == pytest.approx(np.mean(squares))
    assert carbon.rmse_interval is None


def test_baseline_of_the_data(predictor, labelled_file, tmp_path):
    """A second column that is right but for one ppm: its figures, and ours beside it."""
    from ase.io import read, write

    frames = read(labelled_file, index=":")
    for atoms in frames:
        labels = atoms.arrays.pop("CS")
        atoms.set_array("CS", np.stack([labels, labels + 1.0], axis=1))
    path = tmp_path / "two-columns.xyz"
    write(path, frames, format="extxyz")
    errors = measure_accuracy(predictor, [path]).nuclei["13C"]
    assert errors.baseline_rmse == pytest.approx(1.0)
    assert errors.baseline.mae == pytest.approx(1.0)
    assert errors.baseline.rmse_interval == pytest.approx((1.0, 1.0))
    assert errors.baseline.difference == pytest.approx(errors.rmse - 1.0)
    low, high = errors.baseline.difference_interval
    assert (low + 1.0, high + 1.0) == pytest.approx(errors.rmse_interval)


@pytest.mark.slow
def test_shipped_networks_on_the_validation_crystals(predictor, published):
    assert len(published) == 400
    figures = measure_accuracy(predictor, [published[0].source], "validation").nuclei
    limits = {"1H": 0.55, "13C": 5.6, "15N": 17.0, "17O": 22.0}
    assert {s: f.rmse for s, f in figures.items() if f.rmse > limits[s]} == {}
    assert figures["1H"].baseline_rmse == pytest.approx(0.491, abs=0.001)
    assert figures["1H"].n == 2982


def named(path, labelled_file, lattice=1.0):
    """The ureas under names of their own, in cells of another size."""
    lines = labelled_file.read_text().splitlines()
    for number, k in enumerate(range(1, len(lines), 18)):
        before, cell, after = re.split(r'Lattice="([^"]*)"', lines[k])
        edges = " ".join(f"{lattice * float(x):.6f}" for x in cell.split())
        lines[k] = f'{before}Lattice="{edges}"{after} NAME=U{number}-{lattice}'
    path.write_text("\n".join(lines) + "\n")
    return path


def test_each_file_by_itself_and_what_was_learned_from_apart(
    predictor, labelled_file, tmp_path, monkeypatch
):
    own = named(tmp_path / "own.xyz", labelled_file)
    wide = named(tmp_path / "wide.xyz", labelled_file, 1.04)
    first = load_levels([own]).main[0]
    alone = [replace(fingerprint(first), name="by another name")]
    carbon = [(n, replace(m, fingerprints=tuple(alone))) for n, m in predictor.networks["C"]]
    monkeypatch.setattr(predictor, "networks", {"C": carbon})
    found = measure_accuracy(predictor, [own, wide], "validation")
    # Families 0, 8, 16 and 24: two of each file.
    assert (found.crystals, found.seen) == (4, 2)
    assert [(p.source, p.crystals, p.seen) for p in found.parts] == [
        (str(own), 2, 2), (str(wide), 2, 0),
    ]  # fmt: skip
    both = [part.nuclei["13C"] for part in found.parts]
    squares = sum(e.n * e.rmse**2 for e in both) / sum(e.n for e in both)
    assert found.nuclei["13C"].rmse == pytest.approx(np.sqrt(squares))
    assert [part["learned_from"] for part in found.to_dict()["parts"]] == [2, 0]
    titles = [table.title for table in accuracy_tables(found)]
    assert "2 of which the networks have learned from" in titles[0]
    assert "none of which" in titles[1]


def test_networks_that_do_not_say_what_they_learned_from(predictor, labelled_file, monkeypatch):
    for nucleus, members in predictor.networks.items():
        unknown = [(n, replace(m, fingerprints=())) for n, m in members]
        monkeypatch.setitem(predictor.networks, nucleus, unknown)
    assert find_seen(predictor, load_levels([labelled_file]).main) is None
