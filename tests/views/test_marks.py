"""Flags and notes are in every format; names turn no text around; what cannot be held fails."""

import gzip
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

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

        sheets = load_workbook(io.BytesIO(made))
        cells = (cell for sheet in sheets for row in sheet for cell in row)
        return " ".join(str(cell.value) for cell in cells)
    if form == "parquet":
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO(made))
        return f"{table.to_pylist()} {table.schema.metadata}"
    return made


@pytest.mark.parametrize("form", FORMATS)
def test_flags_and_notes_are_in_every_format(marked, form):
    for package in {"xlsx": ["openpyxl"], "parquet": ["pyarrow"]}.get(form, []):
        pytest.importorskip(package)
    text = words_of(marked, form)
    assert NOTE in " ".join(text.split())
    assert FLAG in text.replace("\\", "")


#: What the table of the documentation may name, and how it is known by in `recognisable`.
TOLD = {
    "the structure": "5.565", "file names": "of-this-file", "the model": "model-7",
    "hashes of the networks": "0" * 64, "uncertainties": "3.19", "shifts": "7.07",
    "training crystals": "4711", "multiplicities": "multiplicity",
}  # fmt: skip


@pytest.fixture
def recognisable(predicted, urea):
    """Each thing that a format may lose has a value of its own."""
    results = predicted(replace(urea, source="of-this-file.cif"), references="H:30.96")
    (prediction,) = results.predictions
    values = {"shielding": 23.89, "uncertainty": 3.19, "training_crystals": 4711}
    sites = tuple(replace(row, **values) for row in prediction.sites)
    predictor = SimpleNamespace(**{**vars(results.predictor), "model": "model-7"})
    return replace(results, predictions=[replace(prediction, sites=sites)], predictor=predictor)


@pytest.mark.parametrize("form", FORMATS)
def test_the_documentation_tells_what_a_format_loses(recognisable, form):
    for package in {"xlsx": ["openpyxl"], "parquet": ["pyarrow"]}.get(form, []):
        pytest.importorskip(package)
    text = words_of(recognisable, form).replace("mult.", "multiplicity")
    missing = {name for name, word in TOLD.items() if word not in text}
    docs = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    _, _, told = next(
        cells for line in docs.splitlines() if len(cells := line.strip("| ").split(" | ")) == 3
        and form in cells[0].split(", ")
    )  # fmt: skip
    assert {name for name in TOLD if name in told} == missing


@pytest.mark.parametrize("form", ["xyz", "magres", "cif"])
def test_no_text_breaks_out_of_its_place(predicted, urea, tmp_path, form):
    names = {label: f"\n;\n{label} # \"'\\" for label in urea.labels}
    labels, name = tuple(map(names.get, urea.labels)), "a\n;\n_cell_length_a 9\ndata_b"
    hostile = replace(urea, labels=labels, name=name, warnings=(f"{name}\\", "'\"\\"))
    path = tmp_path / f"out{suffix_of(form)}"
    path.write_text(render(predicted(hostile), form))
    (crystal,) = read(path)
    np.testing.assert_allclose(crystal.cell, urea.cell, atol=1e-5)
    assert crystal.formula == urea.formula
    assert np.isfinite(crystal.shieldings).all()
    assert crystal.info[PREDICTED_BY].startswith("shiftcli")


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
