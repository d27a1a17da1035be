"""Folds, out-of-fold predictions, and networks of all crystals, stopped and gone on with."""

import csv
import json

import numpy as np
import pytest

from shiftcli.benchmark.paper import Setting, reproduce
from shiftcli.errors import TrainingError, UsageError
from shiftcli.network.checkpoint import load
from shiftcli.results.statistics import ALL
from shiftcli.training import refits
from shiftcli.training.atoms import collect_atoms
from shiftcli.training.config import Configuration
from shiftcli.training.folder import Task
from shiftcli.training.refits import refit
from shiftcli.training.sources import load_levels
from shiftcli.training.studies import Variation

pytestmark = pytest.mark.usefixtures("narrow")

VARIATION = Variation(folds=2, refit=True)


def task(data, **values):
    values = {"epochs": 1, "batch_size": 8, "optimizer": "adamw", "seed": 3, "members": 2} | values
    return Task((str(data),), ("C",), Configuration(precision="float32", **values))


@pytest.fixture(scope="module")
def data(labelled_file, tmp_path_factory):
    """The ureas, the last six of which are copies of the first six under their names."""
    text = labelled_file.read_text().splitlines()
    header = range(1, len(text), 18)
    for k, line in enumerate(header):
        text[line] += f" NAME=U{k % 10}"
    path = tmp_path_factory.mktemp("copies") / "ureas.xyz"
    path.write_text("\n".join(text) + "\n")
    return path


