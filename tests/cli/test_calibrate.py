"""`shiftcli calibrate`, and what it writes taken by the other commands."""

import json
from itertools import pairwise

import numpy as np
import pytest

from shiftcli.nmr.shifts import parse_references

HEADER = "site,species,shift\n"


@pytest.fixture
def shielding(urea, predictor):
    rows = predictor.predict(urea).sites
    return {row.site.label: row.shielding for row in rows}


@pytest.fixture
def measured(shielding, tmp_path):
    """Protons and carbon of urea, as references 30.5 and 170 make their shifts."""
    path = tmp_path / "urea.csv"
    rows = [f"{h},1H,{(30.5 - shielding[h]) / (1 - 30.5e-6):.6f}\n" for h in ("H1", "H2")]
    carbon = f"C1,13C,{(170.0 - shielding['C1']) / (1 - 170e-6):.6f}\n"
    path.write_text(HEADER + "".join(rows) + carbon)
    return path


def test_references_are_found_again_and_taken(main, shielding, urea_path, measured, tmp_path):
    refs = tmp_path / "refs.toml"
    done = main("calibrate", urea_path, "--experiment", measured, "--slope", "fixed", "-o", refs)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("1H" in line and "30.50 ± 0.00" in line for line in lines)
    assert any("13C" in line and "170.00" in line and "-1.0000" in line for line in lines)
    again = main(
        "compare", urea_path, "--experiment", measured, "--references", refs, "--format", "json"
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    (found,) = json.loads(again.stdout)["comparisons"]
    assert {s: f["rmse"] for s, f in found["fits"].items()} == {"1H": 0.0, "13C": 0.0}
    assert f"note: references: {refs}" in again.stderr
    carbon = parse_references(str(refs)).shift("C", shielding["C1"])
    assert carbon == pytest.approx(found["sites"][2]["measured"], abs=0.01)


def test_several_structures_by_name(main, urea_path, measured, tmp_path):
    text = urea_path.read_text()
    both = tmp_path / "two.cif"
    both.write_text(text + "\n" + text.replace("data_urea", "data_again"))
    rows = measured.read_text().splitlines()[1:3]
    named = tmp_path / "both.csv"
    lines = [f"{name},{row}" for name in ("urea", "again") for row in rows]
    named.write_text("structure,site,species,shift\n" + "\n".join(lines) + "\n")
    done = main("calibrate", both, "--experiment", named)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "1H" in line]
    cells = row.split()
    assert ("4", "2") in pairwise(cells)  # shifts, structures
    refused = main("calibrate", both, "--experiment", measured)
    assert refused.returncode == 2
    assert "1 experiments for 2 structures" in refused.stderr


def test_what_goes_wrong(main, urea_path, measured, tmp_path):
    few = main("calibrate", urea_path, "--experiment", measured)
    assert (few.returncode, few.stdout) == (1, "")
    assert "a fitted slope needs 3" in few.stderr
    assert few.stderr.count("\n") == 1
    suffix = main("calibrate", urea_path, "--experiment", measured, "-o", tmp_path / "refs.json")
    assert suffix.returncode == 2
    assert "should end in .toml" in suffix.stderr
    missing = main("calibrate", tmp_path / "nowhere.cif", "--experiment", measured)
    assert missing.returncode == 1
    assert "nowhere.cif" in missing.stderr


def test_both_kinds_of_shieldings(main, urea, measured, tmp_path):
    """A second set of references is that of the file; a file for both is refused."""
    from ase import Atoms
    from ase.io import write

    atoms = Atoms(urea.elements.tolist(), urea.positions, cell=urea.cell, pbc=True)
    atoms.set_array("labels", np.array(urea.labels))
    atoms.set_array("CS", np.where(urea.elements == "H", 25.0, 100.0))
    write(tmp_path / "urea.xyz", atoms, format="extxyz")
    options = ("--experiment", measured, "--slope", "fixed", "--shieldings", "both")
    done = main("calibrate", tmp_path / "urea.xyz", *options)
    assert done.returncode == 0, done.stderr
    assert "shieldings of the files" in done.stdout
    assert len([line for line in done.stdout.splitlines() if line.startswith("13C")]) == 2
    refused = main("calibrate", tmp_path / "urea.xyz", *options, "-o", tmp_path / "r.toml")
    assert refused.returncode == 2
    assert "--output is one set of references" in refused.stderr
