"""Stated probabilities against how often they are right, where the model of errors is true.

This tests the sums and integrals, not the model: its constants are judged on real candidates.
"""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.nmr.averaging import average
from shiftcli.nmr.candidates import unassigned
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.kinds import describe
from shiftcli.nmr.likelihood import COMMON, FREEDOM
from shiftcli.nmr.ranking import rank

CRYSTAL = crystal_of(*amino_alcohol())
#: How far candidates differ, the width of a prediction, and the error of the theory, in ppm.
SPREAD, WIDTH, THEORY = {"H": 0.6, "C": 4.0}, {"H": 0.4, "C": 3.0}, {"H": 0.4, "C": 2.2}
CANDIDATES = 5


def prediction(values, name=""):
    """Of hydrogens and carbons, the values one a site."""
    made = predicted(replace(CRYSTAL, name=name), np.zeros(len(CRYSTAL)))
    rows = [
        replace(row, shielding=float(v), uncertainty=WIDTH[row.site.element])
        for row, v in zip(made.sites, values, strict=True)
        if row.site.element in WIDTH
    ]
    return replace(made, sites=tuple(rows))


def draw(rng):
    """Predictions of candidates, the first of which is the structure, and its shifts."""
    number = len(CRYSTAL.sites)
    elements = [site.element for site in CRYSTAL.sites]
    spread = np.array([SPREAD.get(e, 0.0) for e in elements])
    start = np.array([{"H": 26.0, "C": 100.0}.get(e, 0.0) for e in elements])
    start = start + spread * rng.normal(scale=3, size=number)
    candidates = [
        prediction(start + spread * rng.normal(size=number), str(k)) for k in range(CANDIDATES)
    ]
    rows = average(candidates[0])
    around = describe(CRYSTAL, rows)
    shared = {key: rng.normal() for own in around for key in (own.place, own.environment)}
    scale = {e: 1.0 / rng.gamma(FREEDOM / 2, 2 / FREEDOM) for e in WIDTH}
    peaks = []
    for row, own in zip(rows, around, strict=True):
        e = row.site.element
        parts = np.sqrt([1 - sum(COMMON[e]), *COMMON[e]])
        off = parts @ [rng.normal(), shared[own.place], shared[own.environment]]
        off = np.sqrt(scale[e]) * (row.uncertainty * off + THEORY[e] * rng.normal())
        shift = {"H": 30.3, "C": 168.0}[e] - row.shielding + off
        peaks.append(Peak(row.labels, row.site.species, float(shift)))
    return candidates, Experiment(tuple(peaks), "e.csv")


@pytest.mark.parametrize(
    ("labelled", "sets"),
    [
        (True, 30),
        pytest.param(True, 150, marks=pytest.mark.slow),
        pytest.param(False, 40, marks=pytest.mark.slow),
    ],
)
def test_stated_probabilities_are_kept(labelled, sets):
    rng = np.random.default_rng(3)
    first, right, held = [], [], []
    for _ in range(sets):
        candidates, experiment = draw(rng)
        experiment = experiment if labelled else unassigned(experiment)
        ranking = rank(candidates, experiment, theory_errors=THEORY, factors={}, tolerance=0.0)
        best = ranking.candidates[0]
        first.append(best.probability)
        right.append(best.name == "0")
        held.append("0" in [c.name for c in ranking.indistinguishable])
    stated, error = np.mean(first), np.sqrt(np.mean(np.multiply(first, np.subtract(1, first))))
    print(
        f"first: stated {stated:.3f}, observed {np.mean(right):.3f}; in the set {np.mean(held):.3f}"
    )
    assert abs(stated - np.mean(right)) < 2.5 * error / np.sqrt(sets)
    assert np.mean(held) > 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / sets)
    assert np.mean(right) > 1.5 / CANDIDATES
