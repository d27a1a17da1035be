"""What a notebook sees of a prediction, without networks."""

import math

import numpy as np
import pytest

from shiftcli.prediction.records import Prediction, SitePrediction


@pytest.fixture
def prediction(urea):
    rows = [
        SitePrediction(site, 10.0 * k, 0.5, 1.25, training_crystals=k or None)
        for k, site in enumerate(urea.sites)
    ]
    rows[1] = SitePrediction(rows[1].site, math.nan, math.nan, math.nan, ("near-other-element",))
    return Prediction(urea, tuple(rows))


def test_short_words(prediction):
    text = repr(prediction)
    assert len(text) < 120
    assert "urea" in text
    assert "1 13C" in text


def test_html_escapes_and_leaves_what_is_not_known_empty(prediction):
    html = prediction._repr_html_()
    assert html.startswith("<table>")
    assert html.count("<tr>") == len(prediction.sites) + 1
    assert "nan" not in html
    assert "<td>near-other-element</td>" in html


def test_data_frame(prediction):
    pandas = pytest.importorskip("pandas")
    frame = prediction.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == len(prediction.sites)
    assert frame["MS_shielding/ppm"].isna().sum() == 1
    assert frame["labels"].tolist() == [row.site.label for row in prediction.sites]


def test_ase(prediction):
    atoms = prediction.to_ase()
    assert len(atoms) == len(prediction.crystal)
    assert atoms.pbc.all()
    for row in prediction.sites:
        np.testing.assert_equal(atoms.arrays["MS_shielding"][row.site.atoms], row.shielding)


def test_figure(prediction):
    pytest.importorskip("matplotlib")
    figure = prediction.plot()
    assert len(figure.axes) == len({row.site.species for row in prediction.sites})
