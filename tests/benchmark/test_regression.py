"""Descriptors with the symmetries of physics; a choice that is not fooled by copies."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.benchmark import regression
from shiftcli.benchmark.regression import (
    Hyperparameters,
    check_extra,
    choose_hyperparameters,
    fit,
    soap,
)
from shiftcli.errors import UsageError


def test_descriptors_are_periodic_and_invariant(urea, small):
    """Whole translations, a rotation and a doubled cell leave the power spectra as they are."""
    spectra = soap(urea, urea.sites, 5.0)
    assert spectra.shape == (len(urea.sites), 3696)
    assert spectra.dtype == np.float32
    assert np.linalg.norm(spectra, axis=1) == pytest.approx(1.0, abs=1e-5)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = replace(urea, positions=urea.positions @ turn, cell=urea.cell @ turn)
    shifted = replace(urea, positions=urea.positions + urea.cell[0] - 2 * urea.cell[2])
    for same in (turned, shifted):
        assert np.allclose(soap(same, urea.sites, 5.0), spectra, atol=1e-4)
    alone = replace(urea, cell=None)
    assert not np.allclose(soap(alone, urea.sites, 5.0), spectra, atol=1e-2)


def test_choice_is_by_crystals(small):
    """Copies of an atom in one crystal give nothing away about their label: noise stays noise."""
    rng = np.random.default_rng(5)
    crystals = np.repeat(np.arange(40), 3)
    x = rng.normal(size=(40, 80))[crystals] + 0.01 * rng.normal(size=(120, 80))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    noise = rng.normal(size=40)[crystals]
    chosen = choose_hyperparameters({3.0: x, 4.0: x}, noise, np.ones(120), crystals)
    assert chosen.rmse > 0.8 * noise.std()
    by_atoms = choose_hyperparameters({3.0: x, 4.0: x}, noise, np.ones(120), np.arange(120))
    assert by_atoms.rmse < 0.3 * noise.std()


def test_ridge_is_chosen_on_all_crystals(small, monkeypatch):
    """The kernel is chosen on a part of them, drawn whole and the same each time."""
    monkeypatch.setattr(regression, "_ENOUGH", 20)
    crystals = np.repeat(np.arange(30), 4)
    rows = regression._some(crystals)
    assert len(rows) == 20
    assert set(np.bincount(crystals[rows])) <= {0, 4}
    assert len(regression._some(np.arange(10))) == 10
    rng = np.random.default_rng(8)
    x = rng.normal(size=(120, 6)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = 3 * x[:, 0].astype(float)
    seen = []
    real = regression._cross_validate
    monkeypatch.setattr(
        regression, "_cross_validate", lambda k, y, c: seen.append(len(y)) or real(k, y, c)
    )
    chosen = choose_hyperparameters({3.0: x, 4.0: -x}, labels, np.ones(120), crystals)
    assert seen == [20, 20, 20, 20, 120]
    assert (chosen.cutoffs, chosen.zeta, chosen.regularisation) == ((3.0,), 1, 1e-4)


def test_regression_is_that_of_the_textbook(small):
    """(K + λ)⁻¹ of the centred labels, K the power of the mean of two dot products."""
    rng = np.random.default_rng(6)
    x = {r: rng.normal(size=(30, 5)).astype(np.float32) for r in (3.0, 4.0)}
    x = {r: v / np.linalg.norm(v, axis=1, keepdims=True) for r, v in x.items()}
    known = {r: v[:20] for r, v in x.items()}
    asked = {r: v[20:] for r, v in x.items()}
    labels = rng.normal(50, 9, 20)
    kernel = ((x[3.0] @ x[3.0].T + x[4.0] @ x[4.0].T).astype(float) / 2) ** 3
    weights = np.linalg.solve(kernel[:20, :20] + 0.01 * np.eye(20), labels - labels.mean())
    predict = fit(known, labels, Hyperparameters((3.0, 4.0), 3, 0.01, 0.0))
    expected = labels.mean() + kernel[20:, :20] @ weights
    assert predict(asked) == pytest.approx(expected, rel=1e-5)


def test_missing_extra_is_named(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        regression, "find_spec", lambda name: None if name == "dscribe" else real(name)
    )
    with pytest.raises(UsageError, match="DScribe") as caught:
        check_extra()
    assert "pip install " in str(caught.value)
