"""The lollipop diagram."""

from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.assignment import Comparison, Fit
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.gathering import Candidate
from shiftcli.nmr.ranking import Ranking
from shiftcli.results.look import Look
from shiftcli.views.plots.ranking import LARGEST, plot_ranking

pytest.importorskip("matplotlib")


def ranking(count, *species):
    def made(k):
        fits = tuple(Fit(s, 5, 30.0, -1.0, 0.1, 0.1 * (k + 1), 0.1, 0.9, 1.0) for s in species)
        comparison = Comparison((), fits, (), (), 1.0, 1.0)
        return Candidate(f"{k}.cif", f"form ${k}_x$", "", comparison, 0.0, 0.5**k / 2, k < 2,
                         family=k // 2 + 1, family_probability=0.5 ** (k // 2))  # fmt: skip

    peaks = tuple(Peak((), s, 1.0) for s in species)
    return Ranking(tuple(made(k) for k in range(count)), (), Experiment(peaks))


@pytest.fixture
def drawn(tmp_path, seen):
    """The figure instead of its file."""

    def draw(made):
        plot_ranking(made, tmp_path / "a.png")
        return seen[-1]

    return draw


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_formats(tmp_path, suffix, start):
    picture = tmp_path / f"ranking{suffix}"
    plot_ranking(ranking(3, "1H", "13C"), picture)
    assert picture.read_bytes().startswith(start)


def test_a_lollipop_each_and_the_band_of_correct_structures(drawn):
    figure = drawn(ranking(3, "1H", "13C"))
    proton, carbon = figure.axes[:2]
    heads = proton.collections[-1]
    assert heads.get_offsets().tolist() == [[0.1, 0], [0.2, 1], [pytest.approx(0.3), 2]]
    fills = [tuple(colour) for colour in heads.get_facecolors()]
    assert fills[0] == fills[1] != fills[2] == (1, 1, 1, 1)
    (band,) = proton.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (pytest.approx(0.17), 0.49)
    assert not carbon.patches
    low, high = proton.get_ylim()
    assert low > high  # the best on top
    names = [label.get_text() for label in proton.get_yticklabels()]
    assert names[0] == r"form \$0_x\$"  # no formula
    alike = replace(made := ranking(3, "1H"), candidates=tuple(
        replace(candidate, name="same") for candidate in made.candidates
    ))  # fmt: skip
    names = [label.get_text() for label in drawn(alike).axes[0].get_yticklabels()]
    assert names == ["0", "1", "2"]  # of the files
    assert [panel.get_xlabel() for panel in (proton, carbon)] == ["¹H\n0.33 ± 0.16", "¹³C"]
    assert figure.get_supxlabel().startswith("RMSE/ppm")
    (right,) = carbon.child_axes
    said = [label.get_text() for label in right.get_yticklabels()]
    assert said == ["100.0 %", "″", "50.0 %"]  # of families, the first of two candidates


@pytest.mark.parametrize("width", [85.0, 170.0])
def test_panels_have_room_beside_long_names(tmp_path, seen, width):
    made = ranking(3, "1H", "13C", "15N", "17O")
    long = tuple(replace(c, name="a" * 60 + c.file) for c in made.candidates)
    plot_ranking(replace(made, candidates=long), tmp_path / "a.png", Look(size=(width, None)))
    figure = seen[-1]
    panels = [panel.get_window_extent() for panel in figure.axes[:4]]
    assert min(panel.width for panel in panels) > 0.1 * figure.bbox.width
    for panel in figure.axes[:4]:
        ticks = [t.get_window_extent() for t in panel.get_xticklabels() if t.get_visible()]
        assert all(one.x1 < next.x0 for one, next in pairwise(ticks))
    below = [panel.get_tightbbox() for panel in figure.axes[:4]]
    assert not any(one.overlaps(other) for one, other in combinations(below, 2))
    shares = [label.get_text() for label in figure.axes[3].child_axes[0].get_yticklabels()]
    assert shares[0] == f"{100 * made.candidates[0].family_probability:.1f} %"


def test_of_many_only_the_best_are_drawn(drawn):
    figure = drawn(ranking(LARGEST + 5, "13C"))
    assert len(figure.axes[0].collections[-1].get_offsets()) == LARGEST
    assert figure.get_suptitle() == f"best {LARGEST} of {LARGEST + 5} candidates"


def test_nothing_to_draw(tmp_path):
    with pytest.raises(UsageError, match="nothing to draw"):
        plot_ranking(ranking(0, "1H"), tmp_path / "a.png")
    with pytest.raises(UsageError, match="should end in"):
        plot_ranking(ranking(1, "1H"), tmp_path / "a.gif")
