"""`shiftcli train`, run as a user runs it."""

import builtins
import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from shiftcli.network.checkpoint import load
from shiftcli.training import loop
from shiftcli.training.config import Configuration
from shiftcli.training.run import train

pytestmark = pytest.mark.usefixtures("narrow")

#: The same run as options and as a configuration.
OPTIONS = ["--epochs", 3, "--batch-size", 7, "--optimizer", "adamw", "--seed", 5]
CONFIGURATION = Configuration(epochs=3, batch_size=7, optimizer="adamw", seed=5)
NAME = "compact-C.safetensors"


@pytest.fixture(scope="module")
def whole(narrow, few_molecules, tmp_path_factory):
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train([few_molecules], folder, nuclei=["C"], configuration=CONFIGURATION, device="cpu")
    return folder


def test_train_and_predict_with_the_result(shiftcli, main, few_molecules, urea_path, tmp_path):
    run = tmp_path / "run"
    done = shiftcli(
        "train", few_molecules, "--nucleus", "13C", "--epochs", "1", "--batch-size", "7",
        "--optimizer", "adamw", "--members", "2", "--output", run,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files = [str(run / f"compact-C-{k}.safetensors") for k in (1, 2)]
    assert done.stdout.splitlines() == files
    assert "13C epoch   1/1" in done.stderr
    assert "13C #2 epoch   1/1" in done.stderr
    done = main("predict", urea_path, "--weights", run, "--format", "csv")
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert row["species"] == "13C"
    assert float(row["MS_shielding_uncertainty95/ppm"]) > float(row["MS_shielding_uncertainty/ppm"])


def test_a_recipe_is_judged_and_its_networks_trained_on_all(shiftcli, few_molecules, tmp_path):
    run = tmp_path / "run"
    done = shiftcli(
        "train", few_molecules, "--nucleus", "C", "--protocol", "shared", "--steps", "2",
        "--epochs", "1", "--batch-size", "7", "--folds", "2", "--refit", "--output", run,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(run / "networks" / NAME)
    assert "all data, out of fold" in done.stdout
    assert load(run / "networks" / NAME)[1].validation["folds"] == 2
    again = shiftcli("train", "--resume", run)
    assert again.stdout == done.stdout
    done = shiftcli("train", few_molecules, "--refit", "--output", tmp_path / "other")
    assert done.returncode == 2
    assert "--refit goes with --folds" in done.stderr


# Being stopped

#: Puts narrow layers into a child, and what `how` does into its second epoch.
CHILD = """
import os, signal, sys, time
import safetensors.torch
from shiftcli.network.densenet import PRESETS, Architecture
from shiftcli.training.loop import Trainer
PRESETS["compact"] = Architecture("compact", 4, 4, 32, units=(1,), bottleneck=32, growth=16)

def wait(self, *arguments, step=Trainer._step):
    while self.epoch == 1:
        time.sleep(0.1)
    return step(self, *arguments)

def die(tensors, path, write=safetensors.torch.save_file, **more):
    write(tensors, path, **more)
    if more["metadata"].get("epoch") == "2":
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

if sys.argv.pop(1) == "wait":
    Trainer._step = wait
else:
    safetensors.torch.save_file = die
from shiftcli.cli import main
main()
"""


def child(how, data, run):
    command = [sys.executable, "-c", CHILD, how, "train", "--data", data, "--nucleus", "C"]
    command += [*OPTIONS, "--device", "cpu", "--output", run]
    return subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)


def goes_on(run, whole):
    """Whether the run, gone on with, ends as the whole one did."""
    assert not (run / NAME).exists()
    (path,) = train([], run, resume=True, device="cpu")
    assert path.read_bytes() == (whole / NAME).read_bytes()
    assert sorted(p.name for p in run.iterdir()) == [NAME, "config.toml", "metrics.csv"]
    with open(run / "metrics.csv", newline="") as handle:
        assert [int(row["epoch"]) for row in csv.DictReader(handle)] == [1, 2, 3]


@pytest.mark.parametrize(("number", "status"), [("SIGTERM", 143), ("SIGKILL", -9)])
def test_a_signal_in_the_middle_of_an_epoch(few_molecules, whole, tmp_path, number, status):
    run = tmp_path / "run"
    with child("wait", few_molecules, run) as running:
        deadline = time.monotonic() + 120
        while not (run / "compact-C.state").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.1)
        running.send_signal(getattr(signal, number))
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == status
    assert "Traceback" not in stderr
    assert "13C epoch   1/3" in stderr
    if status > 0:
        assert f"stopped; go on with: shiftcli train --resume {run}" in stderr
    goes_on(run, whole)


