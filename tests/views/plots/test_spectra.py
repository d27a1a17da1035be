"""Pictures of spectra."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import parse_references
from shiftcli.nmr.spectrum import Lines, Settings, correlate_nuclei, simulate_spectra
from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.results.look import Look, parse_size
from shiftcli.structure.crystal import Crystal
from shiftcli.views.plots import plot_correlations, plot_spectra

pytest.importorskip("matplotlib")

SHIELDINGS = {"C1": 5.5, "O1": 37.0, "N1": 139.0, "H1": 23.25, "H2": 24.5}
SETTINGS = Settings(parse_references("H:30.96,N:186"))


@pytest.fixture
def prediction(urea):
    crystal = replace(urea, name="urea $x_1 & <b>")
    rows = (SitePrediction(s, SHIELDINGS[s.label], 0.5, 1.1) for s in crystal.sites)
    return Prediction(crystal, tuple(rows))


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_formats(prediction, tmp_path, suffix, start):
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    plot_spectra(simulate_spectra([prediction], "H", SETTINGS), one)
    plot_correlations(correlate_nuclei([prediction], ("N", "H"), SETTINGS), two)
    assert one.read_bytes().startswith(start)
    assert two.read_bytes().startswith(start)


def test_one_crystal_has_labels(prediction, seen, tmp_path):
    plot_spectra(simulate_spectra([prediction], "HC", SETTINGS), tmp_path / "a.png")
    protons, carbon = seen[0].axes
    assert [text.get_text() for text in protons.texts] == ["H2", "H1"]
    assert protons.get_xlim()[0] > protons.get_xlim()[1]  # shifts fall to the right
    assert carbon.get_xlim()[0] < carbon.get_xlim()[1]  # shieldings rise
    assert protons.get_xlabel() == "¹H shift/ppm"
    assert carbon.get_ylabel() == "¹³C per ppm"


def test_crystals_laid_over_each_other(prediction, seen, tmp_path):
    other = replace(prediction, crystal=replace(prediction.crystal, name="other"))
    plot_spectra(simulate_spectra([prediction, other], "H", SETTINGS), tmp_path / "a.png")
    (panel,) = seen[0].axes
    names = [text.get_text() for text in panel.get_legend().get_texts()]
    assert names == [r"urea \$x_1 & <b>", "other"]
    assert panel.get_ylabel() == "part of the ¹H per ppm"


def test_contours_stand_at_the_cross_peaks(prediction, seen, tmp_path):
    spectra = correlate_nuclei([prediction], ("N", "H"), SETTINGS)
    plot_correlations(spectra, tmp_path / "a.png")
    panel = seen[0].axes[0]
    (contours,) = panel.collections
    corners = np.concatenate([path.vertices for path in contours.get_paths() if len(path.vertices)])
    for peak in spectra[0].peaks:
        place = (peak.first.position, peak.second.position)
        assert np.linalg.norm(corners - place, axis=1).min() < 0.5
    top, side = panel.child_axes
    assert [text.get_text() for text in top.texts] == ["N1"]
    assert [text.get_text() for text in side.texts] == ["H2", "H1"]


def test_two_quanta_have_names_of_pairs(prediction, seen, tmp_path):
    spectra = correlate_nuclei([prediction], ("H", "H"), SETTINGS, within=2.5, double_quantum=True)
    plot_correlations(spectra, tmp_path / "a.png", Look(parse_size("85mm")))
    panel = seen[0].axes[0]
    assert panel.get_ylabel() == "¹H double-quantum shift/ppm"
    _, side = panel.child_axes
    assert "H1+H2" in [text.get_text() for text in side.texts]
    frame = seen[0].bbox
    boxes = [text.get_window_extent() for one in panel.child_axes for text in one.texts]
    assert all(frame.x0 <= b.x0 and b.x1 <= frame.x1 and b.y1 <= frame.y1 for b in boxes)


def test_nothing_in_range(prediction, tmp_path):
    settings = replace(SETTINGS, ranges={"H": (100.0, 101.0)})
    plot_spectra(simulate_spectra([prediction], "H", settings), tmp_path / "a.png")
    plot_correlations(correlate_nuclei([prediction], ("N", "H"), settings), tmp_path / "b.png")
    assert (tmp_path / "b.png").is_file()


def test_too_fine_a_picture(prediction, tmp_path):
    settings = replace(SETTINGS, lines=Lines(widths={"H": 0.002, "N": 0.002}), ranges={})
    wide = replace(settings, ranges={"H": (0.0, 20.0), "N": (0.0, 20.0)})
    with pytest.raises(UsageError, match="too narrow for a picture"):
        plot_correlations(correlate_nuclei([prediction], ("N", "H"), wide), tmp_path / "a.png")


def test_size_letters_title_and_style(prediction, seen, tmp_path):
    spectra = simulate_spectra(
        [prediction], ["H", "C"], Settings(parse_references("C:168.64,H:30.96"))
    )
    style = tmp_path / "a.mplstyle"
    style.write_text("lines.linewidth: 7\nfont.size: 5\n")
    look = Look(parse_size("85mm"), font_size=6.5, title="", style=style)
    plot_spectra(spectra, tmp_path / "a.png", look)
    width, height = seen[0].get_size_inches()
    assert (width, height) == (pytest.approx(85 / 25.4), pytest.approx(2 * 51 / 25.4))
    assert seen[0].get_suptitle() == ""
    plot_spectra(spectra, tmp_path / "a.png", Look(parse_size("10x5cm")))
    assert seen[1].get_size_inches() == pytest.approx([100 / 25.4, 50 / 25.4])
    style.write_text("nothing: [\n")
    with pytest.raises(UsageError, match="--style"):
        plot_spectra(spectra, tmp_path / "a.png", Look(style=tmp_path / "none.mplstyle"))


@pytest.mark.parametrize("text", ["85", "mm", "-5mm", "1mm", "9999mm", "1.2.3mm", "85x mm", "x"])
def test_sizes_of_no_picture(text):
    with pytest.raises(UsageError, match="--size"):
        parse_size(text)


def test_labels_of_a_narrow_picture_stand_apart(seen, tmp_path):
    """As they are drawn: no box over another, none outside of its panel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    count = 24
    positions = np.zeros((count, 3))
    positions[:, 0] = 1.5 * np.arange(count)
    labels = tuple(f"H{k}11" for k in range(count))
    ids = np.arange(count)
    crystal = Crystal(np.array(["H"] * count), positions, None, labels, site_ids=ids)
    shieldings = 25 + 0.02 * np.arange(count)
    rows = zip(crystal.sites, shieldings.tolist(), strict=True)
    own = Prediction(crystal, tuple(SitePrediction(s, v, 0.5, 1.1) for s, v in rows))
    spectra = simulate_spectra(
        [own], ["H"], Settings(parse_references("C:168.64,H:30.96"), exchange=())
    )
    plot_spectra(spectra, tmp_path / "a.png", Look(parse_size("85mm")))
    canvas = FigureCanvasAgg(seen[0])
    canvas.draw()
    (panel,) = seen[0].axes
    boxes = sorted((t.get_window_extent() for t in panel.texts), key=lambda box: box.x0)
    assert len(boxes) == count
    assert all(a.x1 <= b.x0 + 0.5 for a, b in itertools.pairwise(boxes))
    frame = panel.get_window_extent()
    assert all(frame.y0 < box.y0 and box.y1 < frame.y1 + 1 for box in boxes)
