"""Predicted against measured shifts: offsets, assignments, what a difference should be."""

import math
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import ExperimentError
from shiftcli.nmr.assignment import ALTERNATIVE_LIMIT, GIPAW_ERRORS, compare
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.naming import match, merge_named
from shiftcli.nmr.shifts import References, parse_references
from shiftcli.prediction.predictor import SitePrediction
from shiftcli.structure.crystal import Site


def group(name, shielding, uncertainty=0.5, element=None, multiplicity=4, aliases=()):
    """One group; its element is the letter that its name begins with."""
    labels = tuple(name.split(","))
    element = element or name[0]
    atoms = np.arange(multiplicity)
    members = tuple(Site(label, element, atoms) for label in labels) if len(labels) > 1 else ()
    return SitePrediction(
        Site(name, element, atoms), shielding, uncertainty, 2 * uncertainty, (),
        "CH3" if len(labels) == 3 else "", members, frozenset(labels + tuple(aliases)),
    )  # fmt: skip


def experiment(*rows):
    """Measured shifts from (site, shift) or (site, shift, uncertainty); 1H unless C is named."""
    peaks = []
    for line, (site, shift, *uncertainty) in enumerate(rows, 2):
        species = "13C" if site.startswith("C") else "1H"
        labels = tuple(site.strip("C").split("+")) if site.strip("C") else ()
        peaks.append(
            Peak(
                tuple(f"C{x}" if species == "13C" else x for x in labels), species, shift,
                *(uncertainty or [None]), line,
            )
        )  # fmt: skip
    return Experiment(tuple(peaks), "e.csv")


GROUPS = (
    group("H1", 20.0), group("H2", 24.0), group("H11,H12,H13", 29.0, 0.3, multiplicity=12),
    group("C1", 40.0, 3.0), group("C2", 130.0, 3.0),
)  # fmt: skip


def test_stated_assignment_and_fitted_offset():
    measured = experiment(("H1", 10.1), ("H2", 5.9), ("H11+H12+H13", 1.0))
    found = compare(GROUPS, measured)
    assert [row.site for row in found.rows] == ["H1", "H2", "H11,H12,H13"]
    assert [row.groups for row in found.rows] == [(0,), (1,), (2,)]
    assert not any(row.assigned for row in found.rows)
    (fit,) = found.fits
    variances = np.array([0.5, 0.5, 0.3]) ** 2 + GIPAW_ERRORS["H"] ** 2
    needed = np.array([30.1, 29.9, 30.0])
    assert fit.offset == pytest.approx(np.average(needed, weights=1 / variances), abs=1e-5)
    assert fit.offset_error == pytest.approx((1 / variances).sum() ** -0.5, abs=1e-5)
    assert (fit.slope, fit.n) == (-1.0, 3)
    differences = fit.offset - needed
    assert [row.difference for row in found.rows] == pytest.approx(differences.tolist())
    assert fit.rmse == pytest.approx(np.sqrt((differences**2).mean()))
    assert fit.mae == pytest.approx(np.abs(differences).mean())
    shifts = np.array([10.1, 5.9, 1.0])
    assert fit.r2 == pytest.approx(
        1 - (differences**2).sum() / ((shifts - shifts.mean()) ** 2).sum()
    )
    assert found.chi2 == pytest.approx((differences**2 / variances).sum(), rel=1e-4)
    assert found.fitted == 1
    assert (found.alternatives, found.unmatched, found.notes) == ((), (), ())
    assert [row.multiplicity for row in found.rows] == [4, 4, 12]


def test_deviance_is_minus_two_log_likelihood():
    from scipy.stats import norm

    measured = experiment(("H1", 10.4, 0.2), ("H2", 5.7))
    found = compare(GROUPS, measured, references=References({"H": 30.0}))
    expected = 0.0
    for row in found.rows:
        measured_error = row.measured_uncertainty or 0.0
        sigma = math.sqrt(row.uncertainty**2 + 0.4**2 + measured_error**2)
        assert row.sigma == pytest.approx(sigma, abs=1e-5)
        expected -= 2 * norm.logpdf(row.difference, scale=sigma)
    assert found.deviance == pytest.approx(expected, abs=1e-4)


def test_fixed_references_are_not_fitted():
    measured = experiment(("H1", 12.0), ("C1", 120.0))
    found = compare(GROUPS, measured, references=parse_references("H:30.96", "H:-0.95"))
    proton, carbon = found.fits
    assert proton.offset_error is None
    assert found.rows[0].predicted == pytest.approx((30.96 - 0.95 * 20.0) / (1 - 30.96e-6))
    assert carbon.offset_error is not None
    assert found.rows[1].difference == pytest.approx(0.0)
    assert found.fitted == 1


