"""What is seen of a training run, and the tables of studies."""

import io
import math
import re

import pytest
from rich.console import Console

from shiftcli.network.inference import WATCHER
from shiftcli.training.loop import EpochReport
from shiftcli.training.studies import StudyRow, study_table
from shiftcli.views import progress as render

KNOWN = {"nucleus": "C", "member": 1, "epoch": 1, "epochs": 3, "loss": 0.5, "train_rmse": 8.0,
         "validation_rmse": 9.0, "baseline_rmse": math.nan, "learning_rate": 1e-3,
         "samples": 7000, "samples_per_second": 165.4, "seconds": 61.0}  # fmt: skip


def report(**values):
    return EpochReport(**{**KNOWN, **values})


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns in place of stderr."""
    seen = io.StringIO()
    monkeypatch.setattr(
        render, "stderr", lambda: Console(file=seen, force_terminal=True, width=80, height=30)
    )
    monkeypatch.delenv("RANK", raising=False)
    return seen


def plain(seen):
    """Lines without the terminal's control codes."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.getvalue()).splitlines()


def cells(line):
    return line.replace(" #", "#").split()


def test_sites_of_a_large_structure(terminal):
    def predicted(sites):
        WATCHER.get().begin(sites)
        for _ in range(4):
            WATCHER.get().advance(sites / 4)
            yield_to_the_bar(WATCHER.get().bar)
        return sites

    def yield_to_the_bar(bar):
        if bar.live.is_started:
            bar.refresh()

    assert list(render.progress(map(predicted, [12]), 1)) == [12]
    assert not terminal.getvalue()  # which is over before anybody has read it
    assert list(render.progress(map(predicted, [1000]), 1)) == [1000]
    shown = " ".join(plain(terminal))
    assert re.search(r" 500/1000 sites", shown)
    assert "structures" not in shown
    assert list(render.progress(map(predicted, [100, 12]), 2)) == [100, 12]
    shown = " ".join(plain(terminal))
    assert "1/2 structures" in shown
    assert "75/100" in shown
    assert WATCHER.get() is None


def test_live_table_on_a_terminal(terminal):
    view = render.TrainingView()
    view.note("run directory: runs/x")
    view.epoch(report())
    view.epoch(report(epoch=2, validation_rmse=5.0))
    view.epoch(report(epoch=3, validation_rmse=6.0, baseline_rmse=4.26))
    view.epoch(report(nucleus="O", member=2, epochs=1))
    view.close()
    lines = plain(terminal)
    assert "run directory: runs/x" in lines
    rows = [cells(line.replace("per s", "per_s")) for line in lines]
    header = ["epoch", "loss", "train", "valid.", "best", "KRR", "per_s", "left"]
    assert header in rows
    assert ["13C#1", "1/3", "0.5000", "8.000", "9.000", "9.000", "165", "0:02:02"] in rows
    assert ["13C#1", "2/3", "0.5000", "8.000", "5.000", "5.000", "165", "0:01:01"] in rows
    last = ["13C#1", "3/3", "0.5000", "8.000", "6.000", "5.000", "4.260", "165", "0:00:00"]
    assert last in rows
    # The finished nucleus stays beside the next one.
    assert last == rows[[row[:2] for row in rows].index(["17O#2", "1/1"]) - 1]
    assert max(map(len, lines)) <= 80
    assert "\x1b[" in terminal.getvalue()


def test_long_runs_are_not_cut(terminal):
    view = render.TrainingView()
    errors = dict.fromkeys(("train_rmse", "validation_rmse", "baseline_rmse"), 123.456)
    view.epoch(report(member=12, epoch=100, epochs=200, loss=12.3456, seconds=700.0, **errors))
    view.close()
    row = ["13C#12", "100/200", "12.3456", *["123.456"] * 4, "165", "19:26:40"]
    assert row in [cells(line) for line in plain(terminal)]


def test_best_error_of_a_resumed_run_is_that_of_all_epochs(terminal):
    view = render.TrainingView({("C", 1): 4.0, ("O", 1): 1.0})
    view.epoch(report(epoch=2, validation_rmse=5.0))
    assert view.rows["C", 1][1] == 4.0
    view.epoch(report(epoch=3, validation_rmse=3.0))
    assert view.rows["C", 1][1] == 3.0
    view.epoch(report(nucleus="O"))  # begins anew
    assert view.rows["O", 1][1] == 9.0
    view.close()


def test_lines_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    view = render.TrainingView()
    assert view.live is None
    view.epoch(report())
    view.epoch(report(epoch=2, validation_rmse=5.0, baseline_rmse=4.26))
    view.epoch(report(epoch=1, validation_rmse=7.0))  # the next run of a study
    view.epoch(report(member=2))
    view.close()
    assert capsys.readouterr().err.splitlines() == [
        "13C epoch   1/3  loss 0.5000  train 8.000  validation 9.000 ppm  best 9.000  165/s  "
        "left 0:02:02",
        "13C epoch   2/3  loss 0.5000  train 8.000  validation 5.000 ppm  best 5.000  KRR 4.260  "
        "165/s  left 0:01:01",
        "13C epoch   1/3  loss 0.5000  train 8.000  validation 7.000 ppm  best 7.000  165/s  "
        "left 0:02:02",
        "13C #2 epoch   1/3  loss 0.5000  train 8.000  validation 9.000 ppm  best 9.000  165/s  "
        "left 0:02:02",
    ]


def test_of_several_processes_one_is_seen(terminal, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    view = render.TrainingView()
    assert not view.is_writer
    view.note("a note")
    view.epoch(report())
    view.close()
    assert terminal.getvalue() == ""
    monkeypatch.setenv("RANK", "0")
    view = render.TrainingView()
    view.note("a note")
    view.close()
    assert "a note" in terminal.getvalue()


def test_study_table():
    rows = [
        StudyRow("H", 100, "none", 3, 0.5, 0.01234),
        StudyRow("O", 0, "training and testing", 1, 20.0, math.nan),
    ]
    assert study_table(rows).shown()[1] == [
        ["1H", "100", "none", "3", "0.500", "0.012"],
        ["17O", "all", "training and testing", "1", "20.000", ""],
    ]
