"""Predictions written down are taken up again, and only where they are the same."""

import json
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import UsageError
from shiftcli.pipeline.store import MANIFEST as NAME
from shiftcli.pipeline.stored import StoredPredictor
from shiftcli.prediction.predictor import Predictor


def make(folder, **options):
    return StoredPredictor(folder, nuclei=["O"], device="cpu", is_owner=False, **options)


@pytest.fixture
def silent(monkeypatch):
    """From here on no network may be asked."""

    def ask(*_):
        raise AssertionError("predicted again")

    return lambda: monkeypatch.setattr(Predictor, "predict_environments", ask)


def test_the_same_bit_for_bit(urea, tmp_path, silent):
    direct = Predictor(nuclei=["O"], device="cpu").predict(urea)
    first = make(tmp_path / "new" / "work").predict(urea)
    silent()
    again = make(tmp_path / "new" / "work")
    second = again.predict(replace(urea, source="other name.cif", name="other"))
    assert again.taken == 1
    for own in (first, second):
        for row, expected in zip(own.sites, direct.sites, strict=True):
            assert (row.shielding, row.uncertainty) == (expected.shielding, expected.uncertainty)
            assert (row.uncertainty95, row.site.label) == (
                expected.uncertainty95, expected.site.label,
            )  # fmt: skip
    assert second.crystal.source == "other name.cif"


def test_warnings_and_flags_come_back(urea, tmp_path, silent):
    kept = urea.elements != "H"
    bare = replace(
        urea,
        elements=urea.elements[kept],
        positions=urea.positions[kept],
        labels=tuple(label for label, k in zip(urea.labels, kept, strict=True) if k),
        site_ids=None,
        expected={},
    )
    first = make(tmp_path, allow=("hydrogens",)).predict(bare)
    silent()
    second = make(tmp_path, allow=("hydrogens",)).predict(bare)
    # Without its hydrogens the molecule, as bonded, can only be an anion.
    marks = ("hydrogens-missing", "ion-or-radical")
    assert second.sites[0].flags == first.sites[0].flags == marks
    assert second.crystal.warnings == first.crystal.warnings


@pytest.mark.parametrize("options", [{"views": 1}, {"dtype": "bfloat16"}, {"hydrogens": "keep"}])
def test_other_options_are_predicted_anew(urea, tmp_path, options):
    make(tmp_path).predict(urea)
    other = make(tmp_path, **options)
    other.predict(urea)
    assert other.taken == 0


def test_another_geometry_is_predicted_anew(urea, tmp_path):
    predictor = make(tmp_path)
    predictor.predict(urea)
    predictor.predict(replace(urea, cell=urea.cell * 1.001))
    predictor.predict(replace(urea, positions=urea.positions + 1e-9))
    assert predictor.taken == 0
    predictor.predict(urea)
    assert predictor.taken == 1


@pytest.mark.parametrize("damage", [b'{"key": "abc", "val', b"\x00\xff\n", b'{"key": 1}\n[]\n'])
def test_a_line_cut_short_is_predicted_again_and_harms_no_other(urea, tmp_path, damage, silent):
    make(tmp_path).predict(urea)
    path = tmp_path / NAME
    whole = path.read_bytes()
    path.write_bytes(damage)
    torn = make(tmp_path)
    torn.predict(urea)
    assert torn.taken == 0
    assert path.read_bytes().splitlines()[-1] == whole.splitlines()[-1]
    silent()
    after = make(tmp_path)
    after.predict(urea)
    assert after.taken == 1


def test_lines_are_json(urea, tmp_path):
    make(tmp_path).predict(urea)
    head, entry = map(json.loads, (tmp_path / NAME).read_text().splitlines())
    assert (head["program"], head["run"]) == ("shiftcli", entry["run"])
    assert entry["structure"] == urea.where
    assert np.shape(entry["values"]) == (1, 3)


def test_a_folder_that_is_a_file(urea, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        make(path)


def test_a_full_disk_is_said(urea, tmp_path, monkeypatch):
    predictor = make(tmp_path)
    monkeypatch.setattr("os.write", lambda *_: 0)
    with pytest.raises(UsageError, match="No space left"):
        predictor.predict(urea)
