"""Figures of errors with known answers; intervals that hold what they say."""

import numpy as np
import pytest

from shiftcli.results.statistics import (
    bootstrap,
    compare_errors,
    mae,
    percentile,
    rmse,
    summarise,
)


def test_weights_are_copies():
    error, weights = np.array([1.0, -2.0, 5.0]), np.array([3.0, 1.0, 2.0])
    copies = np.repeat(error, weights.astype(int))
    assert rmse(error, weights) == pytest.approx(np.sqrt(np.mean(copies**2)))
    assert mae(error, weights) == pytest.approx(np.mean(np.abs(copies)))
    assert percentile(np.abs(error), weights, 0.5) == 1.0
    assert percentile(np.abs(error), weights, 0.6) == 2.0


def test_percentile_of_a_hundred():
    values = np.random.default_rng(0).permutation(np.arange(1.0, 101.0))
    assert percentile(values, np.ones(100), 0.95) == 95.0
    assert percentile(values, np.full(100, 0.1), 0.95) == 95.0  # whatever sums of 0.1 round to
    assert percentile(values, np.ones(100), 1.0) == 100.0
    assert percentile(np.array([7.0]), np.ones(1), 0.95) == 7.0


def test_summary_of_known_errors():
    reference = np.array([10.0, 20.0, 30.0, 40.0])
    predicted = np.array([11.0, 19.0, 31.0, 43.0])
    found = summarise(predicted, reference, np.ones(4), np.array([0, 0, 1, 1]))
    assert (found.n, found.distinct, found.crystals) == (4, 4, 2)
    assert found.rmse == pytest.approx(3**0.5)
    assert found.mae == pytest.approx(1.5)
    assert found.bias == pytest.approx(1.0)
    assert found.p95 == pytest.approx(3.0)
    assert found.r2 == pytest.approx(1 - 3 / 125)
    # Either crystal twice, or one of each: RMSE 1, √3 or √5.
    assert found.rmse_interval == pytest.approx((1.0, 5**0.5))
    assert found.mae_interval == pytest.approx((1.0, 2.0))


def test_same_references_have_no_coefficient_of_determination():
    assert summarise(np.zeros(2), np.ones(2), np.ones(2), np.arange(2)).r2 is None


def test_one_crystal_has_no_interval():
    found = summarise(np.arange(3.0), np.zeros(3), np.ones(3), np.zeros(3, int))
    assert found.rmse_interval is None
    assert found.to_dict()["rmse_interval"] is None


def test_interval_is_that_of_crystals_not_of_atoms():
    """A thousand atoms in ten crystals, each with one error: as sure as ten numbers are."""
    rng = np.random.default_rng(1)
    own = rng.normal(size=10)
    crystals = np.repeat(np.arange(10), 100)
    columns = np.stack([own[crystals], np.ones(1000)], axis=1)
    low, high = bootstrap(columns, crystals, lambda sums: sums[..., 0] / sums[..., 1])
    assert high - low == pytest.approx(2 * 1.96 * own.std() / 10**0.5, rel=0.1)
    alone = bootstrap(columns, np.arange(1000), lambda sums: sums[..., 0] / sums[..., 1])
    assert alone[1] - alone[0] < 0.2 * (high - low)


def test_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    crystals = np.repeat(np.arange(50), 5)
    inside, trials = 0, 300
    for _ in range(trials):
        error = rng.normal(0, 1, 50)[crystals] + rng.normal(0, 1, 250)
        columns = np.stack([error**2, np.ones(250)], axis=1)
        low, high = bootstrap(columns, crystals, lambda s: np.sqrt(s[..., 0] / s[..., 1]))
        inside += low <= 2**0.5 <= high
    assert 0.92 <= inside / trials <= 0.97


def test_bootstrap_is_the_same_every_time():
    rng = np.random.default_rng(3)
    columns, crystals = rng.random((40, 2)), np.repeat(np.arange(8), 5)
    first, second = (bootstrap(columns, crystals, lambda s: s[..., 0] / s[..., 1]) for _ in "ab")
    assert first == second


def test_difference_is_measured_on_the_same_crystals():
    """Two predictions with the same large errors and a small, sure difference."""
    rng = np.random.default_rng(4)
    crystals = np.repeat(np.arange(30), 4)
    error = rng.normal(0, 3, 120)
    found = compare_errors(error, 1.1 * error, np.ones(120), crystals)
    assert found.rmse == pytest.approx(1.1 * rmse(error, np.ones(120)))
    assert found.difference == pytest.approx(-found.rmse / 11)
    low, high = found.difference_interval
    assert low < found.difference < high < 0
    assert high - low < 0.2 * (found.rmse_interval[1] - found.rmse_interval[0])
