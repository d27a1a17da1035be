"""One process or several, the latter as `torchrun` starts them."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import distributed, nn

from shiftcli.errors import TrainingError
from shiftcli.network.checkpoint import load
from shiftcli.training import processes as processes_module
from shiftcli.training.config import Configuration
from shiftcli.training.processes import Processes, launched
from shiftcli.training.run import train

ALONE = Processes(0, 1, torch.device("cpu"))


def test_one_process_is_everything():
    rows = np.arange(5)
    assert ALONE.share(rows) is not None
    np.testing.assert_array_equal(ALONE.share(rows), rows)
    assert ALONE.total(1.5, -2.0) == [1.5, -2.0]
    assert ALONE.is_writer
    module = nn.Linear(1, 1)
    assert ALONE.parallel(module) is module
    ALONE.wait()


def test_shares_of_several_are_all_rows_once():
    rows = np.arange(11)
    shares = [Processes(k, 4, torch.device("cpu")).share(rows) for k in range(4)]
    assert [len(s) for s in shares] == [3, 3, 3, 2]
    assert sorted(np.concatenate(shares)) == rows.tolist()
    assert not Processes(1, 4, torch.device("cpu")).is_writer


def test_what_fails_alone_fails(monkeypatch):
    with ALONE.together():
        pass
    with pytest.raises(OSError, match="full"), ALONE.together():
        raise OSError("full")
    # Of several the others are told.
    monkeypatch.setattr(Processes, "total", lambda self, *values: [1.0])
    with (
        pytest.raises(TrainingError, match="another process of this run failed"),
        Processes(1, 2, torch.device("cpu")).together(),
    ):
        pass


def test_without_torchrun_there_is_one(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with launched("cpu") as processes:
        assert processes == ALONE
        assert not distributed.is_initialized()


def test_a_process_group_serves_several_runs(monkeypatch):
    for name, value in {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "0")
    atexit = []
    monkeypatch.setattr("atexit.register", atexit.append)
    try:
        for _ in range(2):
            with launched("cpu") as processes:
                assert distributed.is_initialized()
                assert processes == ALONE
    finally:
        for leave in atexit:
            leave()
    assert len(atexit) == 1
    assert not distributed.is_initialized()


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_shared_normalisation_is_torchs_own(monkeypatch, offset):
    monkeypatch.setattr(processes_module._Sum, "apply", lambda values: values)
    torch.manual_seed(0)
    own, shared = nn.BatchNorm3d(3), nn.BatchNorm3d(3)
    shared.__class__ = processes_module.SharedBatchNorm
    drawn = offset + torch.randn(5, 3, 2, 2, 2)
    values = [drawn.clone().requires_grad_() for _ in range(2)]
    weights = torch.randn(5, 3, 2, 2, 2)
    results = [norm(x) for norm, x in zip((own, shared), values, strict=True)]
    for result in results:
        (weights * result).sum().backward()
    torch.testing.assert_close(results[1], results[0], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(values[1].grad, values[0].grad, atol=1e-3, rtol=1e-3)
    for name, value in own.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], value)
    torch.testing.assert_close(shared.eval()(values[0]), own.eval()(values[0]))


VALUES = {
    "epochs": 5, "batch_size": 14, "optimizer": "adamw", "learning_rate": 1e-2, "dropout": 0.0,
    "smear": 0.01, "seed": 3, "precision": "float32",
}  # fmt: skip
NAME = "compact-C.safetensors"

#: In both processes: a run from the command line, another that is lost in its third epoch and
#: gone on with, a batch too small to share, what only the first process can refuse, a study.
SCRIPT = """
import runpy
import sys
from pathlib import Path
from shiftcli.errors import TrainingError
from shiftcli.network.densenet import PRESETS, Architecture
from shiftcli.training.config import Configuration
from shiftcli.training.folder import Task
from shiftcli.training.run import train
from shiftcli.training.studies import Variation, study
from shiftcli.training.loop import Trainer

data, folder, values = sys.argv[1], Path(sys.argv[2]), eval(sys.argv[3])
PRESETS["compact"] = Architecture("compact", 4, 4, 32, units=(1,), bottleneck=32, growth=16)
epoch = Trainer._run_epoch

def tell(text):
    sys.stdout.write(f"{text}\\n")  # in one piece, for there are two of us