def test_slope_beside_a_fitted_offset():
    measured = experiment(("H1", 11.0), ("H2", 7.4), ("H11", 2.9))
    references = parse_references("", "H:-0.9", alone=True)
    found = compare(GROUPS, measured, references=references)
    assert found.fits[0].slope == -0.9
    assert found.fits[0].offset == pytest.approx(29.0)
    assert found.rows[0].uncertainty == pytest.approx(0.45)
    assert found.fits[0].rmse == pytest.approx(0.0, abs=1e-9)


def test_peaks_without_a_site_are_assigned():
    measured = experiment(("", 1.2), ("", 9.8), ("", 6.1), ("C", 3.0), ("C", 94.0))
    found = compare(GROUPS, measured)
    assert [row.site for row in found.rows] == ["H11,H12,H13", "H1", "H2", "C2", "C1"]
    assert all(row.assigned for row in found.rows)
    assert [fit.species for fit in found.fits] == ["1H", "13C"]


def test_stated_and_found_assignments_together():
    """H1 is taken, though the free peak would fit there better."""
    measured = experiment(("H1", 9.0), ("", 10.0))
    found = compare(GROUPS, measured, references=References({"H": 30.0}))
    assert [row.site for row in found.rows] == ["H1", "H2"]
    assert [row.assigned for row in found.rows] == [False, True]
    assert found.unmatched == ("H11,H12,H13",)


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(2)
    groups = [group(f"H{k}", float(x)) for k, x in enumerate(rng.uniform(20, 30, 12))]
    rows = [("", float(30 - g.shielding + rng.normal(0, 0.3))) for g in groups[:9]]
    there = compare(groups, experiment(*rows))
    back = compare(groups, experiment(*rows[::-1]))
    assert [row.site for row in back.rows] == [row.site for row in there.rows][::-1]
    assert back.deviance == pytest.approx(there.deviance, abs=0.02)


def test_differences_are_as_large_as_sigma_says():
    """With fitted offsets of few peaks, too: standardised differences have variance 1."""
    rng = np.random.default_rng(11)
    widths = np.array([0.3, 0.6, 0.9])
    groups = [group(f"H{k}", 25.0 + k, w) for k, w in enumerate(widths)]
    scores = []
    for _ in range(400):
        errors = rng.normal(0, np.hypot(widths, 0.4))
        rows = [(g.labels[0], 31.0 - g.shielding + e) for g, e in zip(groups, errors, strict=True)]
        found = compare(groups, experiment(*rows))
        scores.append([row.difference / row.sigma for row in found.rows])
    assert np.mean(np.square(scores), axis=0) == pytest.approx(np.ones(3), abs=0.2)
    flags = np.abs(scores) > 2
    assert 0.02 < flags.mean() < 0.08


@pytest.mark.parametrize(("shift", "flag"), [(10.0, ""), (11.0, ""), (11.5, ">2σ"), (8.0, ">3σ")])
def test_flags(shift, flag):
    measured = experiment(("H1", shift))
    (row,) = compare(GROUPS, measured, references=References({"H": 30.0})).rows
    assert row.flag == flag


def test_one_shift_and_a_fitted_offset_say_nothing():
    found = compare(GROUPS, experiment(("H1", 99.0)))
    assert found.rows[0].difference == pytest.approx(0.0)
    assert (found.rows[0].flag, found.rows[0].sigma) == ("", 0.0)
    assert found.fits[0].r2 is None
    assert "takes up the whole difference" in found.notes[0]


def test_few_peaks_without_a_site_are_noted():
    found = compare(GROUPS, experiment(("", 10.0), ("", 6.0)))
    assert "2 1H shifts that name no site for 3 sites" in found.notes[0]
    fixed = compare(GROUPS, experiment(("", 10.0), ("", 6.0)), references=References({"H": 30.0}))
    assert fixed.notes == ()


def test_alternatives_as_good():
    groups = [group("H1", 20.0), group("H2", 20.3), group("H3", 26.0)]
    measured = experiment(("", 10.1), ("", 9.6), ("H3", 4.0))
    found = compare(groups, measured)
    assert [row.site for row in found.rows] == ["H1", "H2", "H3"]
    (other,) = found.alternatives
    assert (other.rows, other.sites) == ((0, 1), ("H2", "H1"))
    swapped = compare(groups, experiment(("H2", 10.1), ("H1", 9.6), ("H3", 4.0)))
    assert other.increase == pytest.approx(swapped.deviance - found.deviance, abs=1e-6)
    assert 0 < other.increase < ALTERNATIVE_LIMIT


