"""Fitted references are those that the shifts were made with, and their errors are right."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import ExperimentError, UsageError
from shiftcli.nmr.calibration import calibrate, fit_references, pair
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.shifts import References, read_references
from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.structure.crystal import SPECIES, Crystal, Site

TRUE = References({"H": 30.5, "C": 170.0}, {"H": -0.96, "C": -1.02})
SHIELDINGS = {"H": (14.0, 20.0, 22.5, 26.0, 29.0), "C": (0.0, 40.0, 60.0, 140.0)}


def structure(element="H", noise=0.0, rng=None, references=TRUE):
    """Groups of one nucleus, and shifts measured on them."""
    groups, peaks = [], []
    for k, shielding in enumerate(SHIELDINGS[element], 1):
        label = f"{element}{k}"
        groups.append(SitePrediction(Site(label, element, np.arange(4)), shielding, 0.5, 1.0))
        error = rng.normal(0, noise) if rng is not None else 0.0
        shift = references.shift(element, shielding) + error
        peaks.append(Peak((label,), SPECIES[element], shift, None, k + 1))
    return groups, Experiment(tuple(peaks), f"{element}.csv")


@pytest.mark.parametrize("element", ["H", "C"])
def test_slope_and_offset_are_found_again(element):
    (fit,) = fit_references([structure(element)]).fits
    assert fit.reference == pytest.approx(TRUE.references[element])
    assert fit.gradient == pytest.approx(TRUE.gradients[element])
    assert fit.rmse == pytest.approx(0.0, abs=1e-9)
    assert fit.reference_error == pytest.approx(0.0, abs=1e-9)
    assert fit.r2 == pytest.approx(1.0)
    assert (fit.n, fit.structures, fit.species) == (len(SHIELDINGS[element]), 1, SPECIES[element])


def test_fixed_slope():
    references = References({"C": 170.0})
    (fit,) = fit_references([structure("C", references=references)], slope="fixed").fits
    assert fit.reference == pytest.approx(170.0)
    assert (fit.gradient, fit.gradient_error) == (-1.0, None)


@pytest.mark.parametrize("slope", ["fitted", "fixed"])
def test_standard_errors_are_the_spread_of_repeated_fits(slope):
    rng = np.random.default_rng(4)
    references = TRUE if slope == "fitted" else References({"H": 30.5})
    fits = [
        fit_references([structure("H", 0.3, rng, references)], slope=slope).fits[0]
        for _ in range(600)
    ]  # fmt: skip
    for value, error, true in (
        ("reference", "reference_error", 30.5), ("gradient", "gradient_error", -0.96),
    ):  # fmt: skip
        if slope == "fixed" and value == "gradient":
            continue
        values = np.array([getattr(fit, value) for fit in fits])
        errors = np.array([getattr(fit, error) for fit in fits])
        assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.1)
        assert values.mean() == pytest.approx(true, abs=4 * values.std() / np.sqrt(600))


def test_several_structures_and_nuclei():
    found = fit_references([structure("H"), structure("C"), structure("H")])
    assert [(fit.element, fit.n, fit.structures) for fit in found.fits] == [
        ("H", 10, 2), ("C", 4, 1),
    ]  # fmt: skip
    assert found.references.references["C"] == pytest.approx(170.0)


def test_file_is_read_back(tmp_path):
    found = fit_references([structure("H", 0.2, np.random.default_rng(0)), structure("C")])
    path = tmp_path / "refs.toml"
    path.write_text(found.to_toml({"program": "shiftcli", "weights": {"a": "f00"}}))
    made = read_references(path)
    assert made.references == found.references.references
    assert made.gradients == found.references.gradients
    assert made.weights == {"f00"}
    table = tomllib.loads(path.read_text())["nucleus"]["H"]
    assert set(table) == {
        "reference", "gradient", "reference_error", "gradient_error", "n", "structures", "rmse",
    }  # fmt: skip


def test_what_cannot_be_fitted_is_left_out():
    groups, experiment = structure("H")
    more, carbons = structure("C")
    peaks = (*experiment.peaks, *carbons.peaks[:2], Peak((), "13C", 5.0))
    both = Experiment(peaks, "e.csv")
    found = fit_references([(groups + more, both)])
    assert [fit.element for fit in found.fits] == ["H"]
    assert found.notes == (
        "e.csv: 1 shifts name no site and are not used",
        "13C is left out: 2 assigned shifts, a fitted slope needs 3",
    )
    assert [f.n for f in fit_references([(groups + more, both)], slope="fixed").fits] == [5, 2]


def test_a_slope_that_the_shifts_do_not_fix_is_doubted():
    groups, experiment = structure("H")
    assert fit_references([(groups, experiment)]).notes == ()
    off = replace(experiment.peaks[1], shift=experiment.peaks[1].shift + 0.5)
    near = [replace(g, shielding=20.0 + 0.3 * k) for k, g in enumerate(groups)]
    wild = replace(experiment, peaks=(experiment.peaks[0], off, experiment.peaks[2]))
    (note,) = fit_references([(near, wild)]).notes
    assert "1H: a gradient of -" in note
    assert "--slope fixed" in note
    assert fit_references([(near, wild)], slope="fixed").notes == ()


def test_nothing_to_fit():
    groups, experiment = structure("H")
    with pytest.raises(ExperimentError, match="a fitted slope needs 3"):
        fit_references([(groups, Experiment(experiment.peaks[:2], "e.csv"))])
    loose = Experiment((Peak((), "1H", 5.0),), "e.csv")
    with pytest.raises(ExperimentError, match=r"^e.csv: 1 shifts name no site.*the column site"):
        fit_references([(groups, loose)])
    same = [SitePrediction(Site(f"H{k}", "H", np.arange(4)), 20.0, 0.5, 1.0) for k in range(1, 6)]
    with pytest.raises(ExperimentError, match="shieldings are all the same"):
        fit_references([(same, experiment)])
    with pytest.raises(ExperimentError, match="no 1H site is called H1"):
        fit_references([(groups[1:], experiment)])


def crystal(name):
    return Crystal(np.array(["H"]), np.zeros((1, 3)), None, ("H1",), source=f"{name}.cif")


def peaks_of(*structures):
    peaks = (Peak(("H1",), "1H", 5.0, None, k, s) for k, s in enumerate(structures, 2))
    return Experiment(tuple(peaks), "e.csv")


def test_pairs_by_order():
    a, b = peaks_of(""), peaks_of("")
    assert pair([crystal("a"), crystal("b")], [a, b]) == [(0, a), (1, b)]
    with pytest.raises(UsageError, match="1 experiments for 2 structures"):
        pair([crystal("a"), crystal("b")], [a])


def test_pairs_by_name():
    both = peaks_of("b", "a", "b")
    found = pair([crystal("a"), crystal("b"), crystal("c")], [both])
    assert sorted((k, [p.line for p in e.peaks]) for k, e in found) == [(0, [3]), (1, [2, 4])]
    with pytest.raises(ExperimentError, match="line 3 names structure 'd', which is none of"):
        pair([crystal("a")], [peaks_of("a", "d")])
    with pytest.raises(ExperimentError, match="line 3 names no structure, which is 2 of those"):
        pair([crystal("a"), crystal("b")], [peaks_of("a", "")])
    with pytest.raises(ExperimentError, match="which is 2 of those"):
        pair([crystal("a"), crystal("a")], [peaks_of("a")])


def test_structures_are_averaged_first():
    """Methane derivatives: three hydrogens of 20, 23 and 26 ppm are one point."""
    elements = np.array(["C", "O", "H", "H", "H"])
    positions = np.array(
        [[0, 0, 0], [1.4, 0, 0], [-0.36, 1.03, 0], [-0.36, -0.51, 0.89], [-0.36, -0.51, -0.89]]
    )
    methoxy = Crystal(elements, positions, None, ("C1", "O1", "H1", "H2", "H3"), source="a.cif")
    values = (50.0, 200.0, 20.0, 23.0, 26.0)
    rows = zip(methoxy.sites, values, strict=True)
    prediction = Prediction(methoxy, tuple(SitePrediction(s, v, 0.5, 1.0) for s, v in rows))
    experiment = Experiment((Peak(("H1", "H2", "H3"), "1H", 8.0),), "e.csv")
    (fit,) = calibrate([prediction], [experiment], slope="fixed").fits
    assert (fit.n, fit.reference) == (1, pytest.approx(31.0, abs=1e-3))
    apart = Experiment((Peak(("H1",), "1H", 8.0),), "e.csv")
    (fit,) = calibrate([prediction], [apart], exchange=(), slope="fixed").fits
    assert fit.reference == pytest.approx(28.0, abs=1e-3)
