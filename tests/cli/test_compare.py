"""`shiftcli compare`, run as a user runs it."""

import csv
import io
import json

import pytest

from shiftcli.results.comparisons import COLUMNS

HEADER = "site,species,shift,uncertainty\n"


@pytest.fixture
def measured(tmp_path):
    path = tmp_path / "shifts.csv"
    path.write_text(HEADER + "H1,1H,7.2,0.1\n,1H,6.6,\n")
    return path


@pytest.fixture
def two_ureas(urea_path, tmp_path):
    text = urea_path.read_text()
    path = tmp_path / "two.cif"
    path.write_text(text + "\n" + text.replace("data_urea", "data_again"))
    return path


def test_table(main, urea_path, measured):
    done = main("compare", urea_path, "--experiment", measured)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("H1 " in line and "7.20 ± 0.10" in line for line in lines)
    assert any("H2 " in line and "6.60" in line and "found" in line for line in lines)
    (fit,) = [line for line in lines if " -1.0000 " in line]
    assert "1H" in fit
    assert "assignments as good" not in done.stdout  # H1 is stated, so nothing can be swapped
    assert done.stderr == ""


def test_json(main, urea_path, tmp_path):
    path = tmp_path / "shifts.csv"
    path.write_text(HEADER + ",1H,7.2,0.1\n,1H,6.6,\n")
    done = main(
        "compare", urea_path, "--experiment", path, "--format", "json",
        "--references", "probasn", "--theory-error", "none", "--precision", "4",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["references"] == {"1H": 30.96, "13C": 168.64}
    assert document["gradients"] == {"1H": -1.0, "13C": -1.0}
    assert document["comparison_model"]["theory_errors"] == {}
    (found,) = document["comparisons"]
    assert [site["labels"] for site in found["sites"]] == ["H1", "H2"]
    site = found["sites"][0]
    assert site["assignment"] == "found"
    assert site["difference"] == pytest.approx(site["shift"] - 7.2, abs=2e-4)
    assert site["sigma"] == pytest.approx((site["uncertainty"] ** 2 + 0.01) ** 0.5, abs=2e-4)
    assert found["fits"]["1H"]["offset_error"] is None
    assert found["fits"]["1H"]["n"] == 2
    (other,) = found["alternatives"]
    assert (other["rows"], other["labels"]) == ([0, 1], ["H2", "H1"])
    assert found["unmatched"] == []
    assert document["failures"] == []
    assert "Sci. Adv. 7, eabk2341" in done.stderr


def test_csv_plot_and_a_structure_that_does_not_fit(main, urea_path, measured, tmp_path):
    pytest.importorskip("matplotlib")
    bad = tmp_path / "bad.cif"
    bad.write_text("data_bad\n")
    out, picture = tmp_path / "out.csv", tmp_path / "out.png"
    done = main(
        "compare", bad, urea_path, "--experiment", measured, "-o", out, "--plot", picture
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["labels"], row["assignment"]) for row in rows] == [
        ("H1", "stated"), ("H2", "found"),
    ]  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"failed: {bad}" in done.stderr
    assert "1 structure compared, 1 failed" in done.stderr


def test_several_structures(main, two_ureas, measured, tmp_path):
    done = main("compare", two_ureas, "--experiment", measured, "--format", "json")
    assert done.returncode == 0, done.stderr
    names = [c["name"] for c in json.loads(done.stdout)["comparisons"]]
    assert names == ["urea", "again"]
    refused = main("compare", two_ureas, "--experiment", measured, "--plot", tmp_path / "a.svg")
    assert refused.returncode == 2
    assert "--plot draws one structure, these files hold 2" in refused.stderr
    assert not (tmp_path / "a.svg").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("H9,1H,7.2,\n", "line 2: no 1H site is called H9 (there is H1, H2)"),
        (",1H,7.2,\n,1H,7,\n,1H,6.8,\n", "3 1H shifts are measured, the structure has 2 1H sites"),
    ],
)
def test_experiments_that_do_not_fit(main, urea_path, tmp_path, text, words):
    path = tmp_path / "shifts.csv"
    path.write_text(HEADER + text)
    done = main("compare", urea_path, "--experiment", path)
    assert done.returncode == 1
    assert f"failed: {urea_path}: urea: {path}: " in done.stderr  # which of several it was
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "the file is empty"), (HEADER + 'H1,1H,"7,2",\n', "line 2: shift '7,2' has a decimal")],
)
def test_unreadable_experiments(main, urea_path, tmp_path, text, words):
    path = tmp_path / "shifts.csv"
    path.write_text(text)
    done = main("compare", urea_path, "--experiment", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--references", "Si:300"], "cannot read 'Si:300'"),
        (["--average", "NH2"], "--average"),
        (["--nucleus", "C"], "no shift of C is in"),
        (["--theory-error", "H:-1"], "--theory-error"),
        (["--plot", "a.gif"], "should end in"),
        (["-o", "out.xyz"], "names no format"),
    ],
)
def test_usage_errors(main, urea_path, measured, options, words):
    done = main("compare", urea_path, "--experiment", measured, *options)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_columns_are_checked_before_anything_is_predicted(main, measured):
    done = main("compare", "nowhere.cif", "--experiment", measured, "--columns", "labels,nonsense")
    assert done.returncode == 2
    assert "no column 'nonsense'" in done.stderr
    assert "nowhere.cif" not in done.stderr
