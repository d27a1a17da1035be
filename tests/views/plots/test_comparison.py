"""Pictures of predicted against measured shifts."""

import itertools

import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.assignment import Comparison, Fit, Row
from shiftcli.views.plots.comparison import plot_comparison

pytest.importorskip("matplotlib")


def row(site, species, predicted, measured, flag="", assigned=False):
    return Row(
        site, species, (0,), 4, 30.0 - predicted, predicted, 0.4, measured, 0.1,
        predicted - measured, 0.5, flag, assigned, 2,
    )  # fmt: skip


@pytest.fixture
def comparison():
    rows = (
        row("H1", "1H", 10.0, 10.2),
        row("H2$", "1H", 9.0, 7.0, ">3σ"),
        row("H3", "1H", 5.0, 5.1, assigned=True),
        row("C1", "13C", 170.0, 170.0),
    )
    fits = (
        Fit("1H", 3, 30.0, -1.0, 0.3, 1.17, 0.8, 0.5, 16.2),
        Fit("13C", 1, 168.0, -1.0, None, 0.0, 0.0, None, 0.0),
    )
    return Comparison(rows, fits, (), (), 16.2, 20.0)


@pytest.fixture
def figure(comparison, tmp_path, seen):
    plot_comparison(comparison, tmp_path / "a.png", "urea $x$")
    return seen[0]


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_formats(comparison, tmp_path, suffix, start):
    picture = tmp_path / f"comparison{suffix}"
    plot_comparison(comparison, picture, "urea $x")
    assert picture.read_bytes().startswith(start)


def test_a_panel_for_each_nucleus(figure):
    proton, carbon = figure.axes
    assert proton.get_title() == "¹H   RMSE 1.17 ppm"
    assert carbon.get_title().startswith("¹³C")
    points = [bars.lines[0] for bars in proton.containers]
    assert [line.get_xdata()[0] for line in points] == [10.2, 7.0, 5.1]
    assert [line.get_ydata()[0] for line in points] == [10.0, 9.0, 5.0]
    assert proton.get_xlim() == proton.get_ylim()
    assert proton.get_xlim()[0] < 4.5 < 10.5 < proton.get_xlim()[1]


def test_flags_are_named_and_found_assignments_hollow(figure):
    proton, carbon = figure.axes
    assert {text.get_text() for text in proton.texts} == {"H1", r"H2\$", "H3"}
    colours = {text.get_text(): text.get_color() for text in proton.texts}
    assert colours["H1"] == colours["H3"] != colours[r"H2\$"]
    heights = sorted(text.xyann[1] for text in proton.texts)
    low, high = proton.get_ylim()
    assert all(b - a > (high - low) / 26 for a, b in itertools.pairwise(heights))
    assert [text.get_text() for text in carbon.texts] == ["C1"]
    points = [bars.lines[0] for bars in proton.containers]
    assert [line.get_markerfacecolor() == "white" for line in points] == [False, False, True]
    assert points[1].get_color() != points[0].get_color()


def test_other_formats(comparison, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        plot_comparison(comparison, tmp_path / "file" / "a.png")
