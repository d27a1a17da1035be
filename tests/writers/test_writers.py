"""Results in the formats that other programs open, read back with real readers."""

import csv
import io
import json
from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from shiftcli import __version__
from shiftcli.errors import StructureError, UsageError
from shiftcli.predictor import Failure
from shiftcli.shifts import parse_references
from shiftcli.uncertainty import Calibration
from shiftcli.writers import COLUMNS, Results, choose_format, render, write_text


@pytest.fixture(scope="module")
def results(urea, predictor):
    return Results(
        predictor,
        [predictor.predict(urea)],
        [Failure("bad.cif", StructureError("no atoms", where="bad.cif"))],
        parse_references("H:30.96,C:168.64"),
    )


def renamed(results, **changes):
    prediction = results.predictions[0]
    crystal = replace(prediction.crystal, **changes)
    return replace(results, predictions=[replace(prediction, crystal=crystal)])


def test_csv(results):
    rows = list(csv.DictReader(io.StringIO(render(results, "csv"))))
    assert tuple(rows[0]) == COLUMNS
    assert [r["labels"] for r in rows] == ["C1", "O1", "N1", "H1", "H2"]
    assert [r["species"] for r in rows] == ["13C", "17O", "15N", "1H", "1H"]
    assert rows[2]["MS_shift/ppm"] == ""
    shielding, shift = float(rows[0]["MS_shielding/ppm"]), float(rows[0]["MS_shift/ppm"])
    assert shift == pytest.approx((168.64 - shielding) / (1 - 168.64e-6), abs=0.011)


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_csv_starts_no_formula(results, start):
    text = render(renamed(results, name=f"{start}1+1"), "csv")
    assert next(csv.DictReader(io.StringIO(text)))["name"] == f"'{start}1+1"


def test_json(results):
    document = json.loads(render(results, "json"))
    assert (document["program"], document["version"]) == ("shiftcli", __version__)
    assert document["model"] == "compact"
    assert all(len(h) == 64 for h in document["weights"].values())
    assert document["units"]["shielding"] == "ppm"
    assert document["failures"] == [{"file": "bad.cif", "error": "bad.cif: no atoms"}]
    (structure,) = document["structures"]
    assert structure["formula"] == "C2 H8 N4 O2"
    assert set(structure) == {"file", "name", "formula", "warnings", "sites"}
    site = structure["sites"][2]
    assert set(site) == {
        "labels", "species", "multiplicity", "shielding", "uncertainty", "uncertainty95", "shift",
        "flags",
    }  # fmt: skip
    assert site["uncertainty95"] > site["uncertainty"] > 0
    assert "68 %" in document["intervals"]["uncertainty"]
    assert "95 %" in document["intervals"]["uncertainty95"]
    assert set(document["intervals"]["calibration"]) == {"1H", "13C", "15N", "17O"}
    assert (site["labels"], site["multiplicity"], site["shift"]) == ("N1", 4, None)


def test_uncertainties_stand_in_their_columns(results):
    prediction = results.predictions[0]
    rows = tuple(replace(r, uncertainty=1.25, uncertainty95=3.5) for r in prediction.sites)
    changed = replace(results, predictions=[replace(prediction, sites=rows)])
    for row in csv.DictReader(io.StringIO(render(changed, "csv"))):
        assert row["MS_shielding_uncertainty/ppm"] == "1.25"
        assert row["MS_shielding_uncertainty95/ppm"] == "3.5"
    (structure,) = json.loads(render(changed, "json"))["structures"]
    assert {(s["uncertainty"], s["uncertainty95"]) for s in structure["sites"]} == {(1.25, 3.5)}


def test_json_says_how_intervals_were_calibrated(results):
    made = Calibration(3, 0.2, 1.0, 0.5, 1.1, 2.4, 300, 40, 0.69, 0.94)
    model = copy(results.predictor)
    model.calibrations = {**model.calibrations, "H": made, "C": None}
    document = json.loads(render(replace(results, predictor=model), "json"))
    stated = document["intervals"]["calibration"]
    assert stated["1H"] == made.to_dict()
    assert "RMSE" in stated["13C"]


def test_json_knows_no_nan(results):
    prediction = results.predictions[0]
    rows = tuple(replace(r, uncertainty=float("nan")) for r in prediction.sites)
    text = render(replace(results, predictions=[replace(prediction, sites=rows)]), "json")
    assert (
        json.loads(text, parse_constant=pytest.fail)["structures"][0]["sites"][0]["uncertainty"]
        is None
    )


