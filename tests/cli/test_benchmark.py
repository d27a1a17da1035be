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


def test_accuracy_table_says_the_coverage(shiftcli, labelled_file):
    done = shiftcli("benchmark", "--data", labelled_file, "--nucleus", "C")
    assert done.returncode == 0, done.stderr
    assert "in 68 % interval" in done.stdout
    (row,) = (line for line in done.stdout.splitlines() if "13C" in line)
    assert row.count("%") == 2


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
