"""The most likely assignment is the one that trying all of them finds."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftcli.nmr.matching import TOLERANCE, Matching


def brute_force(matching):
    """Least −2 ln L over all assignments, each with its own best offset."""
    columns = np.array(list(permutations(matching.free.tolist(), len(matching.loose))), dtype=int)
    sites = np.empty((len(columns), len(matching.offsets)), dtype=int)
    for peak, site in matching.stated.items():
        sites[:, peak] = site
    sites[:, matching.loose] = columns
    peaks = np.arange(len(matching.offsets))
    needed, variances = matching.offsets[peaks, sites], matching.variances[peaks, sites]
    offset = (needed / variances).sum(axis=1) / (1 / variances).sum(axis=1)
    if matching.offset is not None:
        offset = np.full(len(sites), matching.offset)
    return ((offset[:, None] - needed) ** 2 / variances + np.log(variances)).sum(axis=1).min()


@st.composite
def matchings(draw):
    """One to six peaks, as many sites or a few more, some peaks stated, offset free or not."""
    peaks = draw(st.integers(1, 6))
    sites = draw(st.integers(peaks, 6 if peaks > 4 else peaks + 2))
    shifts = draw(st.lists(st.floats(-20, 20), min_size=peaks, max_size=peaks))
    predicted = draw(st.lists(st.floats(-20, 20), min_size=sites, max_size=sites))
    widths = draw(st.lists(st.floats(0.1, 3), min_size=sites, max_size=sites))
    stated = draw(st.integers(0, peaks))
    offset = draw(st.one_of(st.none(), st.floats(-5, 5)))
    return Matching(
        np.array(shifts)[:, None] - np.array(predicted),
        np.tile(np.array(widths) ** 2, (peaks, 1)),
        {k: sites - 1 - k for k in range(stated)},
        offset,
    )


@settings(max_examples=40, deadline=None)
@given(matchings())
def test_equals_brute_force(matching):
    sites = matching.solve()
    assert len(set(sites.tolist())) == len(sites)
    assert all(sites[peak] == site for peak, site in matching.stated.items())
    assert matching.profile(sites) <= brute_force(matching) + TOLERANCE


@settings(max_examples=25, deadline=None)
@given(matchings())
def test_alternatives_are_no_better_and_within_the_limit(matching):
    sites = matching.solve()
    found = matching.alternatives(sites, 3.84)
    increases = [increase for _, _, increase in found]
    assert increases == sorted(increases)
    for peaks, others, increase in found:
        assert 0 <= increase <= 3.84
        changed = sites.copy()
        changed[list(peaks)] = others
        assert len(set(changed.tolist())) == len(sites)
        assert not set(peaks) & set(matching.stated)
        assert matching.profile(changed) == pytest.approx(
            matching.profile(sites) + increase, abs=TOLERANCE
        )
    listed = {peaks for peaks, _, _ in found}
    for i, j in combinations(matching.loose.tolist(), 2):
        changed = sites.copy()
        changed[[i, j]] = sites[[j, i]]
        if matching.profile(changed) - matching.profile(sites) < 3.83:
            assert (i, j) in listed or (matching.offsets[i] == matching.offsets[j]).all()


def test_sorted_order_where_nothing_else_is_known():
    """As many peaks as sites of one uncertainty: the order of the shifts, whatever the offset."""
    rng = np.random.default_rng(3)
    predicted = rng.normal(0, 3, 40)
    shifts = np.sort(predicted)[rng.permutation(40)] + 170.0
    matching = Matching(shifts[:, None] - predicted, np.full((40, 40), 0.25))
    sites = matching.solve()
    assert np.argsort(predicted[sites]).tolist() == np.argsort(shifts).tolist()
    assert matching.best_offset(sites) == pytest.approx(170.0)


def test_many_peaks_among_more_sites():
    """Thirty of fifty sites measured with little noise: nearly all are found again."""
    rng = np.random.default_rng(5)
    predicted = rng.uniform(0, 200, 50)
    chosen = rng.permutation(50)[:30]
    shifts = 12.0 + predicted[chosen] + rng.normal(0, 0.05, 30)
    sites = Matching(shifts[:, None] - predicted, np.full((30, 50), 0.05**2)).solve()
    assert (sites == chosen).mean() > 0.9


def test_a_precise_site_is_preferred_to_a_vague_one():
    """Both would do, but a vague prediction is right by chance."""
    matching = Matching(np.array([[0.3, 0.3]]), np.array([[4.0, 0.25]]), offset=0.0)
    assert matching.solve().tolist() == [1]


def test_swaps_and_moves_are_offered():
    predicted = np.array([1.0, 1.2, 9.0, 1.1])
    shifts = np.array([1.0, 1.2, 9.0])
    matching = Matching(shifts[:, None] - predicted, np.full((3, 4), 0.25), {2: 2}, 0.0)
    found = matching.alternatives(np.array([0, 1, 2]), 0.4)
    assert {(peaks, others) for peaks, others, _ in found} == {
        ((0,), (3,)), ((1,), (3,)), ((0, 1), (1, 0)),
    }  # fmt: skip
    assert [increase for *_, increase in found] == pytest.approx([0.04, 0.04, 0.32])


def test_equal_peaks_are_not_swapped():
    predicted = np.array([1.0, 1.1, 1.2])
    shifts = np.array([1.0, 1.0, 1.2])
    matching = Matching(shifts[:, None] - predicted, np.full((3, 3), 0.25))
    found = matching.alternatives(matching.solve(), 3.84)
    assert len(found) == 2
    assert all(2 in peaks for peaks, _, _ in found)
