"""Shards write side by side; what they have kept becomes one table."""

import json
import shutil
from pathlib import Path

import pytest

QUICK = ("--nucleus", "O", "--views", "1", "--dtype", "bfloat16", "--device", "cpu")


@pytest.fixture
def inputs(tmp_path, urea_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b", "c"):
        text = urea_path.read_text()
        (folder / f"{name}.cif").write_text(text.replace("5.56", f"5.{56 + ord(name) - 97}"))
    (folder / "d.cif").write_text("prose")
    return folder


def test_two_shards_and_one_table(main, inputs, tmp_path):
    whole = main("predict", inputs, *QUICK, "--format", "csv").stdout
    out = tmp_path / "out"
    first = main("predict", inputs, *QUICK, "-o", out, "--shard", "1/2")
    assert "part 1 of 2: 2 of 4 files" in first.stderr
    second = main("predict", inputs, *QUICK, "-o", out, "--shard", "2/2")
    assert (first.returncode, second.returncode) == (0, 1)
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "a.csv", "b.csv", "c.csv", "manifest-1-of-2.jsonl", "manifest-2-of-2.jsonl",
    ]  # fmt: skip
    done = main("collect", out, "--format", "csv")
    assert done.returncode == 1  # one file has failed
    assert "d.cif" in done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(whole.splitlines())
    document = json.loads(main("collect", out, "--format", "json").stdout)
    assert len(document["structures"]) == 3
    assert document["model"] == "compact"
    again = main("predict", inputs, *QUICK, "-o", out)  # and one run goes on from both
    assert "0 structures predicted, 1 failed, 3 files finished before" in again.stderr


def test_tasks_of_an_array_share_the_files(main, inputs, tmp_path, monkeypatch):
    for name, value in {"COUNT": 2, "ID": 7, "MIN": 7, "MAX": 8, "STEP": 1}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    done = main("predict", inputs / "a.cif", inputs / "b.cif", *QUICK, "-o", tmp_path / "out")
    assert "part 1 of 2: 1 of 2 files" in done.stderr
    # A task that was given a file of its own predicts it, and so does one that keeps nothing.
    alone = main("predict", inputs / "b.cif", *QUICK, "-o", tmp_path / "out")
    assert "1 structure predicted, 0 failed" in alone.stderr
    kept_nowhere = main("predict", inputs / "a.cif", inputs / "b.cif", *QUICK, "--format", "csv")
    assert len(kept_nowhere.stdout.splitlines()) == 3


def test_work_serves_every_command(main, inputs, tmp_path):
    (inputs / "d.cif").unlink()
    work, shifts = tmp_path / "work", tmp_path / "e.csv"
    shifts.write_text("site,species,shift\nO1,17O,80\n")
    measured = ("--experiment", shifts)
    part = main("rank", inputs, *measured, *QUICK, "--work", work, "--shard", "1/2")
    assert part.returncode == 0, part.stderr
    assert part.stdout == ""
    assert "when all parts are done" in part.stderr
    ranked = main("rank", inputs, *measured, *QUICK, "--work", work)
    assert "shieldings of 2 structures taken" in ranked.stderr
    compared = main("compare", inputs, *measured, *QUICK, "--work", work)
    assert "shieldings of 3 structures taken" in compared.stderr
    drawn = main("spectrum", inputs, *QUICK, "--work", work)
    assert "shieldings of 3 structures taken" in drawn.stderr
    one = (inputs / "a.cif", *measured, *QUICK, "--slope", "fixed", "--work", work)
    assert "shieldings of 1 structure taken" in main("calibrate", *one).stderr
    done = main("predict", inputs, *QUICK, "--work", work, "--format", "csv")
    assert len(done.stdout.splitlines()) == 4
    collected = main("collect", work, "--format", "csv").stdout
    assert sorted(collected.splitlines()) == sorted(done.stdout.splitlines())


def test_every_format_is_that_of_predict(main, inputs, tmp_path):
    work = ("--work", tmp_path / "work")
    shown = ("--references", "O:250", "--columns", "labels,shift", "--query", "shift > 100")
    for form in ("table", "xyz", "cif", "chemiscope", "mrsimulator"):
        whole = main("predict", inputs, *QUICK, *work, *shown, "--format", form)
        done = main("collect", tmp_path / "work", *shown, "--format", form)
        assert done.stdout == whole.stdout
    assert "C H4 N2 O, Z = 2, model compact" in main("collect", tmp_path / "work").stdout
    frames = main("collect", tmp_path / "work", "--average", "frames")
    assert frames.returncode == 2
    assert "is of predict" in frames.stderr


def test_a_results_folder_opens_in_chemiscope(main, inputs, tmp_path):
    (inputs / "d.cif").unlink()
    main("predict", inputs, *QUICK, "-o", tmp_path / "results")
    made = tmp_path / "new" / "all.chemiscope.json"
    done = main("collect", tmp_path / "results", "-o", made)
    assert (done.returncode, done.stdout) == (0, "")
    document = json.loads(made.read_text())
    assert [structure["size"] for structure in document["structures"]] == [16] * 3
    assert len(document["environments"]) == 6  # two oxygens each


def test_several_sets_of_options(main, inputs, tmp_path):
    work = ("--work", tmp_path / "work")
    main("predict", inputs / "a.cif", *QUICK, *work)
    main("predict", inputs / "a.cif", *QUICK, "--hydrogens", "keep", *work)
    done = main("collect", tmp_path / "work")
    assert done.returncode == 2
    assert "2 sets of options" in done.stderr
    run = done.stderr.split("one of ")[1][:8]
    assert main("collect", tmp_path / "work", "--run", run).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "a.cif", "--shard", "1/2"), "give --work DIR"),
        (("predict", "a.cif", "--shard", "3/2", "--work", "w"), "no such part"),
        (("predict", "a.cif", "--work", "w", "-o", "out"), "leave --work out"),
        (("collect", "nowhere"), "No such file"),
        (("collect", "."), "no shieldings"),
    ],
)
def test_what_makes_no_sense(main, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = main(*arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


HOSTILE = Path(__file__).parents[3] / "shared" / "cases" / "hostile"


@pytest.mark.skipif(not HOSTILE.exists(), reason="the shared cases are not here")
def test_a_hostile_folder(main, inputs, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(HOSTILE / "hostile_folder", out, copy_function=shutil.copy)
    out.chmod(0o755)
    (out / "manifest.jsonl").chmod(0o644)
    before = {path.name for path in tmp_path.iterdir()}
    done = main("predict", inputs / "a.cif", *QUICK, "-o", out)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before
    assert (out / "a.csv").exists()


@pytest.mark.skipif(not HOSTILE.exists(), reason="the shared cases are not here")
@pytest.mark.parametrize("name", ["dup.toml", "hugeint.toml"])
def test_hostile_references(main, inputs, name):
    done = main("predict", inputs / "a.cif", "--references", HOSTILE / name)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "fault" not in done.stderr
