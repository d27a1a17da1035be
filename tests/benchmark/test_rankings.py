"""Stated probabilities of rankings against what is known."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.benchmark.rankings import (
    REFERENCES,
    CandidateSet,
    Constants,
    Outcome,
    Tally,
    experiment_of,
    make_set,
    measure_rankings,
    pose_all,
)
from shiftcli.nmr.ranking import rank

CRYSTAL = crystal_of(*amino_alcohol())


def shieldings(seed):
    rng = np.random.default_rng(seed)
    base = np.select([CRYSTAL.elements == "H", CRYSTAL.elements == "C"], [26.0, 100.0], 200.0)
    sites = rng.normal(scale=[{"H": 2.0}.get(site.element, 20.0) for site in CRYSTAL.sites])
    return base + sites[CRYSTAL.site_numbers]


@pytest.fixture
def own():
    """The crystal and three others, the last of which has its shieldings."""
    values = [shieldings(k) for k in range(3)]
    candidates = [
        predicted(replace(CRYSTAL, name=f"made {k}" if k else "made"), v)
        for k, v in enumerate([values[0], values[1], values[2], values[0]])
    ]
    known = replace(CRYSTAL, shieldings=values[0])
    return CandidateSet(known, tuple(candidates), (), (), (0, 1, 2, 3))


def test_experiments_are_shieldings_with_noise():
    known = replace(CRYSTAL, shieldings=shieldings(0))
    both = experiment_of(known, ("H", "C"), 1.0, (1, 2))
    assert len(both.peaks) == 7 + 3  # the hydrogens of the methyl group are one
    for peak in both.peaks:
        shielding = np.mean([shieldings(0)[CRYSTAL.labels.index(label)] for label in peak.labels])
        error = peak.shift - REFERENCES[peak.element] + shielding
        assert 0 < abs(error) < 4 * {"H": 0.4, "C": 2.2}[peak.element]
    # The noise of one nucleus is the same whatever else is measured.
    carbon = experiment_of(known, ("C",), 0.0, (1, 2))
    assert [p.shift for p in carbon.peaks] == [p.shift for p in both.peaks if p.element == "C"]
    assert all(not p.labels for p in carbon.peaks)


def outcome(*probabilities, true=0, alike=1, name="a"):
    return Outcome(name, np.array(probabilities), true, alike)


def test_figures_by_hand():
    tally = Tally([outcome(0.9, 0.1), outcome(0.6, 0.3, 0.1, true=1, alike=3, name="b")])
    first, stated, inside, size, families, log, chance = tally.figures()
    assert (first, stated, inside, size, families) == pytest.approx((0.5, 0.75, 1.0, 2.0, 2.5))
    assert log == pytest.approx((np.log(0.9) + np.log(0.3)) / 2)
    assert chance == pytest.approx(-(np.log(2) + np.log(3)) / 2)
    low, high, mean, observed, error, count = list(tally.bins())[-1]
    assert (low, high, count) == (0.8, 0.95, 1)
    assert (mean, observed, error) == pytest.approx((0.9, 1.0, 0.3))
    assert sum(row[-1] for row in tally.bins()) == 5


def test_families_in_an_outcome(own):
    """Candidates of one molecule in one place are near copies here: one family, one probability."""
    experiment = experiment_of(own.crystal, ("H",), 1.0, (0, 0))
    found = Outcome.of(rank(own.candidates, experiment), "made")
    assert (found.true, found.alike, found.probabilities.tolist()) == (0, 1, [1.0])
    found = Outcome.of(rank(own.candidates, experiment, tolerance=0.0), "made")
    assert sorted(found.probabilities) == pytest.approx([0, 0, 0.5, 0.5], abs=0.02)


def test_every_kind_of_experiment_is_ranked(own):
    notes = []
    tallies = measure_rankings([own], {"all": 2, "half": 1, "none": 1}, {}, notes.append)
    assert {key: len(tally.outcomes) for key, tally in tallies.items()} == {
        (elements, word): 2 if word == "all" else 1
        for elements in (("H",), ("C",), ("H", "C"))
        for word in ("all", "half", "none")
    }
    assert notes == ["made: ranked, 1 of 1"]


def test_constants_of_today_give_the_ranking(own):
    (questions,) = pose_all([own], ("H", "C"), 1, {})
    experiment = experiment_of(own.crystal, ("H", "C"), 1.0, (1, 0))
    ranking = rank(own.candidates, experiment, labels_from=own.crystal, factors={}, tolerance=0.0)
    expected = {c.name: c.log_likelihood for c in ranking.candidates}
    found = Constants().log_likelihoods(questions.questions, questions.elements)
    assert found == pytest.approx([expected[item.crystal.name] for item in own.candidates])
    half = Constants(power=0.5).log_likelihoods(questions.questions, questions.elements)
    assert half == pytest.approx(np.array(found) / 2)
    # The true one has half of it: the last candidate is as good.
    today = questions.outcome(Constants())
    assert today.probabilities[:2] == pytest.approx([0.5, 0.5], abs=0.02)
    blind = questions.outcome(Constants(resolved={"H": 1e3, "C": 1e3}))
    assert blind.probabilities[0] < 0.45


def test_sets_are_predicted_once(predictor, urea):
    known = replace(CRYSTAL, shieldings=shieldings(0))
    found = make_set(known, ("near copy", "moved"), predictor, 3)
    assert found.kinds == ("near copy", "moved")
    assert found.families == (0, 0, 1)
    assert found.distances[0] < 0.1 < found.distances[1]
    assert [item.crystal.name for item in found.candidates][1:] == [
        "made, near copy",
        "made, moved",
    ]
    assert make_set(urea, ("moved",), predictor, 3) is None
