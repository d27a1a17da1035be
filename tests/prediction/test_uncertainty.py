"""Intervals hold what they say, on errors whose law is known and on data never fitted."""

import json

import numpy as np
import pytest

from shiftcli.errors import TrainingError
from shiftcli.network.calibration import Calibration, Evidence
from shiftcli.prediction.uncertainty import covered, fit

#: Points by which a coverage may miss what the interval says.
TOLERANCE = 0.04


def atoms(crystals, seed, *, floor=0.5, between=1.5, within=0.7, members=4, law="normal"):
    """Errors with scale² = floor² + between · V_members + within · V_views, and the two."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(crystals), rng.integers(3, 9, crystals))
    n = len(number)
    v_members = rng.gamma(1.0, 1.0, n) if members > 1 else np.zeros(n)
    v_views = rng.gamma(1.0, 1.0, n)
    scale = np.sqrt(floor**2 + between * v_members + within * v_views)
    noise = {"normal": rng.standard_normal, "laplace": lambda k: rng.laplace(0, 0.7, k)}[law](n)
    return scale * noise, v_members, v_views, rng.choice([1.0, 2.0, 4.0], n), number


def coverages(calibration, sample):
    error, v_members, v_views, weights, _ = sample
    return [covered(error, w, weights) for w in calibration.half_widths(v_members, v_views)]


@pytest.mark.parametrize("law", ["normal", "laplace"])
@pytest.mark.parametrize("members", [1, 4])
def test_coverage_of_new_data(law, members):
    made = fit(*atoms(150, 1, members=members, law=law), members=members)
    assert coverages(made, atoms(3000, 2, members=members, law=law)) == pytest.approx(
        [0.68, 0.95], abs=TOLERANCE
    )
    assert [made.coverage68, made.coverage95] == pytest.approx([0.68, 0.95], abs=TOLERANCE)


def test_intervals_are_wide_where_errors_are():
    made = fit(*atoms(400, 3), members=4)
    error, v_members, v_views, weights, _ = atoms(3000, 4)
    truth = np.sqrt(0.25 + 1.5 * v_members + 0.7 * v_views)
    half68, half95 = made.half_widths(v_members, v_views)
    assert (half95 > half68).all()
    assert np.corrcoef(half68, truth)[0, 1] > 0.98
    # Within each quarter of the true scales, where one width for all would fail.
    flat = np.full(len(truth), np.quantile(np.abs(error), 0.68))
    quarter = np.digitize(truth, np.quantile(truth, [0.25, 0.5, 0.75]))
    for k in range(4):
        own = quarter == k
        assert covered(error[own], half68[own], weights[own]) == pytest.approx(0.68, abs=0.06)
    ends = [covered(error[quarter == k], flat[quarter == k], weights[quarter == k]) for k in (0, 3)]
    assert ends[0] - ends[1] > 0.2


def test_weights_of_the_law_are_found():
    made = fit(*atoms(3000, 5), members=4)
    # The likelihood knows them up to the factor that the quantiles take up.
    assert made.between / made.within == pytest.approx(1.5 / 0.7, rel=0.2)
    assert made.floor**2 / made.between == pytest.approx(0.25 / 1.5, rel=0.3)


def test_spread_that_says_nothing_gets_no_weight():
    error, v_members, v_views, weights, crystals = atoms(400, 6, between=0.0, within=0.0)
    made = fit(error, v_members, v_views, weights, crystals, members=4)
    half68, _ = made.half_widths(v_members, v_views)
    assert half68.std() < 0.15 * half68.mean()
    assert half68.mean() == pytest.approx(0.5 * 0.9945, rel=0.08)


def test_no_spread_at_all():
    error, _, _, weights, crystals = atoms(100, 7, between=0.0, within=0.0)
    nothing = np.zeros(len(error))
    made = fit(error, nothing, nothing, weights, crystals, members=1)
    assert (made.between, made.within) == (0.0, 0.0)
    half68, half95 = made.half_widths(np.zeros(3), np.zeros(3))
    assert half68 == pytest.approx(0.5 * 0.9945, rel=0.15)
    assert half95 == pytest.approx(0.5 * 1.96, rel=0.15)


def test_rounding_is_no_spread():
    """Variances of 1e-20 ppm² get no weight, or real ones would widen without bound."""
    error, _, _, weights, crystals = atoms(100, 7, between=0.0, within=0.0)
    rounding = 1e-20 * np.random.default_rng(0).random(len(error))
    assert fit(error, rounding, rounding, weights, crystals, members=2).between == 0.0


def test_outliers_do_not_hide_the_law():
    """Two atoms in a hundred are wrong by 30 ppm; what the spread weighs is still found."""
    sample = atoms(400, 8)
    wrong = sample[0].copy()
    wrong[::50] += 30.0
    clean, dirty = (
        fit(e, *sample[1:], members=4).half_widths(np.array([0.0, 4.0]), np.array([0.0, 4.0]))[0]
        for e in (sample[0], wrong)
    )
    assert clean[1] / clean[0] == pytest.approx(np.sqrt(0.25 + 1.5 * 4 + 0.7 * 4) / 0.5, rel=0.3)
    assert dirty == pytest.approx(clean, rel=0.15)


def test_atoms_count_by_their_weight():
    """Heavy atoms of error 1 and light ones of error 10: the heavy ones are the 68 %."""
    error = np.tile([1.0, 10.0], 50)
    crystals, nothing = np.repeat(np.arange(10), 10), np.zeros(100)
    heavy = fit(error, nothing, nothing, np.tile([9.0, 1.0], 50), crystals, members=1)
    light = fit(error, nothing, nothing, np.tile([1.0, 9.0], 50), crystals, members=1)
    assert heavy.half_widths(np.zeros(1), np.zeros(1))[0] == pytest.approx(1.0)
    assert light.half_widths(np.zeros(1), np.zeros(1))[0] == pytest.approx(10.0)


def test_coverage_is_counted_on_other_crystals():
    """Twenty atoms of a crystal share an error: folds by atom would see it in the fit."""
    crystals = np.repeat(np.arange(6), 20)
    error = np.array([0.1, 0.2, 0.4, 0.8, 1.6, 3.2])[crystals]
    nothing = np.zeros(120)
    made = fit(error, nothing, nothing, np.ones(120), crystals, members=1)
    assert covered(error, made.half_widths(nothing, nothing)[1], np.ones(120)) == 1.0
    # The crystal of the largest errors lies outside what the other five say.
    assert made.coverage95 == pytest.approx(5 / 6)


#: Kinds of atoms and how much larger their errors are.
KINDS = {"methyl": 1.0, "N-H": 3.0, "rare": 2.0}


def with_kinds(crystals, seed, shares=(0.7, 0.28, 0.02)):
    """Errors that differ by kind, hydrogen bond and precedents, and what tells them."""
    error, between, within, weights, number = atoms(crystals, seed)
    rng = np.random.default_rng(seed + 1000)
    n = len(error)
    kinds = rng.choice(np.array(list(KINDS), dtype=object), n, p=shares)
    bonds = np.where(kinds == "N-H", rng.uniform(1.5, 2.2, n), np.inf)
    precedents = rng.choice([0, 1, 4, 400], n, p=[0.03, 0.1, 0.1, 0.77])
    larger = {0: 4.0, 1: 2.0, 4: 2.0**0.5, 400: 1.0}
    factor = np.array([KINDS[k] for k in kinds]) * [larger[k] for k in precedents.tolist()]
    factor *= np.exp(1.5 * np.maximum(0, 2.0 - bonds))
    return error * factor, between, within, weights, number, Evidence(kinds, precedents, bonds)


def test_kinds_are_told_apart():
    *known, evidence = with_kinds(150, 20)
    made = fit(*known, members=4, evidence=evidence)
    assert set(made.kinds) == set(KINDS)
    assert made.kinds["N-H"].factor / made.kinds["methyl"].factor == pytest.approx(3.0, rel=0.3)
    assert np.exp(made.terms["unseen"]) == pytest.approx(4.0, rel=0.4)
    assert np.exp(made.terms["few"]) == pytest.approx(2.0, rel=0.25)
    assert made.terms["hydrogen-bond"] == pytest.approx(1.5, abs=0.6)
    assert made.likelihoods["kinds"] < made.likelihoods["spread"] < made.likelihoods["constant"]
    error, between, within, weights, _, others = with_kinds(3000, 21)
    half68, half95 = made.half_widths(between, within, others)
    for kind in ("methyl", "N-H"):
        own = others.kinds == kind
        inside = covered(error[own], half68[own], weights[own])
        assert inside == pytest.approx(0.68, abs=0.06)
        inside = covered(error[own], half95[own], weights[own])
        assert inside == pytest.approx(0.95, abs=0.04)
        assert made.kinds[kind].coverage68 == pytest.approx(0.68, abs=0.06)
    for number in (1, 4):
        own = others.precedents == number
        assert covered(error[own], half68[own], weights[own]) == pytest.approx(0.68, abs=0.1)
    # Three per cent of the atoms: between what all are like and what they are.
    assert made.kinds["methyl"].factor < made.kinds["rare"].factor
    assert Calibration.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_kinds_that_say_nothing_are_not_fitted():
    error, between, within, weights, number = atoms(60, 22)
    n = len(error)
    kinds = np.random.default_rng(23).choice(np.array(["a", "b"], dtype=object), n)
    evidence = Evidence(kinds, np.full(n, 30), np.full(n, np.inf))
    made = fit(error, between, within, weights, number, members=4, evidence=evidence)
    factors = [kind.factor for kind in made.kinds.values()]
    assert factors == pytest.approx([1.0, 1.0], abs=0.25)


def test_rare_environments_make_no_interval_narrower():
    error, between, within, weights, number = atoms(60, 26)
    precedents = np.random.default_rng(27).choice([0, 1, 400], len(error), p=[0.1, 0.3, 0.6])
    error = error * np.where(precedents < 400, 0.3, 1.0)
    kinds, bonds = np.full(len(error), "a", dtype=object), np.full(len(error), np.inf)
    evidence = Evidence(kinds, precedents, bonds)
    made = fit(error, between, within, weights, number, members=4, evidence=evidence)
    assert made.terms["few"] == pytest.approx(0.0, abs=1e-6)
    assert made.terms["unseen"] >= 0.0


def test_a_spread_that_says_nothing_leaves_one_width_for_a_kind():
    rng = np.random.default_rng(24)
    n = 300
    kinds = np.array(["a", "b"], dtype=object)[np.arange(n) % 2]
    evidence = Evidence(kinds, np.full(n, 30), np.full(n, np.inf))
    error = rng.normal(0, 1, n)
    spread = rng.gamma(1.0, 1.0, n)
    made = fit(error, spread, spread, np.ones(n), np.arange(n), members=2, evidence=evidence)
    widths = made.half_widths(spread, spread, evidence)[0]
    assert widths[kinds == "a"].std() < 0.1 * widths.mean()


def test_an_unknown_kind_and_no_evidence():
    *known, evidence = with_kinds(60, 25)
    made = fit(*known, members=4, evidence=evidence)
    strange = Evidence(np.array(["odd"], dtype=object), np.array([-1]), np.array([np.inf]))
    one = np.ones(1)
    assert made.half_widths(one, one, strange) == made.half_widths(one, one)
    unseen = Evidence(strange.kinds, np.array([0]), strange.hydrogen_bonds)
    assert made.half_widths(one, one, unseen)[0] > 1.5 * made.half_widths(one, one)[0]
    old = Calibration(4, 0.5, 1.0, 0.0, 1.0, 2.0, 100, 20)
    assert old.half_widths(one, one, unseen)[0] == pytest.approx(3 * old.half_widths(one, one)[0])


@pytest.mark.parametrize("crystals", [[0], [0, 0, 0], [0, 1], [0, 0, 1, 1, 2]])
def test_tiny_sets(crystals):
    n = len(crystals)
    error = np.random.default_rng(n).normal(0, 2.0, n)
    spread = np.linspace(0.1, 3.0, n)
    made = fit(error, spread, spread, np.ones(n), crystals, members=3)
    assert (made.n, made.crystals, made.members) == (n, len(set(crystals)), 3)
    # Too few to tell what the spread weighs, and to know a 95 % quantile.
    assert (made.between, made.within) == (0.0, 0.0)
    half68, half95 = made.half_widths(spread, spread)
    assert (half95 >= np.abs(error).max()).all()
    assert (half95 > half68).all()
    assert np.isfinite(half95).all()
    assert (made.coverage68 is None) == (len(set(crystals)) == 1)
    assert Calibration.from_dict(made.to_dict()) == made


def test_few_crystals_are_covered():
    """Twelve crystals: one draw proves nothing, the mean over many does."""
    inside = [
        coverages(fit(*atoms(12, seed), members=4), atoms(300, 1000 + seed)) for seed in range(25)
    ]
    assert np.mean(inside, axis=0) == pytest.approx([0.68, 0.95], abs=TOLERANCE)


def test_no_errors_at_all():
    nothing = np.zeros(20)
    made = fit(nothing, nothing, nothing, np.ones(20), np.arange(20), members=1)
    assert 0 < made.half_widths(np.zeros(1), np.zeros(1))[1].item() < 1e-3
    Calibration.from_dict(made.to_dict())


def test_same_data_same_calibration():
    assert fit(*atoms(60, 9), members=4) == fit(*atoms(60, 9), members=4)


def test_units_do_not_matter():
    """Errors and spreads in thousandths: the same intervals, in thousandths."""
    error, v_members, v_views, weights, crystals = atoms(60, 10)
    made = fit(error, v_members, v_views, weights, crystals, members=4)
    scaled = fit(1e3 * error, 1e6 * v_members, 1e6 * v_views, weights, crystals, members=4)
    expected = made.half_widths(v_members, v_views)[0]
    assert scaled.half_widths(1e6 * v_members, 1e6 * v_views)[0] == pytest.approx(
        1e3 * expected, rel=1e-3
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_predictions_that_are_not_finite(value):
    error, *rest = atoms(20, 11)
    error[3] = value
    with pytest.raises(TrainingError, match="not finite"):
        fit(error, *rest, members=4)


def test_no_atoms():
    with pytest.raises(TrainingError, match="no atoms"):
        fit([], [], [], [], [], members=1)


def test_dictionary_is_json():
    made = fit(*atoms(30, 12), members=4)
    assert Calibration.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": 0},
        {"members": 1.0},
        {"n": True},
        {"crystals": -1},
        {"floor": 0.0},
        {"floor": float("nan")},
        {"between": -1e-9},
        {"within": float("inf")},
        {"within": "1"},
        {"q68": 3.0},
        {"q95": None},
        {"coverage68": 1.01},
        {"coverage95": -0.01},
        {"kinds": []},
        {"kinds": {"N-H": {"factor": 1.0}}},
        {"kinds": {"N-H": [1.0, 1.0, 2.0, 5]}},
        {"terms": {"unseen": float("nan")}},
        {"terms": {"weather": 1.0}},
        {"terms": {"unseen": "high"}},
        {"likelihoods": {"kinds": 10**400}},
        {"floor": 10**400},
    ],
)
def test_values_that_make_no_sense(wrong):
    good = Calibration(4, 0.5, 1.0, 0.0, 1.0, 2.0, 100, 20, 0.7, None)
    assert Calibration.from_dict(good.to_dict()) == good
    with pytest.raises(ValueError, match="a calibration"):
        Calibration.from_dict({**good.to_dict(), **wrong})


@pytest.mark.parametrize("wrong", [[], "x", {}, {"floor": 1.0}])
def test_other_documents(wrong):
    with pytest.raises(ValueError, match="other fields"):
        Calibration.from_dict(wrong)
