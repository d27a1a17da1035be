"""A run trains, is measured, survives being stopped, and refuses what makes no sense."""

import csv
import os
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch

from shiftcli.errors import TooFewSamples, TrainingError, UsageError, WeightsError
from shiftcli.network.calibration import Calibration
from shiftcli.network.checkpoint import amend, load, read_tensors
from shiftcli.network.inference import densities
from shiftcli.options import read_toml
from shiftcli.prediction.predictor import Predictor
from shiftcli.training import loop
from shiftcli.training.branch import Branch
from shiftcli.training.config import Configuration
from shiftcli.training.data import collect_samples
from shiftcli.training.folder import parse_task
from shiftcli.training.processes import Processes
from shiftcli.training.run import train
from shiftcli.training.sources import load_levels
from shiftcli.weights import find_networks

pytestmark = pytest.mark.usefixtures("narrow")

ALONE = Processes(0, 1, torch.device("cpu"))
QUICK = Configuration(epochs=2, batch_size=4, seed=3)


@pytest.fixture(scope="module")
def finished(narrow, labelled_file, tmp_path_factory):
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    reports = []
    paths = train(
        [labelled_file], folder, nuclei=["C"], configuration=QUICK, device="cpu",
        on_epoch=reports.append,
    )  # fmt: skip
    return folder, paths, reports


def test_run_directory(finished, labelled_file):
    folder, paths, reports = finished
    assert {p.name for p in folder.iterdir()} == {
        "config.toml", "metrics.csv", "compact-C.safetensors",
    }  # fmt: skip
    assert paths == [folder / "compact-C.safetensors"]
    record = tomllib.loads((folder / "config.toml").read_text())
    assert record["nucleus"]["C"]["epochs"] == 2
    assert (record["data"], record["run"]["crystals"]) == ([str(labelled_file)], [16])
    with open(folder / "metrics.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [int(r["epoch"]) for r in rows] == [1, 2]
    assert float(rows[1]["train_rmse"]) == reports[1].train_rmse


def test_network_knows_where_it_comes_from(finished):
    _, (path,), _ = finished
    _, metadata = load(path)
    assert (metadata.nucleus, metadata.scale, metadata.orientation) == ("C", 10.0, "frames")
    # Crystals 0 and 8 of 16 validate; each has two distinct carbons once it is distorted.
    assert metadata.validation["crystals"] == 2
    assert metadata.validation["n"] == 4
    assert metadata.training["crystals"] == 14
    assert find_networks(path.parent)[0].nucleus == "C"


@pytest.mark.parametrize("stopped_after", [0, 1])
def test_resumed_run_is_bit_identical(finished, labelled_file, tmp_path, stopped_after):
    whole, _, _ = finished
    folder = tmp_path / "stopped"

    def interrupt(report):
        if report.epoch == stopped_after + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            [labelled_file], folder, nuclei=["C"], configuration=QUICK, device="cpu",
            on_epoch=interrupt,
        )  # fmt: skip
    assert not (folder / "compact-C.safetensors").exists()
    (path,) = train([], folder, resume=True, device="cpu")
    assert path.read_bytes() == (whole / path.name).read_bytes()
    with open(folder / "metrics.csv", newline="") as handle:
        assert [int(r["epoch"]) for r in csv.DictReader(handle)] == [1, 2]


