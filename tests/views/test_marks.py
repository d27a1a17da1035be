"""Flags and notes are in every format; names turn no text around; what cannot be held fails."""

import gzip
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import TrainingError, UsageError
from shiftcli.files import write_file
from shiftcli.readers import read
from shiftcli.structure.crystal import PREDICTED_BY
from shiftcli.views import FORMATS, render
from shiftcli.views.formats import BINARY, check_holds, suffix_of

NOTE, FLAG = "hydrogens moved somewhere", "hydrogen-normalised"


@pytest.fixture
def marked(predicted, urea):
    results = predicted(replace(urea, warnings=(NOTE,)))
    (prediction,) = results.predictions
    sites = [replace(row, flags=(FLAG,) * (row.site.label == "H1")) for row in prediction.sites]
    return replace(results, predictions=[replace(prediction, sites=tuple(sites))])


def words_of(results, form):
    """What a format says, as one text."""
    made = render(results, form)
    if form == "xlsx":
        from openpyxl import load_workbook

        cells = (cell for row in load_workbook(io.BytesIO(made))["sites"] for cell in row)
        return " ".join(str(cell.value) for cell in cells)
    if form == "parquet":
        from pyarrow import parquet

        return str(parquet.read_table(io.BytesIO(made)).to_pylist())
    return made


@pytest.mark.parametrize("form", FORMATS)
def test_flags_and_notes_are_in_every_format(marked, form):
    for package in {"xlsx": ["openpyxl"], "parquet": ["pyarrow"]}.get(form, []):
        pytest.importorskip(package)
    text = words_of(marked, form)
    assert NOTE in " ".join(text.split())
    assert FLAG in text.replace("\\", "")


@pytest.mark.parametrize("form", ["xyz", "magres", "cif"])
def test_our_predictions_are_no_labels(marked, tmp_path, form):
    from shiftcli.training.sources import load_levels

    path = tmp_path / f"out{suffix_of(form)}"
    path.write_text(render(marked, form))
    (crystal,) = read(path)
    assert crystal.shieldings is not None
    assert crystal.info[PREDICTED_BY].startswith("shiftcli")
    told = []
    with pytest.raises(TrainingError, match="no structure"):
        load_levels([path], told.append)
    assert any("predictions of a network" in text for text in told)


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in BINARY])
def test_no_text_is_turned_around(predicted, labelled, tmp_path, form):
    crystal = replace(labelled(["a\u202eb", "H2"]), name="x\u2066\x9b1m", source="\u202e.cif")
    path = tmp_path / "out.txt.gz"
    write_file([render(predicted(crystal), form)], path)
    text = gzip.decompress(path.read_bytes()).decode()
    assert not set(text) & set("\u202e\u2066\x9b\x1b")
    if form == "json":
        assert json.loads(text)["structures"][0]["sites"][0]["labels"] == "a\u202eb"


def test_a_structure_that_a_format_cannot_hold(predicted, urea, molecule):
    results = predicted(urea, molecule)
    crystal, alone = results.predictions
    check_holds(results, crystal, "cif")
    with pytest.raises(UsageError, match="no unit cell"):
        check_holds(results, alone, "cif")
    check_holds(results, alone, "magres")
    with pytest.raises(UsageError, match="holds one structure"):
        check_holds(results, alone, "magres", before=1)


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("earlier")

    def pieces():
        yield "begun"
        raise UsageError("broken")

    with pytest.raises(UsageError, match="broken"):
        write_file(pieces(), path)
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_chosen_sites_in_every_format(results):
    from shiftcli.results.choice import Choice

    chosen = replace(results, choice=Choice(subset=("H",), sort=("-shielding",)))
    prediction = chosen.chosen(chosen.predictions[0])
    assert [row.site.label for row in prediction.sites] == ["H2", "H1"]
    assert chosen.table(prediction).values("labels") == ["H2", "H1"]
    molecule = replace(results, choice=Choice(subset=("mol1",))).chosen(results.predictions[0])
    assert len(molecule.sites) == 5  # the other molecule is made of copies
    assert np.isfinite([row.shielding for row in prediction.sites]).all()
