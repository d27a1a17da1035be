"""Predictions as lines of a list."""

import json
import math

import numpy as np
import pytest

from shiftcli.pipeline.kept import line_of, prediction_of
from shiftcli.prediction.records import Prediction, SitePrediction


@pytest.fixture
def prediction(urea):
    flags = ("near-other-element", "unseen-environment")
    rows = [
        SitePrediction(site, 1 / 3 + k, 0.1, 0.2, flags[:k], training_crystals=k or None)
        for k, site in enumerate(urea.sites[:2])
    ]
    rows.append(SitePrediction(urea.sites[2], *(math.nan,) * 3))
    return Prediction(urea.with_warning("odd"), tuple(rows))


def test_there_and_back(prediction):
    found = prediction_of(json.loads(json.dumps(line_of(prediction))))
    np.testing.assert_equal(found.to_dict(), prediction.to_dict())
    before, after = prediction.crystal, found.crystal
    assert (after.positions == before.positions).all()
    assert (after.cell == before.cell).all()
    for name in ("where", "formula", "labels", "operations", "warnings", "numbered"):
        assert getattr(after, name) == getattr(before, name)
    for one, other in zip(prediction.sites, found.sites, strict=True):
        assert one.site.atoms.tolist() == other.site.atoms.tolist()


@pytest.mark.parametrize(
    "changed",
    [
        {"elements": ["Xx"] * 16}, {"elements": ["O"]}, {"positions": [[0, 0, 1e9]] * 16},
        {"positions": [[0, 0]] * 16}, {"positions": "none"}, {"cell": [[1, 0, 0]] * 3},
        {"cell": 3}, {"sites": [[99, "", None]] * 3}, {"sites": [[1]] * 3}, {"sites": []},
        {"values": [[1e99, 1, 1]]}, {"values": None}, {"labels": None}, {"site_ids": [0]},
        {"site_ids": [10**30] * 16}, {"sites": None},
    ],
)  # fmt: skip
def test_an_absurd_line_is_none(prediction, changed):
    assert prediction_of({**line_of(prediction), **changed}) is None
