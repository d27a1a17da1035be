"""Candidates ranked by measured shifts, with predictions made by hand."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.errors import ExperimentError, ReadError
from shiftcli.nmr import gathering
from shiftcli.nmr.assignment import compare
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average
from shiftcli.nmr.candidates import Naming, check_labels, find_reference, unassigned
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.gathering import Candidate
from shiftcli.nmr.ranking import CREDIBLE, weigh
from shiftcli.nmr.ranking import rank as rank_all
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Prediction, SitePrediction
from shiftcli.results.rankings import ranking_table
from shiftcli.structure.crystal import SPECIES, Crystal, Site

PROTONS = np.array([22.0, 24.0, 25.5, 27.0, 29.0])
CARBONS = np.array([20.0, 60.0, 130.0])


#: N1-C1H2-C2H2-C3H=O1: hydrogens, carbons, nitrogen and oxygen, in Å.
PLACES = np.array(
    [
        *((1.2, 1.4, 0.9), (1.2, 1.4, -0.9), (2.5, -0.6, 0.9), (2.5, -0.6, -0.9), (3.75, 1.9, 0)),
        *((1.2, 0.8, 0), (2.5, 0, 0), (3.75, 0.8, 0), (0, 0, 0), (4.95, 0.2, 0)),
    ]
)

rank = partial(rank_all, tolerance=0.0)


def candidate(name, protons, carbons=CARBONS, width=0.4, labels=None):
    """Molecules with the shieldings given; what is missing at the end is not predicted."""
    number = -(-len(protons) // 5)
    elements = ["H"] * 5 * number + ["C"] * 3 * number + ["N", "O"] * number
    labels = labels or [f"{e}{k}" for e in "HC" for k in range(1, elements.count(e) + 1)]
    labels = [*labels, *(f"X{k}" for k in range(len(elements) - len(labels)))]
    # Molecule by molecule in the order of elements, 50 Å apart.
    shift = 50.0 * np.arange(number)[:, None, None] * np.array([0.0, 1.0, 0.0])
    placed = PLACES + shift
    positions = np.concatenate(
        [placed[:, :5].reshape(-1, 3), placed[:, 5:8].reshape(-1, 3), placed[:, 8:].reshape(-1, 3)]
    )
    crystal = Crystal(np.array(elements), positions, None, tuple(labels), name=name, source="a.xyz")
    values = {k: float(v) for k, v in enumerate(protons)}
    values.update({5 * number + k: float(v) for k, v in enumerate(np.tile(carbons, number))})
    sites = tuple(
        SitePrediction(
            Site(labels[k], elements[k], np.array([k])), value,
            *((width, 2 * width) if elements[k] == "H" else (8 * width, 16 * width)),
        )
        for k, value in values.items()
    )  # fmt: skip
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


def test_predictions_of_the_likeliest_are_kept(monkeypatch):
    monkeypatch.setattr(gathering, "MOST_HELD", 2)
    wrong = [candidate(f"wrong {k}", noisy(1.5, k)) for k in range(3)]
    ranking = rank([*wrong, candidate("right", noisy(0.1, 9))], measured())
    kept = {ranking.predictions[c.place].crystal.name for c in ranking.candidates[:2]}
    assert kept == {c.name for c in ranking.candidates[:2]}
    assert len(ranking.predictions) == 2


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


def test_one_peak_says_nothing_with_a_fitted_offset():
    experiment = Experiment(measured().peaks[:1])
    ranking = rank([candidate("a", PROTONS), candidate("b", PROTONS + 9)], experiment)
    assert [c.probability for c in ranking.candidates] == pytest.approx([0.5, 0.5])


def test_probabilities_survive_extreme_likelihoods():
    """Shieldings far off must not overflow to NaN."""
    far = candidate("far", PROTONS * 1e6, CARBONS * 1e6)
    ranking = rank([far, candidate("near", PROTONS)], measured())
    assert [c.name for c in ranking.candidates] == ["near", "far"]
    assert [c.probability for c in ranking.candidates] == pytest.approx([1.0, 0.0], abs=1e-9)


def with_likelihoods(*logs, places=None):
    """Candidates with ln L, and each at another place in the space of structures."""
    blank = compare(average(candidate("x", PROTONS)), measured())
    places = range(len(logs)) if places is None else places
    return [
        Candidate(
            "a.xyz", str(k), "", blank, log, fingerprint={("C", "heavy"): np.array([float(place)])}
        )
        for k, (log, place) in enumerate(zip(logs, places, strict=True))
    ]


def test_those_that_cannot_be_told_apart():
    logs = np.log([0.5, 0.02, 0.3, 0.16, 0.02])
    ranked = weigh(with_likelihoods(*logs))
    assert [c.name for c in ranked if c.indistinguishable] == ["0", "2", "3"]
    assert sum(c.probability for c in ranked if c.indistinguishable) >= CREDIBLE


def test_those_equally_likely_are_alike():
    ranked = weigh(with_likelihoods(*[0.0] * 30))
    assert all(c.indistinguishable for c in ranked)
    assert [c.name for c in ranked] == [str(k) for k in range(30)]
    assert weigh([]) == ()
    # One structure from two files, whose digits differ; the first of the two completes 95 %.
    logs = np.log([0.94, 0.02, 0.02 * (1 - 1e-4), 0.01])
    ranked = weigh(with_likelihoods(*logs))
    assert [c.name for c in ranked if c.indistinguishable] == ["0", "1", "2"]


def test_peaks_without_labels_are_assigned_in_every_candidate():
    shuffled = candidate("shuffled", PROTONS[::-1], CARBONS[::-1])
    by_label = rank([shuffled], measured()).candidates[0]
    free = rank([shuffled], unassigned(measured())).candidates[0]
    assert by_label.rmse["1H"] > 3
    assert free.rmse["1H"] == pytest.approx(0, abs=1e-9)
    assert rank([shuffled], measured(labelled=False)).candidates[0].rmse == free.rmse


def test_what_does_not_fit_the_experiment_fails_and_the_others_are_ranked():
    items = [
        Failure("broken.cif", ReadError("no atoms", where="broken.cif")),
        candidate("no carbon", PROTONS, carbons=[]),
        candidate("good", PROTONS),
        other_molecule(),
    ]
    ranking = rank(items, measured())
    assert [c.name for c in ranking.candidates] == ["good"]
    broken, carbon, other = (str(f.error) for f in ranking.failures)
    assert broken.startswith("broken.cif: no atoms")
    assert carbon.startswith("a.xyz: no carbon")
    assert "13C" in carbon
    assert other.startswith("a.xyz: other: no molecule is C3 H5 N O bonded as in a.xyz: no carbon")
    assert "\n" not in other


def other_molecule():
    """One whose nitrogen is an oxygen."""
    made = candidate("other", PROTONS)
    elements = np.where(made.crystal.elements == "N", "O", made.crystal.elements)
    return replace(made, crystal=replace(made.crystal, elements=elements))


def test_labels_are_carried_by_the_molecule():
    """Another candidate calls other atoms so, or nothing: the same ranking, and no word is lost."""
    order = [3, 1, 4, 0, 2]
    worse = noisy(0.3, 5)
    straight = [candidate("good", PROTONS), candidate("worse", worse)]
    there = np.argsort(order)
    labels = [*(f"H{1 + there[k]}" for k in range(5)), "C2", "C3", "C1"]
    named = candidate("worse", worse, labels=labels)
    unnamed = candidate("worse", worse, labels=[f"Q{k}" for k in range(8)])
    expected = rank(straight, measured()).candidates
    for other in (named, unnamed):
        found = rank([straight[0], other], measured()).candidates
        assert [c.log_likelihood for c in found] == pytest.approx(
            [c.log_likelihood for c in expected]
        )
        assert found[1].rmse == pytest.approx(expected[1].rmse)
    # The first that has the labels gives them, wherever it stands, or the structure that is named.
    first = rank([unnamed, straight[0]], measured()).candidates
    assert [c.log_likelihood for c in first] == pytest.approx([c.log_likelihood for c in expected])
    alone = rank([unnamed], measured(), labels_from=straight[0].crystal)
    assert alone.candidates[0].log_likelihood == pytest.approx(expected[1].log_likelihood)
    with pytest.raises(ExperimentError, match="is called H1"):
        rank([straight[0]], measured(), labels_from=unnamed.crystal)


def test_labels_of_another_molecule():
    """Each candidate of other molecules is refused in a line, those of the reference are ranked."""
    other = other_molecule()
    items = [candidate("good", PROTONS), other]
    ranking = rank(items, measured(), labels_from=other.crystal)
    assert [c.name for c in ranking.candidates] == ["other"]
    (refused,) = (str(f.error) for f in ranking.failures)
    assert refused.startswith("a.xyz: good: no molecule is C3 H5 O2 bonded as in a.xyz: other")
    assert "\n" not in refused


def test_labels_that_nobody_has():
    unnamed = candidate("unnamed", PROTONS, labels=[f"Q{k}" for k in range(8)])
    ranking = rank([unnamed, unnamed], measured())
    assert ranking.candidates == ()
    assert [str(f.error)[:28] for f in ranking.failures] == ["a.xyz: unnamed: shifts.csv: "] * 2
    assert find_reference([unnamed.crystal], measured()) is None


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


def test_more_sites_are_no_advantage():
    """A copy in P 1, four molecules for one, has the likelihood of the crystal."""
    shieldings = noisy(0.2, 5)
    copy = candidate("P 1", np.repeat(shieldings[None], 4, axis=0).ravel())
    symmetric = candidate("symmetric", shieldings)
    for experiment in (measured(labelled=False), measured()):
        ranking = rank([symmetric, copy], experiment)
        assert ranking.notes == ()
        first, second = ranking.candidates
        assert first.log_likelihood == pytest.approx(second.log_likelihood, abs=0.7)
        # What is shown has one site of each place, too.
        assert first.rmse == pytest.approx(second.rmse, abs=0.02)


def test_near_copies_are_one_family():
    items = with_likelihoods(*np.log([0.5, 0.1, 0.3, 0.1]), places=[0, 0.01, 5, 9])
    ranked = weigh(items)
    assert [c.name for c in ranked] == ["0", "1", "2", "3"]
    assert [c.family for c in ranked] == [1, 1, 2, 3]
    # Families have the means 0.3, 0.3, 0.1; members an equal share.
    assert [c.family_probability for c in ranked] == pytest.approx([3 / 7, 3 / 7, 3 / 7, 1 / 7])
    assert [c.probability for c in ranked] == pytest.approx([1.5 / 7, 1.5 / 7, 3 / 7, 1 / 7])
    copies = rank_all([candidate("a", PROTONS), candidate("b", noisy(0.2, 1))], measured())
    assert [c.family for c in copies.candidates] == [1, 1]
    # Calculated shieldings see smaller differences.
    moved = candidate("b", noisy(0.2, 1), width=0.0)
    places = moved.crystal.positions + 0.05 * np.random.default_rng(1).normal(size=(10, 3))
    moved = replace(moved, crystal=replace(moved.crystal, positions=places))
    stated = rank_all([candidate("a", PROTONS, width=0.0), moved], measured())
    assert sorted(c.family for c in stated.candidates) == [1, 2]
    assert copies.notes == ("all candidates are near copies of each other: shifts cannot decide",)


def test_hydrogens_moved_in_some_candidates_only_is_said():
    one = candidate("x-ray", PROTONS)
    one = replace(one, crystal=replace(one.crystal, moved=np.zeros(len(one.crystal))))
    ranking = rank([one, candidate("relaxed", PROTONS)], measured())
    assert any("of 1 of 2 candidates were moved" in text for text in ranking.notes)
    assert rank([one, one], measured()).notes == ()


def test_the_model_is_stated():
    ranking = rank([candidate("a", PROTONS)], measured(), theory_errors={"H": 1})
    assert "summed over all assignments" in ranking.model
    assert ranking.theory_errors == {"H": 1}
    narrow = rank([candidate("a", PROTONS)], measured(), theory_errors={}).candidates[0]
    assert ranking.candidates[0].expected_rmse["1H"] > narrow.expected_rmse["1H"]


class Unmoved:
    """What looking at labels needs of a predictor."""

    allow, hydrogens, symmetry_tolerance = ("hydrogens",), "keep", None


def test_candidates_without_the_labels_are_refused_before_they_are_predicted():
    good, odd = candidate("good", PROTONS), other_molecule()
    naming = Naming(good.crystal, measured(), DEFAULT_EXCHANGE)
    check_labels(Unmoved(), good.crystal, experiment=measured(), naming=naming)
    with pytest.raises(ExperimentError, match="no molecule is C3 H5 N O"):
        check_labels(Unmoved(), odd.crystal, experiment=measured(), naming=naming)


def test_ranked_by_predicted_shieldings_and_by_those_of_the_files():
    """Each has its own probabilities; a file without shieldings is said to have none."""
    labels, places = amino_alcohol()
    crystal = crystal_of(labels, places)
    peaks = tuple(Peak((f"C{k}",), "13C", shift) for k, shift in ((1, 66.0), (2, 21.0), (3, 48.0)))
    right = np.zeros(len(crystal))
    for peak in peaks:
        right[[k for k, own in enumerate(crystal.labels) if own in peak.labels]] = 170 - peak.shift
    wrong = right + 15.0 * (np.arange(len(crystal)) % 14 == 0)
    files = [("a", wrong, right), ("b", right, wrong), ("c", wrong, None)]
    predictions = [
        predicted(replace(crystal, name=name, shieldings=stated), values)
        for name, values, stated in files
    ]
    experiment = Experiment(peaks, "x.csv")
    ranking = rank(predictions, experiment, tolerance=0.0, beside=True)
    assert ranking.candidates[0].name == "b"
    assert [c.name for c in ranking.stated.candidates[:1]] == ["a"]
    assert ranking.stated.stated is None
    assert any("the files of 2 of 3 candidates" in note for note in ranking.notes)
    (record, *others) = ranking_table(ranking, 3).records()
    assert record["file_rmse"]["13C"] == pytest.approx(
        ranking.stated.candidates[1].rmse["13C"], abs=1e-3
    )
    assert {r["name"]: r["file_probability"] is None for r in others} == {"a": False, "c": True}
    assert rank(predictions, experiment).stated is None