def command(*arguments):
    sys.argv = ["shiftcli", "train", *map(str, arguments)]
    try:
        runpy.run_module("shiftcli", run_name="__main__")
    except SystemExit as error:
        tell(f"status {error.code}")

def start(name, **changes):
    configuration = Configuration(**{**values, **changes})
    try:
        train([data], folder / name, nuclei=["C"], configuration=configuration, device="cpu")
    except TrainingError as error:
        tell(error.message)

def lose(self):
    if self.epoch == 2:
        raise KeyboardInterrupt
    return epoch(self)

options = [f"--{k.replace('_', '-')}={v}" for k, v in values.items()]
command("--data", data, "--nucleus", "C", *options, "--output", folder / "whole")
Trainer._run_epoch = lose
try:
    start("lost")
except KeyboardInterrupt:
    Trainer._run_epoch = epoch
train([], folder / "lost", resume=True, device="cpu")
start("small", batch_size=3)
start("whole")
brief = {**values, "epochs": 1, "precision": "bfloat16"}
task = Task((data,), ("C",), Configuration(**brief))
tell([row.runs for row in study(task, folder / "study", Variation(seeds=2), device="cpu")])
"""


@pytest.fixture(scope="module")
def two(molecules, tmp_path_factory):
    """What two processes did, and where."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "script.py").write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *torchrun, folder / "script.py", molecules, folder, VALUES]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        list(map(str, command)), stdout=pipe, stderr=pipe, text=True, env=environment
    ) as running:
        try:
            stdout, stderr = running.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            running.terminate()  # unlike SIGKILL it is passed on to the processes
            raise
    assert running.returncode == 0, stderr
    return folder, stdout, stderr


def metrics(folder):
    """The log without its times."""
    with open(folder / "metrics.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [{k: v for k, v in row.items() if "second" not in k} for row in rows]


def test_two_processes_make_one_network(two):
    folder, stdout, stderr = two
    folder = folder / "whole"
    assert sorted(p.name for p in folder.iterdir()) == [NAME, "config.toml", "metrics.csv"]
    assert [row["epoch"] for row in metrics(folder)] == ["1", "2", "3", "4", "5"]
    assert stdout.splitlines().count(str(folder / NAME)) == 1
    assert stdout.splitlines().count("status 0") == 2
    assert "Grad strides" not in stderr
    assert "Warning" not in stderr
    for told in ("run directory:", "epoch   1/5", "epoch   5/5", f"wrote {folder}"):
        assert stderr.count(told) == 1, stderr
    _, metadata = load(folder / NAME)
    assert (metadata.validation["n"], metadata.validation["crystals"]) == (8, 8)
    assert metadata.calibration["n"] == 8


def test_two_processes_learn_as_one_does(two, molecules, narrow, tmp_path):
    folders = tmp_path / "one", two[0] / "whole"
    configuration = Configuration(**VALUES)
    train([molecules], folders[0], nuclei=["C"], configuration=configuration, device="cpu")
    one, both = map(metrics, folders)
    # The two normalise by the statistics of the whole batch: they differ by rounding alone.
    for column in ("loss", "train_rmse", "validation_rmse"):
        columns = [[float(row[column]) for row in rows] for rows in (both, one)]
        assert columns[0] == pytest.approx(columns[1], rel=1e-3), column
    assert [row["learning_rate"] for row in both] == [row["learning_rate"] for row in one]
    assert float(one[-1]["validation_rmse"]) < 35.0, "half the standard deviation of the labels"
    first, second = (load(folder / NAME)[1] for folder in folders)
    assert (first.mean, first.training) == (second.mean, second.training)


def test_two_processes_go_on_where_they_were(two):
    whole, lost = two[0] / "whole", two[0] / "lost"
    assert (lost / NAME).read_bytes() == (whole / NAME).read_bytes()
    assert metrics(lost) == metrics(whole)


def test_two_processes_fail_together_and_make_studies(two):
    folder, stdout, _ = two
    told = stdout.splitlines()
    assert told.count("a batch of 3 cannot be shared by 2 processes") == 2
    assert told.count("this directory holds a run or networks") == 1
    assert told.count("stopped, since another process of this run failed") == 1
    assert told.count("[2, 2]") == 2
    assert (folder / "study" / "summary.csv").is_file()
