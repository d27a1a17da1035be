"""Finished networks are calibrated anew on crystals and their displaced copies."""

import numpy as np
import pytest
import torch

from shiftcli.errors import TrainingError, WeightsError
from shiftcli.network.checkpoint import Metadata, load, read_tensors, save
from shiftcli.network.densenet import PRESETS, MR3DDenseNet
from shiftcli.network.precedents import annotate
from shiftcli.training.calibrating import recalibrate
from shiftcli.weights import write_manifest


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    network = MR3DDenseNet(PRESETS["compact"])
    metadata = Metadata("O", 30.0, 40.0, PRESETS["compact"], "frames", {"rmse": 3.0})
    save(tmp_path / "compact-O.safetensors", network, metadata, half=True)
    return tmp_path


def write(path, urea, count, rattled):
    """Crystals like urea, each of a name, all with shieldings."""
    rng = np.random.default_rng(int(rattled))
    lattice = " ".join(str(x) for x in urea.cell.ravel())
    text = ""
    for k in range(count):
        text += (
            f'{len(urea)}\nLattice="{lattice}" Properties=species:S:1:pos:R:3:CS:R:1 NAME=X{k}\n'
        )
        for element, xyz in zip(urea.elements, urea.positions, strict=True):
            place = xyz + (rng.normal(0, 0.02, 3) if rattled else 0.0)
            label = 30.0 + k + (rng.normal(0, 1.0) if rattled else 0.0)
            text += f"{element} {place[0]} {place[1]} {place[2]} {label}\n"
    path.write_text(text)
    return path


def test_both_files_count_and_the_tensors_stay(folder, urea, tmp_path):
    relaxed = write(tmp_path / "a.xyz", urea, 9, rattled=False)
    rattled = write(tmp_path / "b.xyz", urea, 9, rattled=True)
    before, _ = read_tensors(folder / "compact-O.safetensors")
    write_manifest(folder, default="compact", data="", licence="")
    annotate([folder / "compact-O.safetensors"], [urea])  # and the manifest is out of date
    told = []
    (made,) = recalibrate(folder, relaxed, [rattled], device="cpu", on_note=told.append).values()
    # Crystals 0 and 8 validate; each has one distinct oxygen, and so have their copies.
    assert (made.n, made.crystals, made.members) == (4, 2, 1)
    assert made.kinds["carbonyl/carboxyl"].n == 4
    after, _ = read_tensors(folder / "compact-O.safetensors")
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert load(folder / "compact-O.safetensors")[1].calibration == made.to_dict()
    assert "carbonyl/carboxyl" in told[0]
    assert "likelihood" in told[0]


def test_no_networks(urea, tmp_path):
    path = write(tmp_path / "a.xyz", urea, 1, rattled=False)
    with pytest.raises(WeightsError, match="no networks"):
        recalibrate(tmp_path, path, device="cpu")


def test_no_validation_crystals(folder, urea, tmp_path):
    path = write(tmp_path / "a.xyz", urea, 0, rattled=False)
    path.write_text("")
    with pytest.raises(TrainingError):
        recalibrate(folder, path, device="cpu")