def test_resumed_state_is_bit_identical_in_float32(labelled_file, tmp_path):
    """The networks are stored in float16, which would hide a difference in the last bits."""
    samples = collect_samples(load_levels([labelled_file]).main, "C")
    configuration = replace(QUICK, epochs=3, batch_size=14)

    def trainer():
        branch = Branch("C", samples, samples, configuration, ALONE)
        return loop.Trainer([branch], configuration, ALONE)

    def stop(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    trainer().fit(tmp_path / "whole", lambda report: None)
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(tmp_path / "stopped", stop)
    trainer().fit(tmp_path / "stopped", lambda report: None)
    whole, stopped = (read_tensors(tmp_path / name)[0] for name in ("whole", "stopped"))
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_rare_nucleus_does_not_stop_the_others(labelled_file, tmp_path):
    notes = []
    configuration = replace(QUICK, epochs=1, batch_size=50)
    paths = train(
        [labelled_file], tmp_path / "run", configuration=configuration, device="cpu",
        on_note=notes.append,
    )  # fmt: skip
    # 14 training crystals have 112 protons and 56 nitrogens, but 28 carbons and oxygens.
    assert [p.stem for p in paths] == ["compact-H", "compact-N"]
    assert sum("fewer than one batch" in note for note in notes) == 2


def test_resume_with_other_data(labelled_file, tmp_path):
    data = tmp_path / "data.xyz"
    data.write_text(labelled_file.read_text())
    train([data], tmp_path / "run", nuclei=["C"], configuration=QUICK, device="cpu")
    lines = data.read_text().splitlines()
    data.write_text("\n".join(lines[:-18]) + "\n")
    with pytest.raises(TrainingError, match="had 16 labelled structures"):
        train([], tmp_path / "run", resume=True, device="cpu")
    # As many structures, another shielding.
    atom = lines[-1].split()
    data.write_text("\n".join([*lines[:-1], " ".join([*atom[:-1], "150.0"])]) + "\n")
    with pytest.raises(TrainingError, match="are not those that this run began with"):
        train([], tmp_path / "run", resume=True, device="cpu")


def test_network_that_came_to_nothing_is_not_written(labelled_file, tmp_path):
    configuration = replace(QUICK, epochs=1, optimizer="adam", learning_rate=1e30)
    with pytest.raises(TrainingError, match="no longer a number in epoch 1"):
        train(
            [labelled_file], tmp_path / "run", nuclei=["C"], configuration=configuration,
            device="cpu",
        )  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["config.toml", "metrics.csv"]


def test_no_nucleus_is_trained_where_a_later_one_cannot_be(labelled_file, tmp_path):
    configuration = replace(QUICK, batch_size=50)
    with pytest.raises(TooFewSamples, match="28 training samples of C"):
        train(
            [labelled_file], tmp_path / "run", nuclei=["H", "C"], configuration=configuration,
            device="cpu",
        )  # fmt: skip
    start = replace(QUICK, start=str(tmp_path / "none"))
    with pytest.raises(WeightsError):
        train([labelled_file], tmp_path / "run", configuration=start, device="cpu")
    assert not (tmp_path / "run").exists()


def test_finished_run_is_kept(finished):
    folder, (path,), _ = finished
    before = path.read_bytes()
    notes = []
    train([], folder, resume=True, device="cpu", on_note=notes.append)
    assert path.read_bytes() == before
    assert any("finished before" in note for note in notes)


def test_training_learns(molecules, tmp_path):
    reports = []
    configuration = Configuration(epochs=6, batch_size=14, dropout=0.0, seed=1)
    train(
        [molecules], tmp_path / "run", nuclei=["C"], configuration=configuration,
        device="cpu", on_epoch=reports.append,
    )  # fmt: skip
    # The labels follow from the geometry (spread 70 ppm); the network finds out how.
    assert reports[-1].train_rmse < 0.6 * reports[0].train_rmse


def test_random_orientation_is_recorded(labelled_file, tmp_path):
    (path,) = train(
        [labelled_file], tmp_path / "run", nuclei=["O"], device="cpu",
        configuration=replace(QUICK, epochs=1, orientation="random", optimizer="adamw"),
    )  # fmt: skip
    assert load(path)[1].orientation == "random"


def test_fewer_samples_than_a_batch(labelled_file, tmp_path):
    with pytest.raises(TrainingError, match="fewer than one batch"):
        train([labelled_file], tmp_path / "r", nuclei=["C"], device="cpu")


def test_no_labels(urea_path, tmp_path):
    with pytest.raises(TrainingError, match="no structure in the data has shieldings"):
        train([urea_path], tmp_path / "r", device="cpu")
    assert not (tmp_path / "r").exists()


def test_directory_that_is_taken(finished, labelled_file):
    folder, _, _ = finished
    with pytest.raises(TrainingError, match="--resume"):
        train([labelled_file], folder, configuration=QUICK, device="cpu")


def test_nothing_to_resume(tmp_path):
    with pytest.raises(TrainingError, match="no run to resume"):
        train([], tmp_path, resume=True, device="cpu")


def test_damaged_state(labelled_file, tmp_path):
    folder = tmp_path / "run"

    def interrupt(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            [labelled_file], folder, nuclei=["C"], configuration=QUICK, device="cpu",
            on_epoch=interrupt,
        )  # fmt: skip
    (folder / "compact-C.state").write_bytes(b"rubbish")
    with pytest.raises(TrainingError, match="cannot resume"):
        train([], folder, resume=True, device="cpu")


def test_data_too_few_for_all_nuclei(labelled_file, tmp_path):
    notes = []
    with pytest.raises(TooFewSamples, match="too few for any nucleus") as caught:
        train([labelled_file], tmp_path / "r", device="cpu", on_note=notes.append)
    assert "--batch-size" in caught.value.hint
    assert sum("fewer than one batch (128)" in note for note in notes) == 4


def test_nucleus_without_labels(molecules, tmp_path):
    configuration = replace(QUICK, epochs=1, batch_size=28)
    with pytest.raises(TrainingError, match="no shieldings of 15N"):
        train([molecules], tmp_path / "r", nuclei=["N"], configuration=configuration, device="cpu")
    notes = []
    (path,) = train(
        [molecules], tmp_path / "all", configuration=configuration, device="cpu",
        on_note=notes.append,
    )  # fmt: skip
    assert path.stem == "compact-C"
    for species in ("1H", "15N", "17O"):
        expected = f"{species}: left out, the training crystals have no shieldings of {species}"
        assert expected in notes


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"nuclei": ["Fe"]}, r"\['Fe'\] are not of H, C, N, O"),
        ({"nuclei": []}, "are not of"),
        ({"nuclei": ["13C"]}, "are not of"),
        ({"shielding_column": 3}, "is not a text"),
    ],
)
def test_wrong_arguments(labelled_file, tmp_path, wrong, message):
    with pytest.raises(UsageError, match=message):
        train([labelled_file], tmp_path / "r", configuration=QUICK, device="cpu", **wrong)
    assert not (tmp_path / "r").exists()


