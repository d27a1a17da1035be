"""`shiftcli benchmark`, run as a user runs it."""

import json

import pytest
import torch


def test_accuracy(shiftcli, labelled_file):
    done = shiftcli("benchmark", "--data", labelled_file, "--split", "all", "--format", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["accuracy"]["13C"]["n"] == 32
    assert document["split"] == "all"
    assert set(document["accuracy"]["13C"]["coverage"]) == {"68", "95"}


def test_from_names_the_format_of_the_data(shiftcli, labelled_file, tmp_path):
    other = tmp_path / "labelled.data"
    other.write_bytes(labelled_file.read_bytes())
    more = ("--nucleus", "C", "--split", "all", "--format", "json")
    done = shiftcli("benchmark", "--data", other, "--from", "extxyz", *more)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"]["13C"]["n"] == 32


def test_accuracy_table_says_the_coverage(shiftcli, labelled_file):
    done = shiftcli("benchmark", "--data", labelled_file, "--nucleus", "C")
    assert done.returncode == 0, done.stderr
    assert "in 68 %" in done.stdout
    (row,) = (line for line in done.stdout.splitlines() if "13C" in line)
    assert row.count("%") == 2


def test_classes_are_shown_if_asked_for(shiftcli, labelled_file):
    done = shiftcli("benchmark", "--data", labelled_file, "--nucleus", "O", "--classes")
    assert done.returncode == 0, done.stderr
    assert "carbonyl/carboxyl" in done.stdout


def test_json_names_the_machine(shiftcli, labelled_file, tmp_path):
    output = tmp_path / "new.json"
    done = shiftcli("benchmark", "--data", labelled_file, "--nucleus", "O", "--output", output)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    document = json.loads(output.read_text())
    assert set(document["machine"]) >= {"python", "torch", "numpy", "cpu", "cores", "device"}
    assert all(len(value) == 64 for value in document["weights"].values())
    assert document["accuracy"]["17O"]["classes"]["carbonyl/carboxyl"]["n"] == 4


def test_compare(shiftcli, labelled_file, tmp_path):
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"split": "train", "accuracy": {"17O": {"n": 5, "rmse": 1e3}}}))
    done = shiftcli("benchmark", "--data", labelled_file, "--nucleus", "O", "--compare", old)
    assert done.returncode == 0, done.stderr
    assert "split: train then, validation now" in done.stderr
    rows = [line for line in done.stdout.splitlines() if "accuracy 17O" in line]
    assert len(rows) == 2
    assert "-20.0%" in rows[0]


def test_baseline(shiftcli, labelled_file):
    pytest.importorskip("dscribe")
    pytest.importorskip("sklearn")
    done = shiftcli(
        "benchmark", "--suite", "baseline", "--data", labelled_file, "--nucleus", "O",
        "--crystals", "5,14",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "SOAP-KRR" in done.stdout
    assert "17O: SOAP-KRR of 14 crystals" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "accuracy"], "--suite accuracy needs --data"),
        (["--suite", "baseline"], "--suite baseline needs --data"),
        (["--suite", "all"], "--suite all needs --data"),
        (["--suite", "speed", "--data", "x.xyz"], "takes no --data"),
        (["--data", "x.xyz", "--crystals", "5"], "--crystals is for"),
        (["--suite", "baseline", "--data", "x.xyz", "--split", "all"], "--split validation"),
        (["--suite", "baseline", "--data", "x.xyz", "--crystals", "5,x"], "not a list of numbers"),
        (["--compare", "none.json"], "none.json: No such file"),
    ],
)
def test_usage(shiftcli, arguments, message):
    if "--crystals" in arguments and "baseline" in arguments:
        pytest.importorskip("dscribe")
        pytest.importorskip("sklearn")
    done = shiftcli("benchmark", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_speed(shiftcli):
    done = shiftcli("benchmark", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "voxelizer" in done.stdout
    assert "dense formulation" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpu_that_is_not_there(shiftcli):
    done = shiftcli("benchmark", "--gpu", "0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--device cpu" in done.stderr


def test_gpu_and_device(shiftcli):
    done = shiftcli("benchmark", "--gpu", "0", "--device", "cpu")
    assert done.returncode == 2
    assert "not both" in done.stderr
