"""JSON: where the numbers come from, what the intervals mean, no NaN."""

import json
from copy import copy
from dataclasses import replace

import pytest

from shiftcli import __version__
from shiftcli.network.calibration import Calibration
from shiftcli.views import render


def test_document(results):
    document = json.loads(render(results, "json"))
    assert (document["program"], document["version"]) == ("shiftcli", __version__)
    assert document["model"] == "compact"
    assert all(len(h) == 64 for h in document["weights"].values())
    assert document["units"]["shielding"] == "ppm"
    assert document["references"] == {"1H": 30.96, "13C": 168.64}
    assert document["gradients"] == {"1H": -1.0, "13C": -1.0}
    assert document["failures"] == [{"file": "bad.cif", "error": "bad.cif: no atoms"}]
    (structure,) = document["structures"]
    assert structure["formula"] == "C2 H8 N4 O2"
    assert set(structure) == {"file", "name", "formula", "warnings", "sites"}
    site = structure["sites"][2]
    assert set(site) == {
        "labels", "species", "multiplicity", "shielding", "uncertainty", "uncertainty95", "shift",
        "training_crystals", "flags",
    }  # fmt: skip
    assert site["uncertainty95"] > site["uncertainty"] > 0
    assert "68 %" in document["intervals"]["uncertainty"]
    assert "95 %" in document["intervals"]["uncertainty95"]
    assert set(document["intervals"]["calibration"]) == {"1H", "13C", "15N", "17O"}
    assert (site["labels"], site["multiplicity"], site["shift"]) == ("N1", 4, None)


def test_it_says_how_intervals_were_calibrated(results):
    made = Calibration(3, 0.2, 1.0, 0.5, 1.1, 2.4, 300, 40, 0.69, 0.94)
    model = copy(results.predictor)
    model.calibrations = {**model.calibrations, "H": made, "C": None}
    document = json.loads(render(replace(results, predictor=model), "json"))
    stated = document["intervals"]["calibration"]
    assert stated["1H"] == made.to_dict()
    assert "RMSE" in stated["13C"]


def test_it_knows_no_nan(results):
    prediction = results.predictions[0]
    rows = tuple(replace(r, uncertainty=float("nan")) for r in prediction.sites)
    text = render(replace(results, predictions=[replace(prediction, sites=rows)]), "json")
    assert (
        json.loads(text, parse_constant=pytest.fail)["structures"][0]["sites"][0]["uncertainty"]
        is None
    )
