"""`--report` of all commands that have it, run as a user runs them."""

import re

import pytest


def test_predict_writes_a_report_besides(shiftcli, urea_path, tmp_path):
    page = tmp_path / "urea.html"
    (tmp_path / "bad.cif").write_text("data_bad\n")
    done = shiftcli(
        "predict", urea_path, tmp_path / "bad.cif", "--nucleus", "O", "--report", page,
        "--format", "csv",
    )  # fmt: skip
    assert done.returncode == 1
    assert "O1" in done.stdout
    text = page.read_text()
    shown = re.search(r'<td class="number" data-value="[^"]*">([0-9.]+)</td>', text)
    assert shown[1] in done.stdout
    assert "bad.cif" in text
    assert re.search(r"SHA-256 [0-9a-f]{64}", text)
    assert "10.1021/acs.jpclett.9b01570" in text


def test_compare_writes_a_report_besides(main, urea_path, tmp_path):
    measured = tmp_path / "shifts.csv"
    measured.write_text("site,species,shift\nC1,13C,161.5\n")
    page = tmp_path / "urea.html"
    done = main("compare", urea_path, "--experiment", measured, "--report", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "Comparison with experiment" in text
    assert ">161.50</td>" in text


@pytest.mark.parametrize("command", ["predict", "compare"])
@pytest.mark.parametrize("name", ["a.pdf", "shifts.csv/a.html"])
def test_reports_that_cannot_be_written(main, urea_path, tmp_path, command, name):
    measured = tmp_path / "shifts.csv"
    measured.write_text("site,species,shift\nC1,13C,161.5\n")
    more = ["--experiment", measured] if command == "compare" else []
    done = main(command, urea_path, *more, "--report", tmp_path / name)
    assert done.returncode == 2
    assert name.rpartition("/")[2] in done.stderr
    assert done.stdout == ""


def test_folders_keep_no_predictions_for_a_report(main, urea_path, tmp_path):
    done = main("predict", urea_path, "-o", tmp_path / "out", "--report", tmp_path / "a.html")
    assert done.returncode == 2
    assert "a folder does not keep" in done.stderr


def test_rank_writes_a_report_besides(main, urea_path, tmp_path):
    measured, page = tmp_path / "shifts.csv", tmp_path / "report.html"
    measured.write_text("site,species,shift\nH1,1H,7.1\nH2,1H,6.2\n")
    bad = tmp_path / "bad.cif"
    bad.write_text("data_x\n")
    done = main("rank", bad, urea_path, "--experiment", measured, "--report", page)
    assert done.returncode == 1, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "<h2>Candidates by shifts.csv</h2>" in text
    assert "1. urea" in text
    assert "Not predicted" in text
    assert str(tmp_path) not in text


def test_spectrum_writes_a_report_besides(main, urea_path, tmp_path):
    page = tmp_path / "report.html"
    done = main("spectrum", urea_path, "--nucleus", "H", "--field", "400MHz", "--references",
                "H:30.96", "--report", page)  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "NMR spectra of urea" in text
    assert text.count("<title>Spectrum of 1H</title>") == 1
    assert "Hz" in text


def test_spectrum_report_has_what_was_measured(main, urea_path, tmp_path):
    measured, page = tmp_path / "shifts.csv", tmp_path / "report.html"
    measured.write_text("species,shift\n1H,7.1\n1H,5.2\n")
    common = ("spectrum", urea_path, "--nucleus", "H", "--references", "H:30.96",
              "--report", page, "--experiment")  # fmt: skip
    done = main(*common, measured)
    assert done.returncode == 0, done.stderr
    assert page.read_text(encoding="utf-8").count('<g class="measured"') == 2
    trace = tmp_path / "trace.csv"
    trace.write_text("".join(f"{k / 4},{1 / (1 + (k - 26) ** 2)}\n" for k in range(48)))
    done = main(*common, trace)
    assert done.returncode == 0, done.stderr
    assert page.read_text(encoding="utf-8").count('<path class="trace"') == 1
