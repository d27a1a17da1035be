"""Predictions on disk come back as they were."""

import numpy as np
import pytest

from shiftcli.batch import Spool
from shiftcli.batch import spool as module
from shiftcli.errors import ShiftcliError
from shiftcli.predictor import Prediction, SitePrediction


@pytest.fixture
def prediction(urea):
    sites = tuple(SitePrediction(site, float(k), 1.0, 2.0) for k, site in enumerate(urea.sites))
    return Prediction(urea, sites)


@pytest.mark.parametrize("in_memory", [0, 10**9])
def test_sequence(prediction, monkeypatch, in_memory):
    monkeypatch.setattr(module, "_IN_MEMORY", in_memory)
    spool = Spool()
    assert list(spool) == []
    for _ in range(3):
        spool.append(prediction)
    assert len(spool) == 3
    assert len(spool[1:]) == 2
    first, *_, last = spool
    spool.append(prediction)  # also between readings
    for found in (first, last, spool[-1], spool[0]):
        assert [row.shielding for row in found.sites] == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert np.array_equal(found.crystal.positions, prediction.crystal.positions)
        assert found.sites[0].site.label == "C1"
    with pytest.raises(IndexError):
        spool[4]


def test_a_full_disk(prediction, monkeypatch):
    """`/dev/full` is a disk that is always full."""
    spool = Spool()
    with open("/dev/full", "r+b", buffering=0) as full:
        monkeypatch.setattr(spool, "_file", full)
        with pytest.raises(ShiftcliError, match=r"No space left on device.*TMPDIR"):
            spool.append(prediction)
