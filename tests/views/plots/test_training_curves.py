"""Pictures of training runs."""

import builtins
import csv
import os

import pytest

from shiftcli.errors import UsageError
from shiftcli.views.plots import check_picture, plot_training

pytest.importorskip("matplotlib")

COLUMNS = ("nucleus", "member", "epoch", "train_rmse", "validation_rmse", "baseline_rmse")


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as handle:
        csv.writer(handle).writerows([COLUMNS, *rows])
    return path


@pytest.fixture
def metrics(tmp_path):
    return write(
        tmp_path / "run" / "metrics.csv",
        ("H", 1, 1, 0.9, 0.8, 0.515), ("H", 1, 2, 0.7, 0.6, 0.515), ("H", 2, 1, 0.9, 0.7, 0.515),
        ("O", 1, 1, 40.0, "nan", "nan"), ("O", 1, 2, 30.0, "nan", "nan"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".SVG", b"<?xml"), (".pdf", b"%PDF")]
)
def test_formats(metrics, tmp_path, suffix, start):
    picture = tmp_path / "new" / f"curves{suffix}"
    plot_training([metrics], picture)
    assert picture.read_bytes().startswith(start)


def test_a_panel_for_each_nucleus_and_a_line_for_each_network(metrics, tmp_path, seen):
    other = write(tmp_path / "other" / "metrics.csv", ("O", 1, 1, 50.0, 45.0, "nan"))
    plot_training([metrics, other], tmp_path / "a.png")
    proton, oxygen = seen[0].axes
    assert [panel.get_title() for panel in (proton, oxygen)] == ["¹H", "¹⁷O"]
    labels = [text.get_text() for text in proton.get_legend().get_texts()]
    assert labels == ["run #1 validation", "run #2 validation", "baseline in the data"]
    first = [line for line in proton.lines if line.get_label() == "run #1 validation"]
    assert first[0].get_ydata().tolist() == [0.8, 0.6]
    assert first[0].get_xdata().tolist() == [1, 2]
    labels = [text.get_text() for text in oxygen.get_legend().get_texts()]
    assert labels == ["run #1 validation", "other #1 validation"]


@pytest.mark.parametrize("name", ["curves.gif", "curves", "png"])
def test_other_formats(metrics, tmp_path, name):
    with pytest.raises(UsageError, match=r"should end in \.png, \.svg, \.pdf"):
        check_picture(tmp_path / name)
    with pytest.raises(UsageError, match="should end in"):
        plot_training([metrics], tmp_path / name)


def test_nothing_to_draw(tmp_path):
    with pytest.raises(UsageError, match="no epoch has been trained"):
        plot_training([write(tmp_path / "metrics.csv")], tmp_path / "a.png")
    with pytest.raises(UsageError, match="no epoch has been trained"):
        plot_training([], tmp_path / "a.png")


def test_picture_that_cannot_be_written(metrics, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*a\.png"):
        plot_training([metrics], tmp_path / "file" / "a.png")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(UsageError, match=r"a\.png.*: it is a directory"):
        plot_training([metrics], tmp_path / "a.png")


def test_without_matplotlib(metrics, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match="pictures need matplotlib") as caught:
        check_picture(tmp_path / "a.png")
    assert caught.value.hint.endswith("install matplotlib")
    assert "a.png" not in os.listdir(tmp_path)
