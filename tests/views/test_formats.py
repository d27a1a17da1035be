"""Which format, from its name or the suffix of the output."""

import json
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import parse_references
from shiftcli.readers import read_text
from shiftcli.structure.crystal import Site
from shiftcli.views import FORMATS, check_references, choose_format, render, write


@pytest.mark.parametrize(
    ("name", "suffix", "form"),
    [
        (None, None, "table"),
        ("csv", ".json", "csv"),
        (None, ".JSON", "json"),
        (None, ".extxyz", "xyz"),
        (None, ".cif", "cif"),
        (None, ".spinsys", "simpson"),
        (None, ".chemiscope.json", "chemiscope"),
        (None, ".chemiscope.json.gz", "chemiscope"),
        (None, ".csv.GZ", "csv"),
    ],
)
def test_format(tmp_path, name, suffix, form):
    assert choose_format(name, suffix and tmp_path / f"out{suffix}") == form


def test_unknown_suffix(tmp_path):
    for name in ("out.docx", "csv", "out.gz", "outjson"):
        with pytest.raises(UsageError, match="names no format"):
            choose_format(None, tmp_path / name)


def test_every_format_is_written(predicted, urea):
    for form in FORMATS:
        assert render(predicted(urea), form)


def test_sites_that_were_averaged(results, urea):
    """What ``--average`` makes of several sites stands at all their atoms."""
    *others, first, second = results.predictions[0].sites
    atoms = np.concatenate([first.site.atoms, second.site.atoms])
    group = replace(first, site=Site("H1,H2", "H", atoms), shielding=24.5)
    averaged = replace(
        results, predictions=[replace(results.predictions[0], sites=(*others, group))]
    )
    (crystal,) = read_text(render(averaged, "cif"), "cif", "again.cif")
    assert crystal.labels == urea.labels
    assert set(crystal.shieldings[atoms]) == {24.5}
    assert render(averaged, "magres").count("24.5 0 0 0 24.5 0 0 0 24.5") == 8
    assert "# 2 H1_H2 8\n" in render(averaged, "simpson")
    assert render(averaged, "xyz").count(" 24.5") == 8
    assert (
        json.loads(render(averaged, "chemiscope"))["properties"]["labels"]["values"][8:]
        == ["H1,H2"] * 8
    )


def test_shifts_need_references():
    with pytest.raises(UsageError, match="--references"):
        check_references("simpson", parse_references())
    check_references("simpson", parse_references("N:186"))
    check_references("csv", parse_references())


def test_write_takes_the_format_from_the_name(results, tmp_path):
    write(results, tmp_path / "urea.cif")
    assert (tmp_path / "urea.cif").read_text() == render(results, "cif")
    write(results, str(tmp_path / "urea.txt"), "json")
    assert (tmp_path / "urea.txt").read_text() == render(results, "json")
    write(results, tmp_path / "table.txt")
    assert "σ/ppm" in (tmp_path / "table.txt").read_text()
    for name, form in (("urea.docx", None), ("urea.csv", "word")):
        with pytest.raises(UsageError, match="format"):
            write(results, tmp_path / name, form)
