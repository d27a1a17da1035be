"""No output is an input or another output; folders are made; a run that fails leaves what was."""

import os
import subprocess
import sys

import pytest

CHEAP = ("--nucleus", "O", "--views", "1", "--dtype", "bfloat16", "--device", "cpu")

SDF = """water

 
  3  2  0  0  0  0            999 V2000
    0.0000    0.0000    0.0000 O   0
    0.0000    0.7570    0.5870 H   0
    0.0000   -0.7570    0.5870 H   0
  1  2  1  0
  1  3  1  0
M  END
"""

WATER = "3\n\nO 0 0 0\nH 0 .757 .587\nH 0 -.757 .587\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.xyz").write_text(WATER)
    (tmp_path / "e.csv").write_text("site,species,shift\nO1,17O,10\n")
    (tmp_path / "r.toml").write_text("[nucleus.O]\nreference = 205\n")
    (tmp_path / "m.sdf").write_text(SDF)
    (tmp_path / "m.csv").write_text("mol_id,atom_index,shielding\nwater,0,300\n")
    (tmp_path / "pw.out").write_text("     Program PWSCF v.7.2 starts\n")
    (tmp_path / "c.toml").write_text("views = 1\n")
    (tmp_path / "shiftcli.toml").write_text("[env]\nx = 3\n")
    os.symlink("m.xyz", tmp_path / "link.xyz")
    os.symlink("loop", tmp_path / "loop")
    os.link("m.xyz", tmp_path / "hard.xyz")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "m.xyz", "-o", "m.xyz"),
        ("predict", "m.xyz", "-o", "./m.xyz"),
        ("predict", "m.xyz", "-o", "no/../m.xyz"),
        ("predict", "m.xyz", "-o", "no/such/../../LINK.xyz/../link.xyz"),
        ("predict", "m.xyz", "-o", "link.xyz"),
        ("predict", "m.xyz", "-o", "hard.xyz"),
        ("predict", ".", "-o", "m.xyz"),
        ("predict", "m.xyz", "--references", "r.toml", "-o", "r.toml", "--format", "csv"),
        ("predict", "m.xyz", "-o", "x.html", "--report", "x.html", "--format", "json"),
        ("predict", "m.xyz", "-o", "x.html", "--report", "no/../x.html", "--format", "json"),
        ("compare", "m.xyz", "--experiment", "e.csv", "-o", "e.csv"),
        ("compare", "m.xyz", "--experiment", "e.csv", "--plot", "a.svg", "-o", "a.svg",
         "--format", "csv"),
        ("rank", "m.xyz", "--experiment", "e.csv", "-o", "e.csv"),
        ("spectrum", "m.xyz", "--references", "r.toml", "-o", "m.csv", "--nucleus", "O"),
        ("calibrate", "m.xyz", "--experiment", "r.toml", "-o", "r.toml"),
        ("predict", "m.xyz", "--config", "c.toml", "-o", "./c.toml", "--format", "csv"),
        ("calibrate", "m.xyz", "--experiment", "e.csv", "-o", "shiftcli.toml"),
        ("predict", "m.xyz", "--weights", "w", "-o", "w/manifest.json"),
        ("compare", "m.xyz", "--experiment", "e.csv", "--weights", "w", "-o", "w/manifest.json"),
        ("weights", "show", "w", "-o", "w/manifest.json", "--format", "json"),
        ("weights", "verify", "w", "-o", "w/manifest.json", "--format", "json"),
        ("weights", "list", "--url", "w", "-o", "w/manifest.json", "--format", "json"),
        ("predict", "m.xyz", "--work", ".", "-o", "manifest.jsonl", "--format", "json"),
        ("predict", "m.xyz", "--work", "all.csv", "-o", "all.csv"),
        ("predict", "m.sdf", "-o", "m.csv"),
        ("predict", "m.sdf", "-o", "pw.out", "--format", "csv"),
        ("predict", "m.xyz", "-o", "New.html", "--report", "new.html"),
        ("benchmark", "--data", "PBE=.", "-o", "m.xyz", "--format", "json"),
        ("reproduce", "table2", "--data", "table2.csv", "-o", "."),
        ("reproduce", "figure4", "--data", "figure4-x.csv", "-o", "."),
        ("reproduce", "figure3a", "--data", "runs/figure3-H/m.xyz", "-o", "."),
        ("reproduce", "ranking", "--data", "candidates/m.xyz", "-o", "."),
        ("train", "--data", "a.svg", "--plot", "a.svg"),
    ],
)  # fmt: skip
def test_no_output_is_an_input_or_another_output(main, here, arguments):
    if arguments[0] == "spectrum":
        os.remove("m.csv")
        os.symlink("m.xyz", "m.csv")
    (here / "w").mkdir()
    (here / "w" / "manifest.json").write_text("{}")
    before = {path: path.read_bytes() for path in here.rglob("*.*")}
    done = main(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "input" in done.stderr or "two results" in done.stderr
    assert {path: path.read_bytes() for path in here.rglob("*.*")} == before


def test_the_list_of_another_run_is_kept(main, here):
    (here / "sub").mkdir()
    (here / "sub" / "manifest.jsonl").write_text("{}\n")
    done = main("predict", "m.xyz", "-o", "sub/manifest.jsonl", "--format", "json")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is the list of another run" in done.stderr
    assert (here / "sub" / "manifest.jsonl").read_text() == "{}\n"


def test_what_a_shell_redirects_is_an_input_or_an_output_too(here):
    def run(*arguments, **streams):
        command = [sys.executable, "-m", "shiftcli", *arguments, *CHEAP]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, **streams)
        assert done.returncode == 2
        return done.stderr

    with open("m.xyz") as read, open("m.xyz", "a") as more, open("x.html", "w") as page:
        assert "'m.xyz' is an input" in run("predict", "-", "-o", "m.xyz", stdin=read)
        assert "standard output is an input" in run("predict", "m.xyz", stdout=more)
        assert "two results" in run("predict", "m.xyz", "--report", "x.html", stdout=page)
    assert (here / "m.xyz").read_text() == WATER


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("loop", "leads to itself"),
        ("x" * 300 + ".csv", "too long"),
        ("m.xyz/a.csv", "is no directory"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(main, here, name, reason):
    done = main("predict", "m.xyz", *CHEAP, "-o", name, "--format", "csv")
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_missing_folders_are_made_when_there_is_something_to_write(main, here):
    done = main("predict", "m.xyz", *CHEAP, "-o", "deep/er/all.csv")
    assert done.returncode == 0, done.stderr
    assert (here / "deep" / "er" / "all.csv").stat().st_size
    (here / "bad.xyz").write_text("prose")
    assert main("predict", "bad.xyz", *CHEAP, "-o", "other/all.csv").returncode == 1
    assert not (here / "other").exists()


def test_where_all_fails_the_earlier_file_stays(main, here):
    (here / "all.csv").write_text("of before")
    (here / "bad.xyz").write_text("prose")
    for command in (["predict"], ["compare", "--experiment", "e.csv"],
                    ["rank", "--experiment", "e.csv"]):  # fmt: skip
        assert main(*command, "bad.xyz", *CHEAP, "-o", "all.csv").returncode == 1
        assert (here / "all.csv").read_text() == "of before"


@pytest.mark.parametrize("word", ["o", "17O", "O-17", "¹⁷O", "oxygen", "Oxygen-17", "$^{17}$O"])
def test_nuclei_in_any_spelling(main, here, word):
    done = main("predict", "m.xyz", "--nucleus", word, *CHEAP[2:], "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert ",17O," in done.stdout


@pytest.mark.parametrize("word", ["2H", "14N", "F", "x", "carbon-12", ""])
def test_other_nuclides_are_refused(main, here, word):
    assert main("predict", "m.xyz", "--nucleus", word).returncode == 2


def test_a_query_that_leaves_no_row_says_so(main, here):
    done = main("predict", "m.xyz", *CHEAP, "--query", "shift > 3")
    assert done.returncode == 0
    assert "--subset and --query leave no row" in done.stdout  # a pipe has the notes, too