def test_peak_of_several_sites_is_at_their_mean():
    """H1 has four atoms in the cell, the methyl group twelve."""
    found = compare(
        GROUPS, experiment(("H1+H11+H12+H13", 3.25)), references=References({"H": 30.0})
    )
    (row,) = found.rows
    assert row.site == "H1+H11,H12,H13"
    assert row.shielding == pytest.approx((20 * 4 + 29 * 12) / 16)
    assert (row.groups, row.multiplicity) == ((0, 2), 16)
    assert found.unmatched == ("H2",)


def test_rows_of_one_group_are_one_peak():
    measured = experiment(("H11", 1.0), ("H1", 10.0), ("H12", 1.0), ("H13", 1.0))
    merged = merge_named(GROUPS, measured)
    assert [peak.labels for peak in merged.peaks] == [("H11", "H12", "H13"), ("H1",)]
    assert compare(GROUPS, measured).fits[0].n == 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("H11", 1.0), ("H12", 1.4)], "two measured shifts: 1 ppm (line 2) and 1.4 ppm (line 3)"),
        ([("H11", 1.0), ("H12", 1.4)], "--average none keeps them apart"),
        ([("H1+H2", 8.0), ("H2", 8.0)], "H2 has two measured shifts"),
        ([("H9", 1.0)], "e.csv: line 2: no 1H site is called H9 (there is H1, H2"),
        ([("h1", 1.0)], "there is H1"),
        ([("C1", 1.0), ("C5", 1.0)], "line 3: no 13C site is called C5 (there is C1, C2)"),
        ([("", 1.0)] * 4, "4 1H shifts are measured, the structure has 3 1H sites "
          "(H11,H12,H13 count as one)"),
        ([("H1", 10.0), ("H2", 10.0), ("H11", 1.0), ("", 1.0)], "4 1H shifts are measured"),
    ],
)  # fmt: skip
def test_experiments_that_do_not_fit(rows, words):
    with pytest.raises(ExperimentError) as caught:
        compare(GROUPS, experiment(*rows))
    assert words in str(caught.value)
    assert str(caught.value).startswith("e.csv")


def test_label_of_another_element():
    with pytest.raises(ExperimentError, match="line 2: C1 is 13C, not 1H"):
        compare(GROUPS, Experiment((Peak(("C1",), "1H", 9.0, None, 2),), "e.csv"))


def test_nucleus_that_was_not_predicted():
    with pytest.raises(ExperimentError, match="no 13C was predicted"):
        compare(GROUPS[:3], experiment(("C1", 9.0)))
    with pytest.raises(ExperimentError, match=r"has 0 13C sites \(no 13C was predicted"):
        compare(GROUPS[:3], experiment(("C", 9.0)))


def test_labels_of_symmetry_copies_and_of_several_sites():
    groups = [group("H1", 20.0, aliases=["H5"]), group("H2", 21.0), group("H2", 22.0)]
    assert match(groups, Peak(("H5", "H1"), "1H", 5.0)) == (0,)
    with pytest.raises(ExperimentError, match="2 sites are called H2"):
        match(groups, Peak(("H2",), "1H", 5.0))
    # The copy's label is another site's own: that one is meant.
    groups = [group("H1", 20.0, aliases=["H2"]), group("H2", 21.0)]
    assert match(groups, Peak(("H2",), "1H", 5.0)) == (1,)


def test_flags_of_the_prediction_stay():
    marked = replace(GROUPS[0], flags=("hydrogens-missing",))
    found = compare((marked, GROUPS[1]), experiment(("H1", 10.0), ("H2", 6.0)))
    assert [row.flags for row in found.rows] == [("hydrogens-missing",), ()]


def test_unknown_uncertainties_count_as_none():
    groups = [group("H1", 20.0, math.nan), group("H2", 21.0, math.nan)]
    found = compare(groups, experiment(("H1", 10.0), ("H2", 9.0)), theory_errors={})
    assert all(math.isfinite(row.sigma) for row in found.rows)
    assert found.fits[0].offset == pytest.approx(30.0)


def test_no_peaks():
    found = compare(GROUPS, Experiment((), "e.csv"))
    assert (found.rows, found.fits, found.chi2, found.deviance) == ((), (), 0, 0)
