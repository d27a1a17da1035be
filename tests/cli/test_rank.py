"""`shiftcli rank`, run as a user runs it."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

#: Of two of its eight hydrogens.
SHIFTS = "site,species,shift,uncertainty\nH1,1H,7.1,0.1\nH2,1H,6.2,0.1\n"


@pytest.fixture(scope="module")
def folder(urea, tmp_path_factory):
    """Ureas with cell and hydrogens distorted, so that every atom is a site of its own."""
    from ase import Atoms
    from ase.io import write

    made = tmp_path_factory.mktemp("candidates")
    rng = np.random.default_rng(3)
    for k, size in enumerate((0.01, 0.02, 0.05)):
        atoms = Atoms(urea.elements.tolist(), urea.positions, cell=urea.cell, pbc=True)
        atoms.set_cell(urea.cell * (1 + size), scale_atoms=True)
        atoms.positions[urea.elements == "H"] += rng.normal(0, size, (8, 3))
        write(made / f"{k}.xyz", atoms, format="extxyz")
    return made


@pytest.fixture
def shifts(tmp_path):
    path = tmp_path / "shifts.csv"
    path.write_text(SHIFTS)
    return path


def test_table(main, folder, shifts, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "ranking.svg"
    done = main("rank", folder, "--experiment", shifts, "--plot", picture)
    assert done.returncode == 0, done.stderr
    assert "3 candidates by" in done.stdout
    assert "1H RMSE" in done.stdout
    assert "0.33 ± 0.16 ppm" in done.stdout
    assert re.search(r"^ *1 +\*", done.stdout, re.MULTILINE)
    assert "cannot be told apart" in done.stdout
    assert picture.read_text().startswith("<?xml")


def test_json_and_failures(main, folder, shifts, tmp_path):
    broken, other = tmp_path / "broken.cif", tmp_path / "methane.xyz"
    broken.write_text("data_x\n")
    other.write_text(
        "5\n\nC 0 0 0\nX 0 0 9\nH 0.63 0.63 0.63\nH -0.63 -0.63 0.63\nH 0.63 -0.63 -0.63\n"
    )
    done = main("rank", broken, folder, other, "--experiment", shifts, "--format", "json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert {"version", "model", "weights", "probability_model"} <= set(document)
    assert "integrated out" in document["probability_model"]["text"]
    assert document["rmse_bands"]["1H"]["mean"] == 0.33
    files = [c["file"] for c in document["candidates"]]
    assert sorted(files) == [str(folder / f"{k}.xyz") for k in range(3)]
    first = document["candidates"][0]
    assert set(first["rmse"]) == set(first["offset"]) == {"1H"}
    assert first["n"] == 2
    assert sum(c["probability"] for c in document["candidates"]) == pytest.approx(1, abs=1e-3)
    assert [f["file"] for f in document["failures"]] == [str(broken), str(other)]
    assert "3 candidates ranked, 2 failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_csv(main, folder, shifts, tmp_path):
    out = tmp_path / "ranking.csv"
    done = main("rank", folder / "*.xyz", "--experiment", shifts, "-o", out, "--precision", "2")
    assert (done.returncode, done.stdout) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert len(rows[0]["1H RMSE/ppm"].partition(".")[2]) <= 2


def test_labels_that_no_candidate_has(main, folder, shifts):
    shifts.write_text(SHIFTS.replace("H1", "HX"))
    done = main("rank", folder, "--experiment", shifts)
    assert done.returncode == 1
    assert "line 2" in done.stderr
    assert "HX" in done.stderr
    assert "0 candidates ranked, 3 failed" in done.stderr
    assert done.stdout == ""
    given = main("rank", folder, "--experiment", shifts, "--assignment", "best")
    assert given.returncode == 0, given.stderr


def test_references_and_theory(main, folder, shifts):
    options = ("--references", "H:30.9", "--theory-error", "none", "--format", "json")
    done = main("rank", folder, "--experiment", shifts, *options)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["probability_model"]["theory_errors"] == {"1H": 0.0}
    assert {round(c["offset"]["1H"], 2) for c in document["candidates"]} == {30.9}


def test_rows_and_columns_are_chosen(main, folder, shifts):
    options = ("--experiment", shifts, "--format", "csv", "--sort", "-rmse.1H")
    chosen = ("--query", "rmse_1H < 100 and rank <= 2", "--columns", "candidate,rmse.1H,1H peaks")
    done = main("rank", folder, *options, *chosen)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == ["candidate", "1H RMSE/ppm", "1H peaks"]
    assert len(rows) == 2
    assert float(rows[0]["1H RMSE/ppm"]) >= float(rows[1]["1H RMSE/ppm"])
    seen = main("rank", folder, "--experiment", shifts, "--columns", "candidate,rmse.1H")
    assert "0.33 ± 0.16 ppm" in seen.stdout
    assert "*" not in seen.stdout


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--sort", "labels"], 2, "no column 'labels'"),
        (["--query", "rmse_13C < 1"], 2, "no column 'rmse_13C'"),
        (["--nucleus", "C"], 2, "no shift of C"),
        (["--theory-error", "H:-1"], 2, "--theory-error"),
        (["--plot", "ranking.gif"], 2, "should end in"),
        (["--format", "xyz"], 2, "xyz"),
        (["--average", "CH4"], 2, "--average"),
        (["-o", "ranking.magres"], 2, "names no format"),
    ],
)
def test_usage_errors(main, folder, shifts, options, status, words):
    done = main("rank", folder, "--experiment", shifts, *options)
    assert done.returncode == status
    assert words in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("site,species,shift\n", "no measured shifts"),
        ("site,species,shift\nH1,1H,7;1\n", "line 2"),
        ('site,species,shift\nH1,1H,"7,1"\n', "decimal comma"),
        ("site,species,shift\nH1,1H,7.1 ppm\n", "line 2"),
    ],
)
def test_malformed_experiments(main, folder, shifts, text, words):
    shifts.write_text(text)
    done = main("rank", folder, "--experiment", shifts)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_killed_run_goes_on(folder, shifts, tmp_path, main):
    """Killed without warning, the next run takes what was done and ends like one never killed."""
    many = tmp_path / "many.xyz"
    text = (folder / "2.xyz").read_text()
    many.write_text("".join(text.replace("5.8", f"5.8{k}") for k in range(6)))
    work = tmp_path / "work"
    arguments = ["rank", str(many), "--experiment", str(shifts), "--format", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "shiftcli", *arguments, "--work", str(work)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    lines = work / "manifest.jsonl"
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if lines.exists() and lines.read_bytes().count(b"\n") >= 3:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    stdout, _ = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("on a busy machine it ended before it could be killed")
    assert (process.returncode, stdout) == (-signal.SIGKILL, b"")
    done = lines.read_bytes().count(b"\n") - 1  # the first says what run it is
    assert 2 <= done < 6
    again = main(*arguments, "--work", work)
    assert again.returncode == 0, again.stderr
    assert f"shieldings of {done} structures taken" in again.stderr
    assert again.stdout == main(*arguments).stdout


def test_probabilities_are_never_rounded_to_certainty():
    from shiftcli.nmr.assignment import Comparison
    from shiftcli.nmr.experiment import Experiment
    from shiftcli.nmr.gathering import Candidate
    from shiftcli.nmr.ranking import Ranking
    from shiftcli.results.rankings import ranking_table

    blank = Comparison((), (), (), (), 0.0, 0.0)
    values = (1 - 1e-9, 1e-9)
    candidates = tuple(
        Candidate("a.cif", "", "", blank, 0.0, value, family_probability=value) for value in values
    )
    table = ranking_table(Ranking(candidates, (), Experiment(())), 2)
    columns, cells = table.shown()
    place = [column.key for column in columns].index("family_probability")
    assert [row[place] for row in cells] == ["> 99.9 %", "< 0.1 %"]


def test_shieldings_of_the_files(main, folder, tmp_path):
    """A set with GIPAW's numbers is ranked by these; without them each file is refused."""
    from ase.io import read, write

    shifts = tmp_path / "shifts.csv"
    shifts.write_text("species,shift\n1H,7.0\n1H,6.0\n")
    for k in range(2):
        atoms = read(folder / f"{k}.xyz")
        atoms.set_array("CS", 24.0 + k * (np.arange(len(atoms)) % 3))
        write(tmp_path / f"{k}.xyz", atoms, format="extxyz")
    options = ("--experiment", shifts, "--shieldings", "file", "--format", "json")
    done = main("rank", tmp_path / "0.xyz", tmp_path / "1.xyz", *options)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["model"], document["weights"]) == ("shieldings of the files", {})
    assert len(document["candidates"]) == 2
    both = main("rank", tmp_path / "0.xyz", *options[:3], "both", *options[4:])
    assert both.returncode == 0, both.stderr
    (candidate,) = json.loads(both.stdout)["candidates"]
    assert candidate["file_rmse"]["1H"] > 0
    assert candidate["file_probability"] == 1
    refused = main("rank", folder, *options)
    assert refused.returncode == 1
    assert "no shieldings are in the file" in refused.stderr


def test_named_references_are_listed(main):
    done = main("rank", "-", "--experiment", "-", "--references", "list")
    assert done.returncode == 0, done.stderr
    assert "probasn: 1H 30.96, 13C 168.64" in done.stdout
    assert "Cordova" in done.stdout


def test_standard_input_is_ranked_like_files(main, folder, shifts, tmp_path, monkeypatch):
    files = sorted(folder.glob("*.xyz"))
    content = b"".join(file.read_bytes() for file in files)
    together = tmp_path / "together.xyz"
    together.write_bytes(content)
    options = ("--experiment", shifts, "--format", "json")
    expected = main("rank", together, *options)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    done = main("rank", "-", *options)
    assert done.returncode == expected.returncode == 0, done.stderr
    for made in (done, expected):
        made.candidates = json.loads(made.stdout)["candidates"]
    assert len(done.candidates) == 3
    for ours, theirs in zip(done.candidates, expected.candidates, strict=True):
        assert ours["name"] == theirs["name"]
        assert ours["log_likelihood"] == theirs["log_likelihood"]
