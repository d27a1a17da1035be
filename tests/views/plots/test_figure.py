"""What all pictures share."""

import pytest

from shiftcli.results.look import Look
from shiftcli.views.plots.figure import name_lines, picture, stroke, told_apart

pytest.importorskip("matplotlib")

LONG = [f"polymorph_number_{k:02d}_relaxed_PBE_D3" for k in range(9)]


def test_names_are_told_apart():
    assert told_apart(["a", "b"], 5) == ["a", "b"]
    assert told_apart(LONG[:2], 24) == ["polymorph_number_00…", "polymorph_number_01…"]
    assert told_apart(LONG[:2], 5) == ["…_00…", "…_01…"]
    assert told_apart(["x" * 30], 5) == ["…xxxx"]
    alike = [f"{k}{'x' * 20}1" for k in "ab"]
    assert told_apart([*alike, "a"], 9)[:2] == ["ax…xxxxx1", "bx…xxxxx1"]


def test_a_stroke_for_each_structure():
    assert len({tuple(stroke(k).items()) for k in range(20)}) == 20


@pytest.mark.parametrize("width", [85.0, 170.0])
@pytest.mark.parametrize("count", [2, 9])
def test_nothing_is_cut(tmp_path, seen, width, count):
    look = Look(size=(width, None), title="words " * 40)
    with picture(tmp_path / "a.png", look) as (figure, (panel,)):
        for k, name in enumerate(LONG[:count]):
            panel.plot([0, 1], [k, k], **stroke(k), label=name)
        panel.set_ylabel("part of the ¹³C per ppm")
        name_lines(figure, panel)
    figure.draw_without_rendering()
    (title, *_), legend = figure.texts, (*figure.legends, panel.get_legend())[0]
    for drawn in (title, legend, panel.yaxis.label):
        box = drawn.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
    assert panel.get_window_extent().height > 0.3 * panel.get_window_extent().width
