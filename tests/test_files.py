"""A file is whole or not there."""

import gzip
import json
import os
import unicodedata

import pytest

from shiftcli.errors import ShiftcliError, UsageError, visible
from shiftcli.files import encoded, read_rows
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


def test_what_is_not_seen_stands_escaped():
    """All of Unicode's controls and format characters, but for signs of scripts and music."""
    kinds = ("Cc", "Cf", "Zl", "Zp", "Cs")
    unseen = [chr(k) for k in range(0xFFFF) if unicodedata.category(chr(k)) in kinds]
    signs = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
    for sign in {*unseen, "\U000e0041"} - set(map(chr, signs)):
        assert visible(f"a{sign}b").isascii()
        assert visible(f"a{sign}b").isprintable()
        text = encoded(f"a{sign}b").decode()
        assert text.isascii()
        if sign not in "\t\n":
            assert text.isprintable()
            assert json.loads(f'"{text}"') == f"a{sign}b"


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    os.symlink(precious, tmp_path / f".out.csv.{os.getpid()}.tmp")
    write_text("new", tmp_path / "out.csv")
    assert precious.read_text() == "kept"
    assert (tmp_path / "out.csv").read_text() == "new"


def test_a_name_as_long_as_may_be(tmp_path):
    path = tmp_path / ("\N{GRINNING FACE}" * 60 + ".csv")
    write_text("new", path)
    assert path.read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_no_pipe_is_waited_for(tmp_path):
    """A state, a log, a list of networks, an earlier benchmark: whoever made them."""
    from shiftcli.benchmark.compare import load_benchmark
    from shiftcli.network.checkpoint import load
    from shiftcli.weights.manifest import read_manifest

    os.mkfifo(tmp_path / "pipe")
    for read in (load, read_rows, read_manifest, load_benchmark):
        with pytest.raises((OSError, ShiftcliError), match="not a file"):
            read(tmp_path / "pipe")
