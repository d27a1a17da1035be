"""A run trains, is measured, survives being stopped, and refuses what makes no sense."""

import csv
import tomllib
from dataclasses import replace

import pytest
import torch

from shiftcli.checkpoint import load, read_tensors
from shiftcli.errors import TrainingError
from shiftcli.training import Configuration, load_labelled, loop, train
from shiftcli.training.data import collect_samples
from shiftcli.training.processes import Processes
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
    samples = collect_samples(load_labelled([labelled_file]), "C")
    configuration = replace(QUICK, epochs=3)

    def trainer():
        return loop.Trainer("C", samples, samples, configuration, ALONE)

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


def test_finished_run_is_kept(finished):
    folder, (path,), _ = finished
    before = path.read_bytes()
    notes = []
    train([], folder, resume=True, device="cpu", on_note=notes.append)
    assert path.read_bytes() == before
    assert any("finished before" in note for note in notes)


def test_training_learns(labelled_file, tmp_path):
    reports = []
    configuration = Configuration(epochs=16, batch_size=7, dropout=0.0, seed=1)
    train(
        [labelled_file], tmp_path / "run", nuclei=["C"], configuration=configuration,
        device="cpu", on_epoch=reports.append,
    )  # fmt: skip
    # The labels follow from the geometry (spread 1.5 ppm); the network finds out how.
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