def test_disk_that_fills_up_while_a_state_is_written(finished, labelled_file, tmp_path):
    resource = pytest.importorskip("resource")
    folder = tmp_path / "run"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    reports = []

    def fill(report):
        reports.append(report)
        if report.epoch == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    try:
        with pytest.raises(TrainingError, match="cannot write: File too large") as caught:
            train(
                [labelled_file], folder, nuclei=["C"], configuration=QUICK, device="cpu",
                on_epoch=fill,
            )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.where == str(folder)
    assert len(reports) == 2
    assert sorted(p.name for p in folder.iterdir()) == [
        "compact-C.state", "config.toml", "metrics.csv",
    ]  # fmt: skip
    assert read_tensors(folder / "compact-C.state")[1]["epoch"] == "1"
    (path,) = train([], folder, resume=True, device="cpu")
    assert path.read_bytes() == finished[1][0].read_bytes()
    assert rows_of(folder) == rows_of(finished[0])


def rows_of(folder):
    """The log without its times."""
    with open(folder / "metrics.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [{k: v for k, v in row.items() if "second" not in k} for row in rows]


def test_directory_that_cannot_be_written(labelled_file, tmp_path):
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(TrainingError, match="cannot write: Not a directory"):
        train([labelled_file], tmp_path / "file" / "run", configuration=QUICK, device="cpu")
    if os.geteuid() == 0:
        pytest.skip("root can write everywhere")
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(TrainingError, match="cannot write: Permission denied"):
        train([labelled_file], tmp_path / "shut", configuration=QUICK, device="cpu")


def test_the_run_is_in_the_way_of_networks(labelled_file, tmp_path):
    (tmp_path / "other-H.safetensors").write_bytes(b"")
    with pytest.raises(TrainingError, match="holds a run or networks") as caught:
        train([labelled_file], tmp_path, configuration=QUICK, device="cpu")
    assert "--resume" not in caught.value.hint


def test_configuration_file_repeats_the_run(finished, tmp_path, monkeypatch):
    folder, (path,), _ = finished
    monkeypatch.chdir(tmp_path)
    task = parse_task(read_toml(folder / "config.toml"), protocol="default")
    (again,) = train(
        task.data, "again", nuclei=task.nuclei, configuration=task.configuration, device="cpu",
        shielding_column=task.shielding_column,
    )  # fmt: skip
    assert again.read_bytes() == path.read_bytes()
    ours, theirs = (tomllib.loads((f / "config.toml").read_text()) for f in (folder, again.parent))
    assert ours == theirs


@pytest.fixture(scope="module")
def committee(narrow, labelled_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("committee") / "run"
    notes = []
    configuration = replace(QUICK, epochs=1, batch_size=14, members=2)
    paths = train(
        [labelled_file], folder, nuclei=["C"], configuration=configuration, device="cpu",
        on_note=notes.append,
    )  # fmt: skip
    return folder, paths, notes


def test_members_of_a_committee(committee):
    folder, paths, notes = committee
    assert [p.name for p in paths] == ["compact-C-1.safetensors", "compact-C-2.safetensors"]
    (first, one), (second, two) = map(load, paths)
    seeds = [m.training["configuration"]["seed"] for m in (one, two)]
    assert seeds == [3, 4]
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert not any(same[:3])
    assert one.calibration == two.calibration
    assert one.calibration["members"] == 2
    assert one.calibration["n"] == 4
    assert rows_of(folder)[0]["member"] == "1"
    assert rows_of(folder)[1]["member"] == "2"
    assert sum("validation RMSE" in note for note in notes) == 1


def test_a_committee_predicts_together(committee, urea):
    folder, paths, _ = committee
    (both,) = Predictor(folder, device="cpu").predict(urea).sites
    alone = []
    for path in paths:
        own = folder.parent / path.stem
        own.mkdir()
        (own / path.name).write_bytes(path.read_bytes())
        alone.append(Predictor(own, device="cpu").predict(urea).sites[0].shielding)
    assert both.shielding == pytest.approx(np.mean(alone), abs=1e-4)
    assert alone[0] != alone[1]
    calibration = Calibration.from_dict(load(paths[0])[1].calibration)
    assert both.uncertainty >= calibration.q68 * calibration.floor * (1 - 1e-9)


def test_a_committee_that_was_stopped_before_its_calibration(committee, tmp_path):
    folder, paths, _ = committee
    copy = tmp_path / "run"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    amend(copy / paths[1].name, calibration={})
    train([], copy, resume=True, device="cpu")
    assert [(copy / p.name).read_bytes() for p in paths] == [p.read_bytes() for p in paths]


def test_precision_is_that_of_validation_and_calibration_too(molecules, tmp_path, monkeypatch):
    seen = set()

    def spy(network, environments, rotations, dtype=None):
        seen.add(dtype)
        return densities(network, environments, rotations, dtype)

    monkeypatch.setattr("shiftcli.network.inference.densities", spy)
    monkeypatch.setattr("shiftcli.training.branch.densities", spy)
    configuration = replace(QUICK, epochs=1, batch_size=28, precision="float32")
    train([molecules], tmp_path / "r", nuclei=["C"], configuration=configuration, device="cpu")
    assert seen == {torch.float32}


@pytest.mark.parametrize(("orientation", "views"), [("frames", 12), ("euler", 8), ("random", 8)])
def test_figures_are_of_as_many_orientations_as_predictions(
    molecules, tmp_path, monkeypatch, orientation, views
):
    asked = []
    validation_rmse = loop.Trainer.validation_rmse
    monkeypatch.setattr(
        loop.Trainer, "validation_rmse",
        lambda self, branch, views: asked.append(views) or validation_rmse(self, branch, views),
    )  # fmt: skip
    configuration = replace(QUICK, epochs=1, batch_size=28, orientation=orientation)
    (path,) = train(
        [molecules], tmp_path / "r", nuclei=["C"], configuration=configuration, device="cpu"
    )
    assert asked == [1, views, 1]
    figures = load(path)[1].validation
    assert figures["crystals"] == 8
    assert figures["rmse"] > 0
