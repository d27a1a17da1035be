"""Kinds, intensities and cross peaks leave fewer assignments."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.errors import ExperimentError
from shiftcli.nmr.averaging import average
from shiftcli.nmr.candidates import Naming, pose_candidate
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.kinds import describe
from shiftcli.nmr.question import RESOLVED, compare_described, level
from shiftcli.nmr.ranking import rank
from shiftcli.nmr.shifts import References

LABELS, PLACES = amino_alcohol()
CRYSTAL = crystal_of(LABELS, PLACES)
#: All hydrogens alike, all carbons too, so that only what the rows say can decide.
VALUES = np.array([{"H": 27.0, "C": 120.0}.get(e, 200.0) for e in CRYSTAL.elements.tolist()])
REFERENCES = References({"H": 30.0, "C": 170.0})


def held(*peaks, bonded=(), near=(), values=VALUES):
    rows = average(predicted(CRYSTAL, values))
    around = describe(CRYSTAL, rows, near=bool(near))
    experiment = Experiment(tuple(peaks), "e.csv", (), tuple(bonded), tuple(near))
    found = compare_described(rows, around, experiment, references=REFERENCES, theory_errors={})
    return [row.site for row in found.rows]


def test_kinds_and_intensities():
    peaks = [
        Peak((), "1H", 3.0, kinds=("OH",)), Peak((), "1H", 3.0, protons=3),
        Peak((), "1H", 3.0, kinds=("CH",)), Peak((), "1H", 3.0, kinds=("NH",)),
    ]  # fmt: skip
    found = held(*peaks)
    assert found[:3] == ["H3", "H2a,H2b,H2c", "H1"]
    assert found[3] in ("H5a", "H5b")
    carbons = [Peak((), "13C", 50.0, kinds=(kind,)) for kind in ("CH2", "CH3", "CH")]
    assert held(*carbons) == ["C3", "C2", "C1"]


@pytest.mark.parametrize(
    ("peaks", "words"),
    [
        ([Peak((), "1H", 3.0, None, 4, kinds=("aromatic",))], "line 4: 3 ppm is of aromatic, and"),
        (
            [Peak(("H1",), "1H", 3.0, None, 4, kinds=("CH3",))],
            "line 4: H1 is not what its row says",
        ),
        ([Peak((), "1H", 3.0, protons=3)] * 2, "cannot all have sites of their kinds"),
        ([Peak(("H1",), "1H", 3.0, None, 4, protons=2)], "line 4: H1 is of 2 protons here, and"),
    ],
)
def test_peaks_that_fit_no_site(peaks, words):
    with pytest.raises(ExperimentError) as caught:
        held(*peaks)
    assert words in str(caught.value)
    assert str(caught.value).startswith("e.csv")


def test_cross_peaks_of_bonded_and_near_atoms():
    peaks = [Peak((), "13C", 50.0, kinds=("CH3",)), Peak((), "1H", 3.0)]
    assert held(*peaks, bonded=[(0, 1)]) == ["C2", "H2a,H2b,H2c"]
    peaks = [Peak((), "13C", 50.0), Peak((), "1H", 3.0, kinds=("CH",))]
    assert held(*peaks, bonded=[(0, 1)]) == ["C1", "H1"]
    peaks = [Peak((), "13C", 50.0, kinds=("CH2",)), Peak((), "1H", 3.0, kinds=("NH",))]
    assert held(*peaks, near=[(0, 1)])[1] in ("H5a", "H5b")
    with pytest.raises(ExperimentError, match="cross peaks between neighbours"):
        held(*peaks, bonded=[(0, 1)])
    peaks = [Peak(("C2",), "13C", 50.0, None, 3), Peak(("H1",), "1H", 3.0)]
    with pytest.raises(
        ExperimentError, match="line 3: C2 and H1 have a cross peak and are not bon"
    ):
        held(*peaks, bonded=[(0, 1)])


def test_bad_peaks_fail_one_candidate_and_the_others_are_ranked():
    """A candidate without the hydroxyl, whose peak it must have."""
    other = crystal_of([*LABELS[:6], "N2", "H3", *LABELS[8:]], PLACES, name="amine")
    items = [predicted(other, VALUES), predicted(CRYSTAL, VALUES)]
    experiment = Experiment((Peak((), "1H", 3.0, None, 2, kinds=("OH",)),), "e.csv")
    ranking = rank(items, experiment)
    assert [c.name for c in ranking.candidates] == ["made"]
    (failure,) = ranking.failures
    assert "line 2: 3 ppm is of OH, and no 1H site is that" in str(failure.error)


def test_intensities_of_labels_are_counted_over_all_of_them():
    peaks = Peak(("H4a", "H4b"), "1H", 3.0, protons=2), Peak(("H2b",), "1H", 3.0, protons=3)
    assert held(*peaks) == ["H4a+H4b", "H2a,H2b,H2c"]
    wrong = Experiment((Peak(("H1",), "1H", 3.0, None, 4, protons=2),), "e.csv")
    (failure,) = rank([predicted(CRYSTAL, VALUES)], wrong).failures
    assert "line 4: H1 is of 2 protons here, and of 1 in the structure" in str(failure.error)


def test_what_rows_say_counts_for_the_likelihood():
    """The kind of one peak tells two candidates apart that shifts alone do not."""
    shifted = VALUES.copy()
    for label, value in (("H3", 24.0), ("H1", 29.0)):
        shifted[[k for k, own in enumerate(CRYSTAL.labels) if own == label]] = value
    swapped = VALUES.copy()
    for label, value in (("H3", 29.0), ("H1", 24.0)):
        swapped[[k for k, own in enumerate(CRYSTAL.labels) if own == label]] = value
    items = [predicted(CRYSTAL, shifted), predicted(CRYSTAL, swapped)]
    blind = Experiment((Peak((), "1H", 6.0, 0.1), Peak((), "1H", 3.0, 0.1)), "e.csv")
    first, second = rank(items, blind, references=REFERENCES, tolerance=0).candidates
    assert first.probability < 0.7
    told = Experiment((Peak((), "1H", 6.0, 0.1, kinds=("OH",)), blind.peaks[1]), "e.csv")
    first, second = rank(items, told, references=REFERENCES, tolerance=0).candidates
    assert first.probability > 0.9
    assert first.log_likelihood > second.log_likelihood


def posed(values, width=1.0):
    """The 13C question of a candidate, its three carbons with labels."""
    item = predicted(CRYSTAL, np.where(CRYSTAL.elements == "C", 0.0, VALUES), width)
    of_label = dict(zip(("C1", "C2", "C3"), values, strict=True))
    item = replace(
        item,
        sites=tuple(
            replace(row, shielding=of_label.get(row.site.label, row.shielding))
            for row in item.sites
        ),
    )
    peaks = tuple(Peak((label,), "13C", 170.0 - v) for label, v in of_label.items())
    peaks += tuple(Peak((label,), "1H", 3.0) for label in ("H1", "H3"))
    naming = Naming(CRYSTAL, Experiment(peaks, "e.csv"), ())
    return pose_candidate(item, naming)[0].question


def carbons(question):
    (own,) = (n for n in question.nuclei if len(n.places) == 3)
    return -own.predicted[question.ways[0][list(own.places)]]


def test_small_differences_of_carbons_are_drawn_to_the_mean_and_large_ones_stay():
    """d³/(d² + 0.7²) for each difference to the mean, less what all atoms share."""
    before = np.array([[100.0, 150.0, 70.0], [101.2, 149.4, 69.4], [100.0, 150.0, 70.0]])
    before[2] += 5.0  # the offset takes it up
    questions = [posed(own) for own in before]
    after = np.array([carbons(own) for own in level(questions)])
    apart = before - before.mean(axis=0)
    shared = apart.mean(axis=1, keepdims=True)
    apart -= shared
    expected = before.mean(axis=0) + shared + apart**3 / (apart**2 + RESOLVED["C"] ** 2)
    assert after == pytest.approx(expected)
    far = [posed([100.0, 150.0, 70.0]), posed([140.0, 130.0, 50.0])]
    assert carbons(level(far)[1]) == pytest.approx([140.0, 130.0, 50.0], abs=0.05)
    (alone,) = level(questions[:1])
    assert carbons(alone) == pytest.approx(before[0])
    # Shieldings that were not predicted are as they are, and so are hydrogens.
    stated = [posed(own, width=0.0) for own in before]
    assert [carbons(own).tolist() for own in level(stated)] == [carbons(s).tolist() for s in stated]
    hydrogens = [next(n for n in q.nuclei if len(n.places) == 2) for q in (*questions, *stated)]
    assert not any(own.resolved for own in hydrogens)


def test_copies_of_a_molecule_have_places_in_common():
    """Two distinct molecules: each carbon of one has its place in the graph from the other."""
    two = crystal_of(LABELS, PLACES, PLACES)
    values = np.where(two.elements == "C", 120.0, 27.0)
    experiment = Experiment((Peak((), "13C", 50.0),), "e.csv")
    question = pose_candidate(predicted(two, values), Naming(two, experiment, ()))[0].question
    (own,) = question.nuclei
    assert sorted(np.unique(own.equals, return_counts=True)[1]) == [2, 2, 2]
    single = predicted(CRYSTAL, VALUES)
    (one,) = pose_candidate(single, Naming(two, experiment, ()))[0].question.nuclei
    assert set(one.equals.tolist()) == set(own.equals.tolist())
