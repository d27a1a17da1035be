"""`shiftcli predict`, run as a user runs it."""

import csv
import io
import json

import numpy as np
import pytest


def test_table(shiftcli, urea_path):
    done = shiftcli("predict", urea_path)
    assert done.returncode == 0, done.stderr
    assert "C H4 N2 O, Z = 2, model compact" in done.stdout
    assert "σ/ppm" in done.stdout
    assert "±95 %" in done.stdout
    assert "MS_shift/ppm" not in done.stdout
    assert len([line for line in done.stdout.splitlines() if "1H" in line]) == 2


def test_json_with_shifts_and_a_failure(shiftcli, urea_path, tmp_path):
    bad = tmp_path / "bad.cif"
    bad.write_text("data_bad\n")
    done = shiftcli("predict", bad, urea_path, "--format", "json", "--references", "H:30.96")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [f["file"] for f in document["failures"]] == [str(bad)]
    assert len(document["structures"]) == 1
    protons = [s for s in document["structures"][0]["sites"] if s["species"] == "1H"]
    assert all(2 < s["shift"] < 12 for s in protons)
    assert "1 structure predicted, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_file_and_nucleus(shiftcli, urea_path, tmp_path):
    out = tmp_path / "urea.csv"
    done = shiftcli("predict", urea_path, "-o", out, "--nucleus", "13C,N", "--precision", "3")
    assert (done.returncode, done.stdout) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [r["species"] for r in rows] == ["13C", "15N"]
    assert len(rows[0]["MS_shielding/ppm"].partition(".")[2]) <= 3


def test_standard_input(shiftcli, urea_path):
    done = shiftcli("predict", "-", "--format", "csv", stdin=urea_path.read_text())
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [r["labels"] for r in rows] == ["C1", "O1", "N1", "H1", "H2"]


def test_folder(shiftcli, urea_path, tmp_path):
    for name in ("b.cif", "a.cif"):
        (tmp_path / name).write_text(urea_path.read_text())
    done = shiftcli("predict", tmp_path, "--format", "json", "--nucleus", "O")
    files = [s["file"] for s in json.loads(done.stdout)["structures"]]
    assert files == [str(tmp_path / "a.cif"), str(tmp_path / "b.cif")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--references", "Si:300"], "write it like"),
        (["--nucleus", "F"], "is not a list of"),
        (["--device", "cuda:77"], "--device cpu"),
        (["--device", "tpu"], "no device is called"),
        (["--allow", "anything"], "is none of"),
        (["--orientations", "random"], "trained with local frames"),
        (["-o", "out.docx"], "names no format"),
        (["--format", "pdf"], "pdf"),
        (["--views", "0"], "views"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_usage_errors(shiftcli, urea_path, options, words):
    done = shiftcli("predict", urea_path, *options)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_missing_file(shiftcli):
    done = shiftcli("predict", "nowhere.cif")
    assert done.returncode == 1
    assert "nowhere.cif" in done.stderr


def test_names_with_markup_are_literal(shiftcli, urea_path, tmp_path):
    path = tmp_path / "[bold]x[blue].cif"
    path.write_text(urea_path.read_text())
    done = shiftcli("predict", path)
    assert done.returncode == 0
    assert "[bold]x[blue].cif" in done.stdout


def test_override_marks_rows(shiftcli, urea_path, tmp_path):
    path = tmp_path / "short.cif"
    text = urea_path.read_text().replace("H2 H 0.1441 0.6441 -0.0380\n", "")
    path.write_text(text)
    refused = shiftcli("predict", path)
    assert refused.returncode == 1
    assert "--allow hydrogens" in refused.stderr
    allowed = shiftcli("predict", path, "--allow", "hydrogens", "--format", "json")
    assert allowed.returncode == 0, allowed.stderr
    (structure,) = json.loads(allowed.stdout)["structures"]
    assert all("hydrogens-missing" in s["flags"] for s in structure["sites"])


def test_molecule_in_an_sdf_file(shiftcli, tmp_path):
    from ase.build import molecule
    from ase.io.sdf import write_sdf

    write_sdf(tmp_path / "molecule.sdf", molecule("CH3OH"), title="methanol")
    done = shiftcli("predict", tmp_path / "molecule.sdf", "--format", "csv", "--nucleus", "C,O")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(r["name"], r["labels"]) for r in rows] == [("methanol", "C1"), ("methanol", "O1")]
    assert "isolated molecule" in done.stderr


def test_from_names_a_format_that_nothing_tells(main, urea, tmp_path):
    from ase import Atoms
    from ase.io import write

    path = tmp_path / "urea.data"
    atoms = Atoms(urea.elements.tolist(), urea.positions, cell=urea.cell, pbc=True)
    write(path, atoms, format="gen")
    assert main("predict", path).returncode == 1
    done = main("predict", path, "--from", "gen", "--format", "json")
    assert done.returncode == 0, done.stderr
    (structure,) = json.loads(done.stdout)["structures"]
    assert "read through ASE as gen" in structure["warnings"]
    wrong = main("predict", path, "--from", "cif")
    assert wrong.returncode == 1
    assert "CIF" in wrong.stderr


@pytest.mark.parametrize(
    "command", ["predict", "compare", "rank", "spectrum", "calibrate", "train", "benchmark"]
)
def test_every_command_refuses_a_format_that_is_not_there(main, urea_path, tmp_path, command):
    measured = tmp_path / "shifts.csv"
    measured.write_text("site,species,shift\nH1,1H,7.2\n")
    more = ["--experiment", measured] if command in ("compare", "rank", "calibrate") else []
    structures = ["--data", urea_path] if command in ("train", "benchmark") else [urea_path]
    done = main(command, *structures, "--from", "nonsense", *more)
    assert done.returncode == 2
    assert "no format is called 'nonsense'" in done.stderr


def test_frames_become_one_structure(main, urea, tmp_path):
    """On stdout, in a folder and in a ranking."""
    from ase import Atoms
    from ase.io import write

    frames = []
    for k, weight in enumerate((1.0, 3.0)):
        atoms = Atoms(urea.elements.tolist(), urea.positions, cell=urea.cell, pbc=True)
        atoms.set_array("labels", np.array(urea.labels))
        atoms.set_array("CS", np.where(urea.elements == "C", 100.0 + k, 25.0))
        atoms.info["weight"] = weight
        frames.append(atoms)
    run = tmp_path / "run.xyz"
    write(run, frames, format="extxyz")
    options = ("--nucleus", "C", "--average", "frames", "--frame-weights", "weight")
    done = main("predict", run, *options, "--format", "json")
    assert done.returncode == 0, done.stderr
    (structure,) = json.loads(done.stdout)["structures"]
    (site,) = structure["sites"]
    assert site["flags"][-1].startswith("mean of 2 frames, standard error")
    done = main("predict", run, *options, "-o", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "results").glob("run*.csv"))) == 1
    shifts = tmp_path / "shifts.csv"
    shifts.write_text("species,shift\n13C,69.262\n")
    done = main(
        "rank", run, *options, "--experiment", shifts, "--shieldings", "file", "--format", "json",
        "--references", "C:170",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (candidate,) = json.loads(done.stdout)["candidates"]
    assert candidate["rmse"]["13C"] < 0.01
