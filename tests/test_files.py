"""A file is whole or not there."""

import gzip

import pytest

from shiftcli.errors import UsageError
from shiftcli.views import write_text


def test_output_is_whole_or_not_there(tmp_path):
    write_text("new", tmp_path / "out.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    for wrong, problem in (
        (tmp_path, "it is a directory"),
        (tmp_path / "out.csv" / "x", ".*out.csv is no directory$"),
        (tmp_path / "out.csv" / "no" / "x", ".*out.csv is no directory$"),
    ):
        with pytest.raises(UsageError, match=f"cannot write '.*': {problem}"):
            write_text("new", wrong)
    assert (tmp_path / "out.csv").read_text() == "new"


def test_the_folder_of_an_output_is_made(tmp_path):
    write_text("new", tmp_path / "no" / "such" / "out.csv")
    assert (tmp_path / "no" / "such" / "out.csv").read_text() == "new"


def test_names_that_are_no_text(tmp_path):
    write_text("caf\udce9", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "caf\\udce9"


def test_compressed_by_suffix_and_the_same_each_time(tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        write_text("new\n", tmp_path / name)
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == b"new\n"
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
