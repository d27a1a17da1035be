"""Errors are those of the predictions, atoms counted with their multiplicity."""

import numpy as np
import pytest

from shiftcli.benchmark import measure_accuracy
from shiftcli.training import load_labelled


@pytest.fixture(scope="module")
def measured(predictor, labelled_file):
    return measure_accuracy(predictor, [labelled_file], "validation")


def test_figures_follow_from_the_predictions(measured, predictor, labelled_file):
    crystals = load_labelled([labelled_file])[::8]
    errors = []
    for crystal in crystals:
        for row in predictor.predict(crystal).sites:
            if row.site.element == "N":
                errors += [row.shielding - crystal.shieldings[a] for a in row.site.atoms]
    figures = measured.nuclei["15N"]
    assert measured.crystals == 2
    assert figures.n == len(errors) == 8
    assert figures.rmse == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-5)
    assert figures.mae == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)
    assert figures.bias == pytest.approx(np.mean(errors), rel=1e-5)
    assert figures.baseline_rmse is None


def test_splits_partition_the_crystals(predictor, labelled_file):
    counts = {
        split: measure_accuracy(predictor, [labelled_file], split).crystals
        for split in ("validation", "train", "all")
    }
    assert counts == {"validation": 2, "train": 14, "all": 16}


def test_dictionary(measured):
    values = measured.to_dict()
    assert set(values["accuracy"]) == {"1H", "13C", "15N", "17O"}
    assert set(values["accuracy"]["1H"]) == {"n", "rmse", "mae", "r2", "bias", "baseline"}


@pytest.mark.slow
def test_shipped_networks_on_the_validation_crystals(predictor, published):
    from conftest import PUBLISHED

    assert len(published) == 400
    figures = measure_accuracy(predictor, [PUBLISHED], "validation").nuclei
    limits = {"1H": 0.55, "13C": 5.6, "15N": 17.0, "17O": 22.0}
    assert {s: f.rmse for s, f in figures.items() if f.rmse > limits[s]} == {}
    assert figures["1H"].baseline_rmse == pytest.approx(0.491, abs=0.001)
    assert figures["1H"].n == 2982
