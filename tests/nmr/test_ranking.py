"""Candidates ranked by measured shifts, with predictions made by hand."""

import math

import numpy as np
import pytest

from shiftcli.errors import ExperimentError, ReadError, StructureError
from shiftcli.nmr.assignment import compare
from shiftcli.nmr.averaging import average
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.ranking import (
    CREDIBLE,
    FREEDOM,
    Candidate,
    log_likelihood,
    predict_candidates,
    rank,
    unassigned,
    weigh,
)
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Prediction, SitePrediction
from shiftcli.structure.crystal import SPECIES, Crystal, Site

PROTONS = np.array([22.0, 24.0, 25.5, 27.0, 29.0])
CARBONS = np.array([20.0, 60.0, 130.0])


def candidate(name, protons, carbons=CARBONS, width=0.4, labels=None):
    """Atoms too far apart for bonds, with the shieldings given."""
    elements = ["H"] * len(protons) + ["C"] * len(carbons)
    labels = labels or [f"{e}{k}" for e in "HC" for k in range(1, elements.count(e) + 1)]
    positions = 5.0 * np.arange(len(elements))[:, None] * np.array([1.0, 0.0, 0.0])
    crystal = Crystal(np.array(elements), positions, None, tuple(labels), name=name, source="a.xyz")
    widths = [width if e == "H" else 8 * width for e in elements]
    sites = tuple(
        SitePrediction(Site(label, e, np.array([k])), float(value), u, 2 * u)
        for k, (label, e, value, u) in enumerate(
            zip(labels, elements, [*protons, *carbons], widths, strict=True)
        )
    )
    return Prediction(crystal, sites)


def measured(protons=PROTONS, carbons=CARBONS, *, labelled=True, uncertainty=0.1):
    """The shifts of those shieldings."""
    peaks = []
    for element, values, reference in (("H", protons, 30.7), ("C", carbons, 169.0)):
        for k, value in enumerate(values, 1):
            labels = (f"{element}{k}",) if labelled else ()
            shift = reference - float(value)
            peaks.append(Peak(labels, SPECIES[element], shift, uncertainty, len(peaks) + 2))
    return Experiment(tuple(peaks), "shifts.csv")


def noisy(size, seed):
    return PROTONS + size * np.random.default_rng(seed).normal(size=len(PROTONS))


def test_the_right_one_is_first():
    wrong = [candidate(f"wrong {k}", noisy(1.5, k)) for k in range(3)]
    ranking = rank([*wrong, candidate("right", noisy(0.1, 9))], measured())
    first, *others = ranking.candidates
    assert first.name == "right"
    assert first.rmse["1H"] < 0.2 < min(c.rmse["1H"] for c in others)
    assert (first.n, first.peaks) == (8, {"1H": 5, "13C": 3})
    probabilities = [c.probability for c in ranking.candidates]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)


def test_each_candidate_has_its_own_offset():
    """An offset fitted to the first candidate and used for all would let the second fail."""
    ranking = rank([candidate("a", PROTONS), candidate("b", PROTONS + 3.0)], measured())
    first, second = ranking.candidates
    assert first.offset["1H"] == pytest.approx(30.7)
    assert second.offset["1H"] == pytest.approx(33.7)
    assert first.probability == pytest.approx(0.5)
    assert second.rmse["1H"] == pytest.approx(0, abs=1e-9)


def test_fixed_references_tell_them_apart():
    fixed = References({"H": 30.7, "C": 169.0})
    both = [candidate("b", PROTONS + 3.0), candidate("a", PROTONS)]
    ranking = rank(both, measured(), references=fixed)
    assert ranking.candidates[0].name == "a"
    assert ranking.candidates[0].probability > 0.9
    assert ranking.candidates[1].rmse["1H"] == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("reference", [None, 30.5])