def test_extended_xyz(results, urea):
    from ase.io import read

    (atoms,) = read(io.StringIO(render(results, "xyz")), index=":", format="extxyz")
    assert len(atoms) == 16
    assert atoms.pbc.all()
    assert np.allclose(atoms.positions, urea.positions, atol=1e-6)
    assert atoms.arrays["labels"].tolist() == list(urea.labels)
    for row in results.predictions[0].sites:
        for name in ("shielding", "uncertainty", "uncertainty95"):
            column = "MS_shielding" if name == "shielding" else f"MS_shielding_{name}"
            values = atoms.arrays[column][row.site.atoms]
            assert values == pytest.approx(round(getattr(row, name), 2))
    assert np.isnan(atoms.arrays["MS_shift"][urea.elements == "N"]).all()


def test_extended_xyz_with_a_strange_name(results):
    from ase.io import read

    text = render(renamed(results, name='a "b" = [c]'), "xyz")
    atoms = read(io.StringIO(text), format="extxyz")
    assert atoms.info["name"] == 'a "b" = [c]'


def test_own_output_is_read_again(results, tmp_path, urea):
    from shiftcli.readers import read

    path = tmp_path / "out.xyz"
    path.write_text(render(results, "xyz"))
    (again,) = read(path)
    assert np.isfinite(again.shieldings).all()
    assert again.labels == urea.labels


def test_magres(results):
    from ase.io import read

    atoms = read(io.StringIO(render(results, "magres")), format="magres")
    assert atoms.info["magres_units"]["ms"] == "ppm"
    assert atoms.arrays["labels"].tolist() == atoms.get_chemical_symbols()
    assert sorted(atoms.arrays["indices"][atoms.numbers == 1].tolist()) == list(range(1, 9))
    tensors = atoms.arrays["ms"]
    isotropic = np.trace(tensors, axis1=1, axis2=2) / 3
    assert np.allclose(tensors, isotropic[:, None, None] * np.eye(3))
    for row in results.predictions[0].sites:
        assert isotropic[row.site.atoms] == pytest.approx(round(row.shielding, 2))
    assert "isotropic shieldings only" in render(results, "magres").splitlines()[1]


def test_magres_holds_one_whole_structure(results):
    twice = replace(results, predictions=list(results.predictions) * 2)
    with pytest.raises(UsageError, match="one structure, not 2"):
        render(twice, "magres")
    prediction = results.predictions[0]
    part = replace(results, predictions=[replace(prediction, sites=prediction.sites[:2])])
    with pytest.raises(UsageError, match="all 16 atoms"):
        render(part, "magres")


def test_precision(results):
    rows = list(csv.DictReader(io.StringIO(render(replace(results, precision=0), "csv"))))
    assert all(float(r["MS_shielding/ppm"]).is_integer() for r in rows)


@pytest.mark.parametrize(
    ("name", "suffix", "form"),
    [
        (None, None, "table"),
        ("csv", ".json", "csv"),
        (None, ".JSON", "json"),
        (None, ".extxyz", "xyz"),
    ],
)
def test_format(tmp_path, name, suffix, form):
    assert choose_format(name, suffix and tmp_path / f"out{suffix}") == form


def test_unknown_suffix(tmp_path):
    with pytest.raises(UsageError, match="names no format"):
        choose_format(None, tmp_path / "out.docx")


def test_output_is_whole_or_not_there(tmp_path):
    write_text("new", tmp_path / "out.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    for wrong in (tmp_path / "no" / "such" / "folder.csv", tmp_path, tmp_path / "out.csv" / "x"):
        with pytest.raises(UsageError, match="cannot write"):
            write_text("new", wrong)
    assert (tmp_path / "out.csv").read_text() == "new"


def test_names_that_are_no_text(tmp_path):
    write_text("caf\udce9", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "caf\\udce9"


def test_standard_input_keeps_its_name(results):
    rows = csv.DictReader(io.StringIO(render(renamed(results, source="-"), "csv")))
    assert {row["file"] for row in rows} == {"-"}


def test_magres_of_failures_alone(results):
    assert render(replace(results, predictions=[]), "magres") == ""
