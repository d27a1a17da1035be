"""The likelihood of measured shifts against integrals and sums made otherwise."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import invgamma, multivariate_normal

from shiftcli.nmr import likelihood
from shiftcli.nmr.likelihood import FREEDOM, Nucleus, Question, sum_over_assignments


def nucleus(n, m, seed=0, *, common=(0.3, 0.15), offset=None, first=0, slots=None, scatter=0.5):
    """Peaks near m sites of three kinds."""
    rng = np.random.default_rng(seed)
    predicted = -rng.uniform(22, 30, m)
    return Nucleus(
        tuple(range(first, first + n)),
        30.7 + predicted[:n] + rng.normal(0, scatter, n),
        np.full(n, 0.16),
        tuple((k,) for k in range(m)),
        predicted,
        rng.uniform(0.3, 0.6, m),
        rng.integers(0, 3, m // 2 + 1)[np.arange(m) // 2],
        np.arange(m) // 2,
        np.arange(m) if slots is None else np.asarray(slots),
        common,
        offset=offset,
        guess=30.7,
        spread=0.2,
    )


def unlabelled(*nuclei, **others):
    number = sum(len(n.places) for n in nuclei)
    allowed = {place: np.ones(len(n.columns), dtype=bool) for n in nuclei for place in n.places}
    return Question(nuclei, np.full((1, number), -1), False, allowed, **others)


@pytest.mark.parametrize("offset", [None, 30.5])
def test_offset_and_scale_are_integrated_out(offset):
    """Against the integral over a grid of offsets and scales, with the prior of the latter."""
    own = nucleus(4, 4, offset=offset)
    widths = own.widths
    equal, alike = (x[:, None] == x for x in (own.equals, own.kinds))
    covariance = np.outer(widths, widths) * (own.common[0] * equal + own.common[1] * alike)
    covariance += np.diag(own.noise + (1 - sum(own.common)) * widths**2)
    logs = np.linspace(-4, 6, 301)  # of κ
    offsets = np.linspace(-12, 12, 601) + 30.7 if offset is None else np.array([offset])
    step = (logs[1] - logs[0]) * (offsets[1] - offsets[0] if offset is None else 1.0)
    residuals = offsets[:, None] + own.predicted - own.shifts
    total = 0.0
    for scale in np.exp(logs):
        density = multivariate_normal(cov=scale * covariance).pdf(residuals)
        total += np.sum(density) * invgamma.pdf(scale, FREEDOM / 2, scale=FREEDOM / 2) * scale
    (found,) = own.log_likelihood(np.arange(4)[None])
    assert found == pytest.approx(math.log(total * step), abs=1e-3)


def test_all_assignments_are_added_up():
    own = nucleus(4, 6)
    taken = np.array(list(permutations(range(6), 4)))
    expected = math.log(np.exp(own.log_likelihood(taken)).mean())
    found = sum_over_assignments(unlabelled(own))
    assert found.log_likelihood == pytest.approx(expected)
    assert (found.error, found.assignments) == (0.0, 360)
    assert found.best == tuple(taken[np.argmax(own.log_likelihood(taken))].tolist())


@pytest.mark.parametrize("sizes", [(5, 5), (5, 7)])
def test_samples_have_the_mean_of_all(sizes, monkeypatch):
    question = unlabelled(nucleus(*sizes))
    exact = sum_over_assignments(question)
    assert exact.error == 0.0
    monkeypatch.setattr(likelihood, "EXACT", 10)
    for seed in range(3):
        found = sum_over_assignments(question, seed)
        assert 0 < found.error < 0.15
        assert found.log_likelihood == pytest.approx(exact.log_likelihood, abs=4 * found.error)


def test_without_a_common_share_the_sum_is_a_permanent():
    """Ryser's formula, for normal errors (ν without end) and a known offset."""
    own = replace(nucleus(11, 11, common=(0.0, 0.0), offset=30.7), freedom=1e7)
    variance = own.noise[:, None] + own.widths**2
    square = (30.7 + own.predicted - own.shifts[:, None]) ** 2 / variance
    matrix = np.exp(-0.5 * square) / np.sqrt(2 * np.pi * variance)
    chosen = np.array([[k >> j & 1 for j in range(11)] for k in range(1, 2**11)], dtype=float)
    signs = (-1.0) ** (11 - chosen.sum(axis=1))
    permanent = (signs * (chosen @ matrix.T).prod(axis=1)).sum()
    found = sum_over_assignments(unlabelled(own))
    assert 0 < found.error < 0.1
    expected = math.log(permanent) - math.lgamma(12)
    assert found.log_likelihood == pytest.approx(expected, abs=4 * found.error)


