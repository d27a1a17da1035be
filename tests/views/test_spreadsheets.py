"""CSV: the columns, and nothing that a spreadsheet would take for a formula."""

import csv
import io
from dataclasses import replace

import pytest

from shiftcli.views import COLUMNS, render


def rows_of(results):
    return list(csv.DictReader(io.StringIO(render(results, "csv"), newline="")))


def test_columns(results):
    rows = rows_of(results)
    assert tuple(rows[0]) == COLUMNS
    assert [r["labels"] for r in rows] == ["C1", "O1", "N1", "H1", "H2"]
    assert [r["species"] for r in rows] == ["13C", "17O", "15N", "1H", "1H"]
    assert rows[0]["MS_shielding/ppm"] == "10.0"
    assert rows[1]["MS_shielding_uncertainty/ppm"] == "0.41"
    assert rows[1]["MS_shielding_uncertainty95/ppm"] == "1.11"
    assert rows[2]["MS_shift/ppm"] == ""
    shift = float(rows[0]["MS_shift/ppm"])
    assert shift == pytest.approx((168.64 - 10.0) / (1 - 168.64e-6), abs=0.011)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_text_starts_no_formula(predicted, urea, labelled, start):
    text = f"{start}1+1"
    row = rows_of(predicted(replace(labelled([text]), name=text, source=text)))[0]
    seen = "'" + text.replace("\t", "\\t")
    assert (row["file"], row["name"], row["labels"]) == (seen,) * 3


def test_carriage_return_ends_no_row(predicted, labelled):
    (row,) = rows_of(predicted(replace(labelled(["a\r=1+1"]), source="\r=1+1")))
    assert (row["file"], row["labels"]) == ("\\r=1+1", "a\\r=1+1")


@pytest.mark.parametrize("label", ["H1+", "H-1", "a=b", 'H"1"', "H,1", "H 1", " =1", "'H1", "é1"])
def test_other_labels_stay(predicted, labelled, label):
    assert rows_of(predicted(labelled([label])))[0]["labels"] == label


def test_negative_numbers_are_no_formulas(results):
    prediction = results.predictions[0]
    sites = tuple(replace(site, shielding=-12.5) for site in prediction.sites)
    changed = replace(results, predictions=[replace(prediction, sites=sites)])
    assert {row["MS_shielding/ppm"] for row in rows_of(changed)} == {"-12.5"}


def test_precision(results):
    rows = rows_of(replace(results, precision=0))
    assert all(float(r["MS_shielding/ppm"]).is_integer() for r in rows)


def test_standard_input_keeps_its_name(predicted, urea):
    assert {row["file"] for row in rows_of(predicted(replace(urea, source="-")))} == {"-"}
