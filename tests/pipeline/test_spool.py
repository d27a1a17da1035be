"""Predictions on disk come back as they were."""

import json
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import ShiftcliError
from shiftcli.nmr.shifts import parse_references
from shiftcli.pipeline import spool as module
from shiftcli.pipeline.spool import Spool
from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.views import Results, render


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


@pytest.mark.parametrize("form", ["csv", "json", "xyz"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_written_as_from_a_list(predictor, prediction, form, count):
    """And JSON, which is put together from the texts of its structures, is laid out as one."""
    spool = Spool()
    for _ in range(count):
        spool.append(prediction)
    results = Results(predictor, spool, [], parse_references("H:30", ""))
    text = render(results, form)
    assert text == render(replace(results, predictions=[prediction] * count), form)
    if form == "json":
        document = json.loads(text)
        assert len(document["structures"]) == count
        assert text == json.dumps(document, indent=1, ensure_ascii=False) + "\n"
