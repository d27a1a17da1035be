"""Which further measurement would tell most between the families that are left."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.next_measurement import _information
from shiftcli.nmr.ranking import rank
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Prediction
from shiftcli.results.rankings import ranking_table

LABELS, PLACES = amino_alcohol()
CRYSTAL = crystal_of(LABELS, PLACES)
REFERENCES = References({"C": 170.0})
PEAKS = (Peak(("C1",), "13C", 66.0, 0.5),)


def candidate(name, elements="C", **shieldings):
    values = np.where(CRYSTAL.elements == "C", 104.0, 30.0)
    for label, value in shieldings.items():
        values[[k for k, own in enumerate(CRYSTAL.labels) if own == label]] = value
    made = predicted(replace(CRYSTAL, name=name), values, width=1.0)
    sites = tuple(row for row in made.sites if row.site.element in elements)
    return Prediction(made.crystal, sites)


def ranked(*candidates):
    return rank(candidates, Experiment(PEAKS, "x.csv"), references=REFERENCES, tolerance=0.0)


def test_the_peak_in_which_the_candidates_differ():
    ranking = ranked(candidate("a", C2=150.0, C3=120.0), candidate("b", C2=110.0, C3=123.0))
    first, second = ranking.next
    assert (first.sites, second.sites) == (("C2",), ("C3",))
    assert first.open == pytest.approx(1.0)
    assert first.gain == pytest.approx(1.0, abs=0.02)
    assert 0.1 < second.gain < 0.5
    table = ranking_table(ranking, 3)
    assert "to measure next: 13C of C2, expected to tell 1.0 of the 1.0 bits" in table.notes[-1]


def test_a_nucleus_that_was_predicted_and_not_measured():
    ranking = ranked(candidate("a", "CH", H1=35.0), candidate("b", "CH", H1=25.0))
    (whole,) = ranking.next
    assert whole.species == "1H"
    assert "H1" in whole.sites
    assert whole.gain == pytest.approx(1.0, abs=0.02)


def test_nothing_where_nothing_is_left_or_nothing_differs():
    assert ranked(candidate("a"), candidate("b")).next == ()
    assert ranked(candidate("a")).next == ()
    decided = ranked(candidate("a"), candidate("b", C1=60.0))
    assert decided.next == ()


def test_information_of_two_normal_distributions():
    weights = np.array([0.5, 0.5])
    far = _information(weights, np.array([[0.0], [50.0]]), np.ones((2, 1)), False)
    assert far == pytest.approx(1.0)
    # Two unit normals two standard deviations apart: 0.486 bits by quadrature.
    x = np.linspace(-10, 12, 20001)
    p, q = (np.exp(-0.5 * (x - m) ** 2) / np.sqrt(2 * np.pi) for m in (0.0, 2.0))
    mean = 0.5 * (p + q)
    exact = float(0.5 * (p * np.log2(p / mean) + q * np.log2(q / mean)).sum() * (x[1] - x[0]))
    near = _information(weights, np.array([[0.0], [2.0]]), np.ones((2, 1)), False)
    assert near == pytest.approx(exact, abs=0.02)
    # With a free offset, two sites that move together say nothing.
    together = np.array([[0.0, 0.0], [5.0, 5.0]])
    assert _information(weights, together, np.ones((2, 2)), True) == pytest.approx(0.0, abs=1e-9)


def test_differences_that_networks_do_not_see_promise_little():
    """Carbons that differ by 0.5 ppm: GIPAW's own numbers would tell, networks do not."""
    shifted = {"C1": 103.5, "C2": 104.5, "C3": 103.6}
    items = [candidate("a", "CH", H1=27.0), candidate("b", "CH", H1=27.2, **shifted)]
    peaks = (Peak(("H1",), "1H", 3.0), Peak(("H3",), "1H", 3.0))
    found = rank(items, Experiment(peaks, "x.csv"), tolerance=0.0).next
    assert not [one for one in found if one.species == "13C"]
