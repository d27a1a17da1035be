"""No output is an input or another output; folders are made; a run that fails leaves what was."""

import os

import pytest

CHEAP = ("--nucleus", "O", "--views", "1", "--dtype", "bfloat16", "--device", "cpu")

WATER = "3\n\nO 0 0 0\nH 0 .757 .587\nH 0 -.757 .587\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.xyz").write_text(WATER)
    (tmp_path / "e.csv").write_text("site,species,shift\nO1,17O,10\n")
    (tmp_path / "r.toml").write_text("[nucleus.O]\nreference = 205\n")
    os.symlink("m.xyz", tmp_path / "link.xyz")
    os.link("m.xyz", tmp_path / "hard.xyz")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "m.xyz", "-o", "m.xyz"),
        ("predict", "m.xyz", "-o", "./m.xyz"),
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
    ],
)  # fmt: skip
def test_no_output_is_an_input_or_another_output(main, here, arguments):
    if arguments[0] == "spectrum":
        os.symlink("m.xyz", "m.csv")
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    done = main(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "input" in done.stderr or "two results" in done.stderr
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


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
    assert main("predict", "bad.xyz", *CHEAP, "-o", "all.csv").returncode == 1
    assert (here / "all.csv").read_text() == "of before"


@pytest.mark.parametrize("word", ["o", "17O", "O-17", "¹⁷O", "oxygen"])
def test_nuclei_in_any_spelling(main, here, word):
    done = main("predict", "m.xyz", "--nucleus", word, *CHEAP[2:], "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert ",17O," in done.stdout


@pytest.mark.parametrize("word", ["2H", "14N", "F", "x", ""])
def test_other_nuclides_are_refused(main, here, word):
    assert main("predict", "m.xyz", "--nucleus", word).returncode == 2
