"""Finished networks are calibrated anew by the errors of a cross-validation."""

import numpy as np
import pytest
import torch

from shiftcli.errors import TrainingError, WeightsError
from shiftcli.files import write_rows
from shiftcli.network.checkpoint import Metadata, load, read_tensors, save
from shiftcli.network.densenet import PRESETS, MR3DDenseNet
from shiftcli.network.precedents import annotate
from shiftcli.training.calibrating import recalibrate
from shiftcli.training.out_of_fold import COLUMNS
from shiftcli.weights import write_manifest


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    network = MR3DDenseNet(PRESETS["compact"])
    metadata = Metadata("O", 30.0, 40.0, PRESETS["compact"], "frames", {"rmse": 3.0})
    save(tmp_path / "compact-O.safetensors", network, metadata, half=True)
    return tmp_path


def write(path, species="17O", size=4.0, **changes):
    """Errors of as many hydroxyl as carbonyl oxygens, these twice as large, of twelve families."""
    rng = np.random.default_rng(7)
    rows = []
    for k in range(240):
        error = rng.normal(0.0, size * (1 + k % 2))
        row = dict.fromkeys(COLUMNS, "x") | {
            "species": species, "family": k // 20, "multiplicity": 2,
            "kind": ("hydroxyl", "carbonyl/carboxyl")[k % 2], "training_crystals": 5,
            "hydrogen_bond": np.inf, "reference": 50.0, "shielding": 50.0 + error,
            "between": 0.0, "within": 1.0,
        }  # fmt: skip
        rows.append([(row | changes)[name] for name in COLUMNS])
    write_rows(path, COLUMNS, rows)
    return path


def test_kinds_get_their_widths_and_the_tensors_stay(folder, urea, tmp_path):
    before, _ = read_tensors(folder / "compact-O.safetensors")
    write_manifest(folder, default="compact", data="", licence="")
    annotate([folder / "compact-O.safetensors"], [urea])  # and the manifest is out of date
    told = []
    (made,) = recalibrate(folder, write(tmp_path / "o.csv"), on_note=told.append).values()
    assert (made.n, made.crystals, made.members) == (240, 12, 1)
    (one, two), widths = (0.0, 1.0), made.kinds
    assert widths["hydroxyl"].n == 120
    half = {k: w.factor * w.q68 * made.scale(one, two) for k, w in widths.items()}
    assert half["hydroxyl"] == pytest.approx(4.0, rel=0.25)
    assert half["carbonyl/carboxyl"] == pytest.approx(8.0, rel=0.25)
    after, _ = read_tensors(folder / "compact-O.safetensors")
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert load(folder / "compact-O.safetensors")[1].calibration == made.to_dict()
    assert "carbonyl/carboxyl" in told[0]
    assert "likelihood" in told[0]


def test_no_networks(tmp_path):
    with pytest.raises(WeightsError, match="no networks"):
        recalibrate(tmp_path, write(tmp_path / "o.csv"))


@pytest.mark.parametrize(
    "changes", [{"species": "13C"}, {"shielding": "oops"}, {"shielding": "nan"}, {"family": ""}]
)
def test_tables_that_say_nothing(folder, tmp_path, changes):
    with pytest.raises(TrainingError):
        recalibrate(folder, write(tmp_path / "o.csv", **changes))
    assert load(folder / "compact-O.safetensors")[1].calibration == {}


def test_other_tables(folder, tmp_path):
    (tmp_path / "o.csv").write_text("site,shift\nO1,3\n")
    for table in (tmp_path / "o.csv", tmp_path / "not-there.csv"):
        with pytest.raises(TrainingError, match="not a table of out-of-fold predictions"):
            recalibrate(folder, table)
