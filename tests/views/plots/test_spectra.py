"""Pictures of spectra."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import parse_references
from shiftcli.nmr.spectrum import Lines, Settings, correlate_nuclei, simulate_spectra
from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.views.plots import plot_correlations, plot_spectra

pytest.importorskip("matplotlib")

SHIELDINGS = {"C1": 5.5, "O1": 37.0, "N1": 139.0, "H1": 23.25, "H2": 24.5}
SETTINGS = Settings(parse_references("H:30.96,N:186"))


@pytest.fixture
def prediction(urea):
    crystal = replace(urea, name="urea $x_1 & <b>")
    rows = (SitePrediction(s, SHIELDINGS[s.label], 0.5, 1.1) for s in crystal.sites)
    return Prediction(crystal, tuple(rows))


@pytest.fixture
def figures(monkeypatch):
    from matplotlib.figure import Figure

    seen = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **more: seen.append(self))
    return seen


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_formats(prediction, tmp_path, suffix, start):
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    plot_spectra(simulate_spectra([prediction], "H", SETTINGS), one)
    plot_correlations(correlate_nuclei([prediction], ("N", "H"), SETTINGS), two)
    assert one.read_bytes().startswith(start)
    assert two.read_bytes().startswith(start)


def test_one_crystal_has_labels(prediction, figures, tmp_path):
    plot_spectra(simulate_spectra([prediction], "HC", SETTINGS), tmp_path / "a.png")
    protons, carbon = figures[0].axes
    assert [text.get_text() for text in protons.texts] == ["H2", "H1"]
    assert protons.get_xlim()[0] > protons.get_xlim()[1]  # shifts fall to the right
    assert carbon.get_xlim()[0] < carbon.get_xlim()[1]  # shieldings rise
    assert protons.get_xlabel() == "1H shift/ppm"
    assert carbon.get_ylabel() == "13C per ppm"


def test_crystals_laid_over_each_other(prediction, figures, tmp_path):
    other = replace(prediction, crystal=replace(prediction.crystal, name="other"))
    plot_spectra(simulate_spectra([prediction, other], "H", SETTINGS), tmp_path / "a.png")
    (panel,) = figures[0].axes
    names = [text.get_text() for text in panel.get_legend().get_texts()]
    assert names == [r"urea \$x_1 & <b>", "other"]
    assert panel.get_ylabel() == "part of the 1H per ppm"


def test_contours_stand_at_the_cross_peaks(prediction, figures, tmp_path):
    spectra = correlate_nuclei([prediction], ("N", "H"), SETTINGS)
    plot_correlations(spectra, tmp_path / "a.png")
    panel = figures[0].axes[0]
    (contours,) = panel.collections
    corners = np.concatenate([path.vertices for path in contours.get_paths() if len(path.vertices)])
    for peak in spectra[0].peaks:
        place = (peak.first.position, peak.second.position)
        assert np.linalg.norm(corners - place, axis=1).min() < 0.5
    assert {text.get_text() for text in panel.texts} == {"N1–H1", "N1–H2"}


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