def test_the_likelihood_is_integrated_over_offset_and_scale(reference):
    """Against the integral over a grid of offsets and scales, with the prior of the latter."""
    from scipy.stats import invgamma

    found = candidate("x", noisy(0.7, 1), carbons=[], width=0.4)
    experiment = measured(carbons=[], uncertainty=0.2)
    shieldings = np.array([row.shielding for row in found.sites])
    shifts = np.array([peak.shift for peak in experiment.peaks])
    s = math.sqrt(0.4**2 + 0.2**2 + 0.4**2)  # prediction, measurement, GIPAW
    offsets = np.linspace(-25, 25, 2001) + np.mean(shieldings + shifts)
    logs = np.linspace(-4, 6, 801)  # of κ
    step = (offsets[1] - offsets[0]) * (logs[1] - logs[0])
    references = None
    if reference is not None:
        references = References({"H": reference})
        offsets, step = np.array([references.line("H")[0]]), logs[1] - logs[0]
    slope = -1.0 if references is None else references.line("H")[1]
    ratio = (offsets[:, None] + slope * shieldings - shifts) / s
    scales = np.exp(logs)
    density = (2 * np.pi * scales * s**2) ** -2.5
    density = density * np.exp(-0.5 * (ratio**2).sum(axis=1)[:, None] / scales)
    prior = invgamma.pdf(scales, FREEDOM / 2, scale=FREEDOM / 2) * scales
    integral = (density * prior).sum() * step
    comparison = compare(average(found), experiment, references=references)
    assert log_likelihood(comparison) == pytest.approx(math.log(integral), abs=1e-4)


def test_one_peak_says_nothing_with_a_fitted_offset():
    experiment = Experiment(measured().peaks[:1])
    ranking = rank([candidate("a", PROTONS), candidate("b", PROTONS + 9)], experiment)
    assert [c.probability for c in ranking.candidates] == pytest.approx([0.5, 0.5])


def test_peaks_count_as_a_share_of_their_number():
    both = [candidate("a", noisy(0.2, 1)), candidate("b", noisy(0.6, 2))]
    odds = {}
    for share in (1.0, 0.25):
        first, second = rank(both, measured(), independence=share).candidates
        odds[share] = first.probability / second.probability
    assert odds[0.25] == pytest.approx(odds[1.0] ** 0.25)


def test_probabilities_survive_extreme_likelihoods():
    """Shieldings far off must not overflow to NaN."""
    far = candidate("far", PROTONS * 1e6, CARBONS * 1e6)
    ranking = rank([far, candidate("near", PROTONS)], measured())
    assert [c.name for c in ranking.candidates] == ["near", "far"]
    assert [c.probability for c in ranking.candidates] == pytest.approx([1.0, 0.0], abs=1e-9)


def with_likelihoods(*logs):
    blank = compare(average(candidate("x", PROTONS)), measured())
    return [Candidate("a.xyz", str(k), "", blank, log) for k, log in enumerate(logs)]


def test_those_that_cannot_be_told_apart():
    logs = np.log([0.5, 0.02, 0.3, 0.16, 0.02])
    ranked = weigh(with_likelihoods(*logs), independence=1.0)
    assert [c.name for c in ranked if c.indistinguishable] == ["0", "2", "3"]
    assert sum(c.probability for c in ranked if c.indistinguishable) >= CREDIBLE


def test_those_equally_likely_are_alike():
    ranked = weigh(with_likelihoods(*[0.0] * 30), independence=1.0)
    assert all(c.indistinguishable for c in ranked)
    assert [c.name for c in ranked] == [str(k) for k in range(30)]
    assert weigh([]) == ()
    # One structure from two files, whose digits differ; the first of the two completes 95 %.
    logs = np.log([0.94, 0.02, 0.02 * (1 - 1e-4), 0.01])
    ranked = weigh(with_likelihoods(*logs), independence=1.0)
    assert [c.name for c in ranked if c.indistinguishable] == ["0", "1", "2"]


def test_peaks_without_labels_are_assigned_in_every_candidate():
    shuffled = candidate("shuffled", PROTONS[::-1], CARBONS[::-1])
    by_label = rank([shuffled], measured()).candidates[0]
    free = rank([shuffled], unassigned(measured())).candidates[0]
    assert by_label.rmse["1H"] > 3
    assert free.rmse["1H"] == pytest.approx(0, abs=1e-9)
    assert rank([shuffled], measured(labelled=False)).candidates[0].rmse == free.rmse


def test_what_does_not_fit_the_experiment_fails_and_the_others_are_ranked():
    labels = ["X1", "H2", "H3", "H4", "H5", "C1", "C2", "C3"]
    items = [
        Failure("broken.cif", ReadError("no atoms", where="broken.cif")),
        candidate("other labels", PROTONS, labels=labels),
        candidate("no carbon", PROTONS, carbons=[]),
        candidate("good", PROTONS),
    ]
    ranking = rank(items, measured())
    assert [c.name for c in ranking.candidates] == ["good"]
    broken, labels, carbon = (str(f.error) for f in ranking.failures)
    assert broken.startswith("broken.cif: no atoms")
    assert labels.startswith("a.xyz: other labels: shifts.csv: line 2")
    assert "H1" in labels
    assert carbon.startswith("a.xyz: no carbon")
    assert "13C" in carbon


