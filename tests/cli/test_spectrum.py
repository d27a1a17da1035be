"""`shiftcli spectrum`, run as a user runs it."""

import csv
import io

import pytest


def test_table_and_picture(main, urea_path, tmp_path):
    done = main("spectrum", urea_path, "--nucleus", "C,O", "--references", "C:168.64")
    assert done.returncode == 0, done.stderr
    assert "13C" in done.stdout
    assert "δ/ppm" in done.stdout
    assert "axis of shieldings for 17O" in done.stderr
    pytest.importorskip("matplotlib")
    out = tmp_path / "c.svg"
    done = main("spectrum", urea_path, "--nucleus", "C", "--references", "probasn", "-o", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert out.read_bytes().startswith(b"<?xml")


def test_the_options_of_prediction_are_those_of_predict(main, urea_path):
    options = ("--nucleus", "C", "--views", "1", "--dtype", "bfloat16", "--precision", "4")
    done = main("spectrum", urea_path, *options)
    assert done.returncode == 0, done.stderr
    (row,) = csv.DictReader(
        io.StringIO(main("predict", urea_path, *options, "--format", "csv").stdout)
    )
    assert row["MS_shielding/ppm"] in done.stdout
    usual = main("spectrum", urea_path, *options[:2], *options[-2:])
    assert row["MS_shielding/ppm"] not in usual.stdout


def test_csv_in_hertz(main, urea_path, tmp_path):
    out = tmp_path / "c.csv"
    done = main(
        "spectrum", urea_path, urea_path, "--nucleus", "C", "--references", "C:170", "--field",
        "400MHz", "--width", "50Hz", "--shape", "voigt", "--range", "0:20000", "-o", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert {row["axis"] for row in rows} == {"frequency/Hz"}
    places = [float(row["position"]) for row in rows]
    assert (min(places), max(places)) == (0, 20000)


def test_correlation(main, urea_path, tmp_path):
    done = main("spectrum", urea_path, "--correlate", "15N,H", "--references", "H:30.96,N:186")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "N1" in line]
    assert len(lines) == 2
    failed = main("spectrum", urea_path, "--correlate", "C,H")
    assert failed.returncode == 1
    assert "no 13C is bonded to a 1H" in failed.stderr


def test_one_bad_file_spoils_nothing(main, urea_path, tmp_path):
    (tmp_path / "bad.cif").write_text("data_bad\n")
    done = main("spectrum", tmp_path / "bad.cif", urea_path, "--nucleus", "O")
    assert done.returncode == 1
    assert "O1" in done.stdout
    assert "bad.cif" in done.stderr


def test_a_measurement_behind_it(main, urea_path, tmp_path):
    """Peaks change the picture; what cannot be drawn so is refused."""
    pytest.importorskip("matplotlib")
    peaks = tmp_path / "peaks.txt"
    peaks.write_text("13C\n161.5\n")
    options = ("--references", "probasn", "--experiment", peaks)
    out = tmp_path / "c.svg"
    done = main("spectrum", urea_path, *options, "-o", out)
    assert done.returncode == 0, done.stderr
    assert b"grey: measured" in out.read_bytes()
    for wrong, words in (
        (("--references", "H:30", *options[2:], "-o", out), "the axis of 13C of shieldings"),
        (options, "give -o FILE.svg"),
        ((*options, "-o", tmp_path / "c.csv"), "give -o FILE.svg"),
        ((*options[:3], tmp_path / "none.csv", "-o", out), "none.csv"),
    ):
        failed = main("spectrum", urea_path, *wrong)
        assert failed.returncode in (1, 2)
        assert words in failed.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "x.docx"], "should end in"),
        (["-o", "/dev/null/folder.csv"], "cannot write"),
        (["--field", "400"], "write it like 9.4T or 400MHz"),
        (["--nucleus", "C", "--field", "9.4T"], "--references C:VALUE"),
        (["--width", "50Hz"], "needs --field"),
        (["--width", "0"], "--width: cannot read '0'"),
        (["--range", "5"], "--range: cannot read '5'"),
        (["--correlate", "C"], "not two nuclei"),
        (["--correlate", "C,F"], "--correlate: 'C,F'"),
        (["--correlate", "C,H", "--nucleus", "C"], "takes no --nucleus"),
        (["--within", "3"], "of --correlate"),
        (["--correlate", "C,H", "--double-quantum"], "of one nucleus, not of C and H"),
        (["--average", "CH9"], "--average: 'CH9'"),
        (["--references", "Si:3"], "--references"),
    ],
)
def test_usage_errors(main, urea_path, options, words):
    done = main("spectrum", urea_path, *options)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_help_names_the_defaults(main):
    done = main("spectrum", "--help")
    assert done.returncode == 0
    assert "[default:" in done.stdout
    assert "H:0.3,C:1,N:2,O:4" in done.stdout