def test_killed_while_writing(few_molecules, whole, tmp_path):
    run = tmp_path / "run"
    with child("die", few_molecules, run) as running:
        running.communicate(timeout=120)
    assert running.returncode == -9
    (half,) = run.glob(".*.tmp")
    assert half.name.startswith(".compact-C.state")
    goes_on(run, whole)


def test_interrupt(main, few_molecules, whole, tmp_path, monkeypatch):
    step = loop.Trainer._step

    def interrupt(self, *arguments):
        if self.epoch == 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, *arguments)

    monkeypatch.setattr(loop.Trainer, "_step", interrupt)
    before = signal.getsignal(signal.SIGTERM)
    run = tmp_path / "run"
    # Tests that run in the background inherit that SIGINT is ignored.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = main("train", "--data", few_molecules, "--nucleus", "C", *OPTIONS, "--output", run)
    signal.signal(signal.SIGINT, inherited)
    assert done.returncode == 130
    assert f"shiftcli train --resume {run}" in done.stderr
    assert "Traceback" not in done.stderr
    assert signal.getsignal(signal.SIGTERM) == before
    monkeypatch.undo()
    done = main("train", "--resume", run, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert (run / NAME).read_bytes() == (whole / NAME).read_bytes()


def test_interrupt_before_there_is_anything_to_go_on_with(main, tmp_path, monkeypatch):
    def interrupt(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("shiftcli.training.folder.load_levels", interrupt)
    done = main("train", "--data", "x.xyz", "--output", tmp_path / "run")
    assert done.returncode == 130
    assert "--resume" not in done.stderr


def test_full_disk(main, few_molecules, tmp_path, monkeypatch):
    """A real limit is met in tests/training/test_run.py; here the program's words for it."""

    def full(*arguments, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shiftcli.training.loop.write_tensors", full)
    run = tmp_path / "run"
    done = main("train", "--data", few_molecules, "--nucleus", "C", *OPTIONS, "--output", run)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: {run}: cannot write: No space left on device"
    assert not (run / "compact-C.state").exists()
    assert not (run / NAME).exists()


def test_output_that_cannot_be_made(main, few_molecules, tmp_path):
    (tmp_path / "file").write_text("")
    run = tmp_path / "file" / "run"
    done = main("train", "--data", few_molecules, *OPTIONS, "--output", run)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: {run}: cannot write: Not a directory"


# What is asked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --data, to start a run, or --resume DIR"),
        (["--data", "x.xyz", "--nucleus", "Fe"], "'Fe' is not a list of H, C, N, O"),
        (["--data", "x.xyz", "--batch-size", "1"], "batch_size 1 is not within"),
        (["--data", "x.xyz", "--l2", "1"], "l2 goes with the optimizer adam"),
        (["--data", "x.xyz", "--crystals", "4,x"], "'4,x' is not a list of numbers"),
        (["--data", "x.xyz", "--crystals", "0"], "numbers of crystals from 1 on"),
        (["--data", "x.xyz", "--config", "none.toml"], "none.toml: No such file"),
        (["--data", "x.xyz", "--plot", "a.gif"], "'a.gif' should end in .png, .svg, .pdf"),
        (["--resume", ".", "--plot", "a.gif"], "'a.gif' should end in .png, .svg, .pdf"),
        (["--resume", ".", "--epochs", "3"], "keeps the options"),
        (["--resume", ".", "--data", "x.xyz"], "keeps the options"),
        (["--resume", ".", "x.xyz"], "keeps the options"),
        (["--resume", ".", "--check"], "keeps the options"),
        (["--resume", ".", "--folds", "2"], "keeps the options"),
        (["--resume", ".", "--no-outliers"], "keeps the options"),
        (["--resume", ".", "--protocol", "paper"], "keeps the options"),
    ],
)
def test_usage(main, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = main("train", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert os.listdir(tmp_path) == []


def test_nothing_to_resume(main, tmp_path):
    done = main("train", "--resume", tmp_path)
    assert done.returncode == 1
    assert "no run to resume" in done.stderr


def test_no_labels(main, urea_path, tmp_path):
    done = main("train", "--data", urea_path, "--output", tmp_path / "run")
    assert done.returncode == 1
    assert "has shieldings" in done.stderr
    assert not (tmp_path / "run").exists()


def test_too_few_data(main, few_molecules, tmp_path):
    done = main("train", few_molecules, "--output", tmp_path / "run")
    assert done.returncode == 1
    assert "13C: left out, 14 training samples of C are fewer than one batch (128)" in done.stderr
    assert "error: the data are too few for any nucleus" in done.stderr


def test_several_processes_need_a_directory(main, few_molecules, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = main("train", few_molecules)
    assert done.returncode == 2
    assert "several processes need one --output" in done.stderr


def test_check_describes_and_trains_nothing(
    main, few_molecules, more_molecules, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    data = ["--data", few_molecules, "--data", f"PBE0={more_molecules}", "--check"]
    done = main("train", *data, "--batch-size", 8)
    assert done.returncode == 0, done.stderr
    assert "main level" in done.stdout
    assert "further level PBE0" in done.stdout
    rows = [line.replace("│", " ").split() for line in done.stdout.splitlines()]
    assert ["training", "13C", "14", "14", "14", "14", "0", "0"] in [row[:8] for row in rows]
    assert ["all", "13C", "96", "96", "96", "96", "0", "0"] in [row[:8] for row in rows]
    # With the default batch nothing could be trained.
    done = main("train", *data)
    assert done.returncode == 1
    assert "13C: left out, 14 training samples of C are fewer than one batch (128)" in done.stdout
    assert "the data are too few for any nucleus" in done.stderr
    assert os.listdir(tmp_path) == []


def test_metrics_of_another_program_are_not_read(main, few_molecules, tmp_path):
    (tmp_path / "metrics.csv").write_text("step,score\n1,2\n")
    done = main("train", few_molecules, "--nucleus", "C", *OPTIONS, "--epochs", 1,
                "--output", tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_what_cannot_run_leaves_no_directory(main, few_molecules, tmp_path):
    output = ["--nucleus", "C", "--epochs", 1, "--output", tmp_path / "run"]
    refused = main("train", few_molecules, "--batch-size", 1000, *output)
    assert "14 training samples of C are fewer than one batch (1000)" in refused.stderr
    refused = main("train", few_molecules, "--start", tmp_path / "none", *OPTIONS, *output)
    assert refused.returncode == 1
    refused = main("train", few_molecules, "--crystals", ",", *OPTIONS, *output)
    assert "--crystals names no number of crystals" in refused.stderr
    refused = main("train", few_molecules, "--data", tmp_path / "none.xyz", *OPTIONS, *output)
    assert "none.xyz' is not there" in refused.stderr
    assert os.listdir(tmp_path) == []


def test_run_in_a_directory_of_its_own(main, few_molecules, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = main("train", few_molecules, "--nucleus", "C", *OPTIONS, "--epochs", 1)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("compact-20")
    assert done.stdout.strip() == os.path.join("runs", folder.name, NAME)


def test_configuration_of_an_old_run_repeats_it(main, whole, tmp_path):
    config = whole / "config.toml"
    done = main("train", "--config", config, "--output", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again" / NAME).read_bytes() == (whole / NAME).read_bytes()
    done = main("train", "--config", config, "--epochs", 1, "--output", tmp_path / "short")
    assert done.returncode == 0, done.stderr
    _, metadata = load(tmp_path / "short" / NAME)
    assert metadata.training["configuration"]["epochs"] == 1
    assert metadata.training["configuration"]["batch_size"] == 7


def test_start_from_another_network(main, whole, few_molecules, tmp_path):
    options = ["--data", few_molecules, "--nucleus", "C", *OPTIONS, "--epochs", 1]
    for start in (whole, whole / NAME):
        run = tmp_path / start.name
        done = main("train", *options, "--start", start, "--output", run)
        assert done.returncode == 0, done.stderr
        assert load(run / NAME)[1].training["configuration"]["start"] == str(start)
    run = tmp_path / "other"
    done = main("train", *options, "--start", whole, "--kernel", "slater", "--output", run)
    assert done.returncode == 1
    assert "layers or grids are not those of the model compact" in done.stderr


def test_a_column_that_ase_calls_otherwise(main, few_molecules, tmp_path):
    text = few_molecules.read_text()
    data = tmp_path / "data.xyz"
    data.write_text(text.replace("CS:R", "charge:R"))
    options = ["--data", data, "--nucleus", "C", *OPTIONS, "--epochs", 1]
    done = main("train", *options, "--property", "charge", "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    done = main("train", *options, "--property", "shift", "--output", tmp_path / "other")
    assert done.returncode == 1
    assert "no column 'shift'" in done.stderr


def test_levels_of_theory(main, few_molecules, more_molecules, tmp_path):
    run = tmp_path / "run"
    done = main(
        "train", "--data", few_molecules, "--data", f"PBE0={more_molecules}", "--nucleus", "C",
        *OPTIONS, "--epochs", 1, "--output", run,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, metadata = load(run / NAME)
    assert (metadata.training["samples"], metadata.training["crystals"]) == (14 + 96, 14)


# Studies and pictures


def test_study(main, few_molecules, tmp_path):
    folder = tmp_path / "study"
    plot = tmp_path / "curves.svg"
    done = main(
        "train", few_molecules, "--nucleus", "C", *OPTIONS, "--epochs", 1, "--folds", 2,
        "--output", folder, "--plot", plot,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "validation RMSE/ppm" in done.stdout
    rows = [line.replace("│", " ").split() for line in done.stdout.splitlines()]
    assert ["13C", "all", "training", "2"] in [row[:4] for row in rows]
    assert ["13C", "all", "training", "and", "testing", "2"] in [row[:6] for row in rows]
    assert "run fold-2" in done.stderr
    assert plot.read_text().startswith("<?xml")
    before = (folder / "summary.csv").read_text()
    done = main("train", "--resume", folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("finished before, kept") == 2
    assert (folder / "summary.csv").read_text() == before
    done = main("train", "--config", folder / "study.toml", "--output", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again" / "summary.csv").read_text() == before


def test_picture_of_the_training(main, whole, tmp_path):
    plot = tmp_path / "new" / "curves.png"
    done = main("train", "--resume", whole, "--plot", plot)
    assert done.returncode == 0, done.stderr
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_no_matplotlib_is_told_before_training(main, few_molecules, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    run, plot = tmp_path / "run", tmp_path / "curves.png"
    done = main("train", few_molecules, *OPTIONS, "--output", run, "--plot", plot)
    assert done.returncode == 2
    assert "pictures need matplotlib (" in done.stderr
    assert "install matplotlib)" in done.stderr
    assert not run.exists()