def test_more_peaks_than_sites():
    few = candidate("few", PROTONS[:4])
    ranking = rank([few, candidate("good", PROTONS)], measured(labelled=False))
    assert [c.name for c in ranking.candidates] == ["good"]
    assert "5 1H shifts are measured" in str(ranking.failures[0].error)


def test_nothing_can_be_ranked():
    ranking = rank([Failure("a.cif", ReadError("empty", where="a.cif"))], measured())
    assert (ranking.candidates, ranking.indistinguishable) == ((), ())
    assert len(ranking.failures) == 1


def test_shifts_of_several_structures_are_refused():
    peaks = (Peak((), "1H", 1.0, structure="A"), Peak((), "1H", 2.0, structure="B"))
    with pytest.raises(ExperimentError, match="2 structures"):
        rank([], Experiment(peaks, "shifts.csv"))


def test_a_poor_best_candidate_is_said():
    poor = rank([candidate("poor", PROTONS * [1, 0.7, 1.2, 0.8, 1.1])], measured())
    assert any("may not be among them" in text for text in poor.notes)
    good = rank([candidate("good", noisy(0.3, 5)), candidate("bad", noisy(2, 5))], measured())
    assert good.notes == ()


def test_one_candidate_has_no_rivals():
    assert rank([candidate("only", noisy(0.3, 5))], measured()).notes == (
        "one candidate: its probability is 1, however badly it fits",
    )


def test_more_sites_than_rivals_for_free_peaks_is_said():
    larger = candidate("P 1", np.concatenate([noisy(0.3, k) for k in range(4)]))
    rivals = [larger, candidate("symmetric", PROTONS)]
    free = rank(rivals, measured(labelled=False))
    assert any("no peak: 0 to 15 of them" in text for text in free.notes)
    assert rank(rivals, measured()).notes == ()
    assert rank(rivals[1:] * 2, measured(labelled=False)).notes == ()


def test_hydrogens_moved_in_some_candidates_only_is_said():
    from dataclasses import replace

    one = candidate("x-ray", PROTONS)
    one = replace(one, crystal=one.crystal.with_warning("5 hydrogens moved along their bonds"))
    ranking = rank([one, candidate("relaxed", PROTONS)], measured())
    assert any("of 1 of 2 candidates were moved" in text for text in ranking.notes)
    assert rank([one, one], measured()).notes == ()


def test_the_model_is_stated():
    ranking = rank([candidate("a", PROTONS)], measured(), independence=0.5, theory_errors={"H": 1})
    assert "ln L counts 0.5 times" in ranking.model
    assert ranking.theory_errors == {"H": 1}
    narrow = rank([candidate("a", PROTONS)], measured(), theory_errors={}).candidates[0]
    assert ranking.candidates[0].expected_rmse["1H"] > narrow.expected_rmse["1H"]


class Counting:
    """Stands for the networks; fails where a crystal is called so."""

    allow, hydrogens = ("hydrogens",), "keep"

    def __init__(self, **known):
        self.known, self.seen = known, []

    def predict(self, crystal):
        self.seen.append(crystal.name)
        if crystal.name == "refused":
            raise StructureError("contains Si", where=crystal.where)
        if crystal.name == "fault":
            raise ZeroDivisionError("oh")
        return self.known[crystal.name]


def test_candidates_without_the_labels_are_not_even_predicted():
    good = candidate("good", PROTONS)
    odd = candidate("odd", PROTONS, labels=["Q1", *(site.site.label for site in good.sites[1:])])
    refused, fault = candidate("refused", PROTONS), candidate("fault", PROTONS)
    predictor = Counting(good=good)
    items = [Failure("a", ReadError("no")), *(c.crystal for c in (odd, refused, fault, good))]
    found = list(predict_candidates(predictor, items, measured()))
    assert predictor.seen == ["refused", "fault", "good"]
    assert found[-1] is good
    texts = [str(f.error) for f in found[:-1]]
    assert "is called H1" in texts[1]
    assert "contains Si" in texts[2]
    assert "a fault in shiftcli: ZeroDivisionError" in texts[3]
