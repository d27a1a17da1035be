"""The counts of a data set, against counts by hand and those of the published crystals."""

from dataclasses import asdict

import numpy as np
import pytest

from shiftcli.structure.crystal import Crystal
from shiftcli.training.data import collect_samples, drop_outliers, is_validation
from shiftcli.training.report import data_tables, describe
from shiftcli.training.sources import Labelled

#: A CH2 group whose protons are copies of one site, beside OH.
_ELEMENTS = np.array(["C", "H", "H", "O", "H"])
_POSITIONS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [4, 4, 4], [5, 4, 4]], dtype=float)


def crystal(*shieldings):
    return Crystal(
        _ELEMENTS,
        _POSITIONS,
        None,
        ("C1", "H1", "H1", "O1", "H2"),
        site_ids=np.array([0, 1, 1, 2, 3]),
        shieldings=np.array(shieldings, dtype=float),
    )


@pytest.fixture(scope="module")
def labelled():
    nan = np.nan
    main = {
        0: crystal(100, 29, 31, -50, 50),  # validates; its proton of 50 ppm stays
        1: crystal(110, 20, 22, -60, 45),  # 45 ppm is an outlier
        3: crystal(120, nan, 30, -70, 27),  # a proton without its copy's label
    }
    return Labelled(main, {"DFT": {8: crystal(-90, -60, -60, nan, nan)}}, ("one is odd",), "PBE")


def rows_of(report, part):
    return {row.species: row for row in report.rows if row.part == part}


def test_counts_by_hand(labelled):
    report = describe(labelled)
    assert [(r.level, r.part, r.species) for r in report.rows] == [
        ("PBE", "training", "1H"), ("PBE", "training", "13C"), ("PBE", "training", "17O"),
        ("PBE", "validation", "1H"), ("PBE", "validation", "13C"), ("PBE", "validation", "17O"),
        ("DFT", "all", "1H"), ("DFT", "all", "13C"), ("DFT", "all", "17O"),
    ]  # fmt: skip
    proton = asdict(rows_of(report, "training")["1H"])
    # Left are 21 ppm, twice, and 27 ppm: mean 23, variance (4 + 4 + 16) / 3.
    assert proton == {
        "level": "PBE", "part": "training", "species": "1H", "crystals": 2, "atoms": 6,
        "distinct": 4, "labelled": 3, "unlabelled": 1, "outliers": 1,
        "lowest": 21.0, "highest": 27.0, "mean": 23.0, "std": pytest.approx(8**0.5),
    }  # fmt: skip
    proton = rows_of(report, "validation")["1H"]
    assert (proton.crystals, proton.atoms, proton.outliers, proton.highest) == (1, 3, 0, 50)
    assert proton.mean == pytest.approx((30 + 30 + 50) / 3)
    carbon = rows_of(report, "training")["13C"]
    assert (carbon.mean, carbon.std, carbon.labelled) == (115, 5, 2)


def test_other_levels_are_not_split_and_keep_their_outliers(labelled):
    rows = rows_of(describe(labelled), "all")
    assert (rows["1H"].labelled, rows["1H"].unlabelled, rows["1H"].outliers) == (1, 1, 0)
    assert rows["1H"].lowest == -60
    oxygen = rows["17O"]
    assert (oxygen.atoms, oxygen.labelled, oxygen.unlabelled) == (1, 0, 1)
    assert oxygen.lowest is oxygen.highest is oxygen.mean is oxygen.std is None


def test_tables(labelled):
    report = describe(labelled)
    main, other, problems = data_tables(report)
    assert [str(t.title) for t in (main, other)] == ["main level PBE", "further level DFT"]
    assert [len(t.rows) for t in (main, other, problems)] == [6, 3, 1]
    cells = main.shown()[1][0]
    assert cells == [
        "training", "1H", "2", "6", "4", "3", "1", "1", "21.00", "27.00", "23.00", "2.83",
    ]  # fmt: skip
    unnamed = describe(Labelled(labelled.main, {}, ()))
    (table,) = data_tables(unnamed)
    assert str(table.title) == "main level"


def test_no_environments_are_built(labelled, monkeypatch):
    monkeypatch.setattr("shiftcli.density.environments.surroundings", None)
    monkeypatch.setattr("shiftcli.training.data.surroundings", None)
    assert describe(labelled).rows


@pytest.mark.parametrize("element", ["H", "C", "O"])
def test_counts_are_those_of_the_samples(labelled, element):
    species = {"H": "1H", "C": "13C", "O": "17O"}[element]
    training = {k: c for k, c in labelled.main.items() if not is_validation(k)}
    samples = drop_outliers(collect_samples(training, element), element)
    row = rows_of(describe(labelled), "training")[species]
    assert row.labelled - row.outliers == len(samples)
    assert row.mean == pytest.approx(np.average(samples.targets, weights=samples.weights))


def test_published_crystals(published):
    report = describe(Labelled(dict(enumerate(published)), {}, ()))
    validation = rows_of(report, "validation")
    # The atoms that every benchmark of this project counts.
    assert {s: r.atoms for s, r in validation.items()} == {
        "1H": 2982, "13C": 2654, "15N": 218, "17O": 582,
    }  # fmt: skip
    assert validation["1H"].crystals == 50
    training = rows_of(report, "training")
    assert {s: (r.crystals, r.atoms, r.distinct) for s, r in training.items()} == {
        "1H": (350, 20935, 7674), "13C": (350, 18470, 6711),
        "15N": (251, 1837, 640), "17O": (328, 3668, 1354),
    }  # fmt: skip
    assert all(r.unlabelled == r.outliers == 0 for r in report.rows)
    everything = np.concatenate([c.shieldings[c.elements == "N"] for c in published])
    lowest = min(training["15N"].lowest, validation["15N"].lowest)
    assert lowest == pytest.approx(everything.min(), abs=0.5)