@pytest.fixture(scope="module")
def finished(narrow, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refit") / "study"
    return folder, refit(task(data), folder, VARIATION, device="cpu")


def rows_of(path):
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_crystal_is_predicted_by_networks_that_never_saw_its_family(finished, data):
    _, made = finished
    rows = rows_of(made.predictions)
    atoms = collect_atoms(load_levels([data]).main, "C")
    by_crystal = {int(row["crystal"]): row for row in rows}
    assert sorted(by_crystal) == list(range(16))
    assert len(rows) == len(atoms)
    folds = {}
    for row in rows:
        folds.setdefault(row["name"], set()).add(row["fold"])
    assert all(len(own) == 1 for own in folds.values())
    assert {row["kind"] for row in rows} == {"carbonyl/carboxyl"}
    reference = sorted(float(row["reference"]) for row in rows)
    assert reference == sorted(atoms.reference.tolist())


def test_figures_are_those_of_the_table(finished):
    folder, made = finished
    rows = rows_of(made.predictions)
    error = np.array([float(r["shielding"]) - float(r["reference"]) for r in rows])
    weights = np.array([int(r["multiplicity"]) for r in rows])
    errors = made.errors[ALL]["13C"]
    assert errors.rmse == pytest.approx(np.sqrt(np.average(error**2, weights=weights)))
    assert errors.crystals == 16
    assert errors.classes["carbonyl/carboxyl"].n == errors.n
    written = json.loads((folder / "errors.json").read_text())
    assert written[ALL]["13C"]["rmse"] == errors.rmse
    assert len(written) == 2  # all, and the one file


def test_networks_know_all_crystals_and_carry_the_figures(finished):
    folder, made = finished
    assert [path.name for path in made.networks] == [
        "compact-C-1.safetensors", "compact-C-2.safetensors",
    ]  # fmt: skip
    for number, path in enumerate(made.networks):
        metadata = load(path)[1]
        assert metadata.training["crystals"] == 16
        assert metadata.training["families"] == len(metadata.fingerprints) == 10
        assert metadata.training["configuration"]["seed"] == 3 + number
        assert metadata.validation["rmse"] == made.errors[ALL]["13C"].rmse
        assert metadata.validation["folds"] == 2
        # Folds had single networks, whose spread is unknown.
        assert (metadata.calibration["members"], metadata.calibration["between"]) == (2, 0.0)
    learned = load(folder / "fold-1" / "compact-C.safetensors")[1].training
    assert learned["families"] == 5


@pytest.mark.parametrize("stage", ["fold-2", "_write_all", "networks", "_describe"])
def test_stopped_at_any_stage_it_goes_on_to_the_same(finished, data, tmp_path, monkeypatch, stage):
    folder = tmp_path / "study"

    def stop(*arguments):
        raise KeyboardInterrupt

    def stop_in(report):
        if (folder / stage).exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if stage.startswith("_"):
            patch.setattr(refits, stage, stop)
        with pytest.raises(KeyboardInterrupt):
            refit(task(data), folder, VARIATION, device="cpu", on_epoch=stop_in)
    again = refit(None, folder, None, device="cpu")
    whole, made = finished
    for path in made.networks:
        assert (folder / "networks" / path.name).read_bytes() == path.read_bytes()
    assert again.predictions.read_bytes() == made.predictions.read_bytes()
    assert (folder / "errors.json").read_bytes() == (whole / "errors.json").read_bytes()


def test_nothing_is_done_twice(finished):
    folder, _ = finished
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.safetensors")}
    refit(None, folder, None, device="cpu", on_epoch=pytest.fail)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_predictions_of_other_crystals(finished, tmp_path):
    folder, _ = finished
    path = folder / "fold-1" / "predictions.csv"
    text = path.read_text()
    path.write_text("\n".join(text.splitlines()[:-1]) + "\n")
    with pytest.raises(TrainingError, match="not of the crystals that the fold watches"):
        refit(None, folder, None, device="cpu")
    path.write_text(text)


def test_folds_do_not_begin_with_what_has_seen_them(finished, data, tmp_path):
    _, made = finished
    wanted = task(data, start=str(made.networks[0]))
    with pytest.raises(TrainingError, match=r"has learned from 8 .* fold 1 watches"):
        refit(wanted, tmp_path / "r", VARIATION, device="cpu")
    assert not (tmp_path / "r").exists()


def test_what_makes_no_refit(data, tmp_path):
    with pytest.raises(UsageError, match="goes with --folds"):
        Variation(refit=True)
    with pytest.raises(UsageError, match="neither --seeds nor --crystals"):
        Variation(folds=2, seeds=2, refit=True)
    with pytest.raises(UsageError, match="for --refit"):
        Variation(folds=2, fold_members=2)
    with pytest.raises(UsageError, match="needs a cross-validation"):
        refit(task(data), tmp_path / "r", Variation(folds=2), device="cpu")


class TestReproductionsOfTheTable:
    def setting(self, finished, data, **values):
        folder, made = finished
        return Setting([str(data)], folder / "paper", predictions=made.predictions, **values)

    def test_errors_are_those_of_the_table(self, finished, data):
        result = reproduce("table2", self.setting(finished, data))
        (row,) = result.rows
        assert row[:2] == ("13C", pytest.approx(finished[1].errors[ALL]["13C"].rmse))
        assert "16 crystals, each by networks that never saw its family" in str(result.differs)

    def test_all_families_with_copies_count(self, finished, data):
        result = reproduce("geometry", self.setting(finished, data, nuclei=("C",)))
        assert result.differs[0] == "6 testing crystals with displaced copies"
        assert result.rows[0][2] == 12  # two carbons each

    def test_what_is_not_made_of_errors_takes_none(self, finished, data):
        with pytest.raises(UsageError, match="figure5 is not made of errors"):
            reproduce("figure5", self.setting(finished, data))

    def test_other_data(self, finished, labelled_file, tmp_path):
        lines = labelled_file.read_text().splitlines(keepends=True)
        (other := tmp_path / "other.xyz").write_text("".join(lines[18:]))  # begins with the second
        with pytest.raises(TrainingError, match="of other crystals than the data"):
            reproduce("table2", self.setting(finished, other))
        (table := tmp_path / "table.csv").write_text("species\n1H\n")
        with pytest.raises(TrainingError, match="not a table of out-of-fold"):
            reproduce("table2", Setting([str(other)], tmp_path, predictions=table))


def test_reproductions_say_what_the_networks_have_seen(finished, data, tmp_path):
    folder = finished[0] / "networks"
    result = reproduce("table2", Setting([str(data)], tmp_path, weights=folder, device="cpu"))
    assert "the networks have learned from " in str(result.differs)