def test_the_error_is_what_samples_differ_by():
    question = unlabelled(nucleus(12, 14))
    found = [sum_over_assignments(question, seed) for seed in range(12)]
    spread = np.std([total.log_likelihood for total in found])
    assert 0.3 < spread / np.mean([total.error for total in found]) < 2
    assert sum_over_assignments(question, 3) == found[3]


def test_copies_of_places_are_no_advantage(monkeypatch):
    """Four equal sites for one, of which peaks share none: the same likelihood, either way."""
    one = nucleus(5, 6)
    copies = np.tile(np.arange(6), 4)
    four = Nucleus(
        one.places, one.shifts, one.noise, tuple((k,) for k in range(24)), one.predicted[copies],
        one.widths[copies], one.kinds[copies], one.equals[copies], copies,
        one.common, guess=30.7, spread=0.2,
    )  # fmt: skip
    exact = sum_over_assignments(unlabelled(one))
    found = sum_over_assignments(unlabelled(four))
    assert found.log_likelihood == pytest.approx(exact.log_likelihood, abs=4 * found.error)


def test_labels_and_ways():
    """The mean over two ways to name two sites; a third peak is loose."""
    own = nucleus(3, 4)
    ways = np.array([[0, 1, -1], [1, 0, -1]])
    question = Question((own,), ways, False, {2: np.array([True, True, True, True])})
    taken = np.array([[*way[:2], k] for way in ways for k in (2, 3)])
    found = sum_over_assignments(question)
    assert found.assignments == 4
    assert found.log_likelihood == pytest.approx(math.log(np.exp(own.log_likelihood(taken)).mean()))


def test_cross_peaks_leave_the_neighbours(monkeypatch):
    """Two carbons and two hydrogens, one bonded to each; then so many that they are sampled."""
    hydrogen, carbon = nucleus(5, 5, 1), nucleus(5, 5, 2, first=5)
    bonded = np.eye(5, dtype=bool)
    links = [(k, 5 + k) for k in range(5)]
    near = {(k, 5 + k): bonded for k in range(5)} | {(5 + k, k): bonded.T for k in range(5)}
    question = unlabelled(hydrogen, carbon, links=links, neighbours=near)
    taken = np.array(list(permutations(range(5))))
    logs = hydrogen.log_likelihood(taken) + carbon.log_likelihood(taken)
    expected = math.log(np.exp(logs).sum()) - 2 * math.lgamma(6)
    found = sum_over_assignments(question)
    assert (found.assignments, found.error) == (120, 0.0)
    assert found.log_likelihood == pytest.approx(expected)
    assert found.best[:5] == found.best[5:]
    monkeypatch.setattr(likelihood, "EXACT", 10)
    sampled = sum_over_assignments(question)
    assert sampled.log_likelihood == pytest.approx(expected, abs=4 * sampled.error)
    nothing = {pair: np.zeros((5, 5), dtype=bool) for pair in near}
    none = unlabelled(hydrogen, carbon, links=links, neighbours=nothing)
    assert sum_over_assignments(none).log_likelihood == -math.inf


def test_extreme_shieldings_are_no_fault():
    own = nucleus(6, 6, scatter=1e4)
    assert math.isfinite(sum_over_assignments(unlabelled(own)).log_likelihood)
