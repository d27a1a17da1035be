"""A structure held against measured shifts, by predicted shieldings and by those of its file."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.nmr.comparison import compare_prediction
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.shifts import References
from shiftcli.results.comparisons import comparison_tables
from shiftcli.structure.numbering import label_by_molecule

CRYSTAL = crystal_of(*amino_alcohol())
VALUES = np.where(CRYSTAL.elements == "C", 100.0, 25.0) + np.arange(len(CRYSTAL)) % 14
REFERENCES = References({"C": 170.0, "H": 30.0})
PEAKS = (Peak(("C1",), "13C", 70.0), Peak(("C2",), "13C", 68.0), Peak(("H1",), "1H", 4.0))


def compared(stated, peaks=PEAKS):
    prediction = predicted(replace(CRYSTAL, shieldings=stated), VALUES)
    return compare_prediction(
        prediction, Experiment(peaks, "x.csv"), exchange=(), references=REFERENCES, beside=True
    )


def test_the_files_shieldings_stand_beside_with_the_error_of_gipaw_alone():
    found = compared(np.where(CRYSTAL.elements == "C", 101.0, np.nan))
    assert [row.site for row in found.comparison.rows] == ["C1", "C2", "H1"]
    first, second, third = found.beside
    assert (first.shielding, second.shielding, third) == (101.0, 101.0, None)
    assert first.uncertainty == 0.0
    assert first.sigma == pytest.approx(2.2, abs=1e-3)
    assert found.comparison.rows[0].sigma == pytest.approx(np.hypot(2.2, 0.4), abs=1e-3)
    (sites, *_) = comparison_tables(found, 2, "x")
    records = sites.records()
    assert [r["file_shielding"] for r in records] == [101.0, 101.0, None]
    assert all(len(row) == len(sites.columns) for row in sites.rows)


def test_another_assignment_is_said():
    loose = tuple(replace(peak, labels=()) for peak in PEAKS[:2])
    swapped = VALUES.copy()
    swapped[CRYSTAL.elements == "C"] = 200.0
    for label, value in (("C1", 102.0), ("C2", 100.0)):
        swapped[[k for k, own in enumerate(CRYSTAL.labels) if own == label]] = value
    found = compared(swapped, loose)
    (sites, *_) = comparison_tables(found, 2, "x")
    assert {r["labels"]: r["file_flag"] for r in sites.records()} == {
        "C1": "is C2", "C2": "is C1",
    }  # fmt: skip


def test_a_file_without_shieldings_is_said_and_has_the_same_columns():
    found = compared(None)
    assert found.stated is None
    assert "no shieldings are in the file" in found.why
    (sites, *_) = comparison_tables(found, 2, "x")
    assert sites.records()[0]["file_shift"] is None
    hydrogens = compared(np.where(CRYSTAL.elements == "O", 300.0, np.nan))
    assert "no shieldings" in hydrogens.why


def test_labels_made_for_a_file_without_any_bring_a_note():
    made = label_by_molecule(CRYSTAL)
    found = compare_prediction(predicted(made, VALUES), Experiment(PEAKS, "x.csv"))
    assert "made.cif: made names no atoms" in " ".join(found.comparison.notes)
    methyl = next(row for row in found.groups if row.kind == "CH3")
    assert methyl.site.label == "H1,H2,H3"  # in any order of the file
    loose = tuple(replace(peak, labels=()) for peak in PEAKS)
    silent = compare_prediction(predicted(made, VALUES), Experiment(loose, "x.csv"))
    assert "names no atoms" not in " ".join(silent.comparison.notes)
