"""A committee of two real networks is calibrated, stored, and predicts with its own widths."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from shiftcli.density.environments import surroundings
from shiftcli.errors import TrainingError, WeightsError
from shiftcli.network.checkpoint import Metadata, amend, load, load_folded, read_tensors, save
from shiftcli.network.densenet import PRESETS, MR3DDenseNet
from shiftcli.prediction.committee import predict_committee
from shiftcli.prediction.predictor import Predictor
from shiftcli.training.atoms import collect_atoms
from shiftcli.training.committee import calibrate, judge, store_calibration
from shiftcli.training.sources import load_levels

CPU = torch.device("cpu")
RMSE = (3.0, 4.0)


def write_members(folder, nucleus="O"):
    """Two untrained networks with statistics of their own, so that outputs differ at all."""
    paths = []
    for seed, rmse in enumerate(RMSE):
        torch.manual_seed(seed)
        network = MR3DDenseNet(PRESETS["compact"]).train()
        with torch.no_grad():
            for _ in range(20):
                network(torch.rand(4, 20, 16, 16, 16))
        metadata = Metadata(nucleus, 30.0, 40.0, PRESETS["compact"], "frames", {"rmse": rmse})
        paths.append(folder / f"compact-{nucleus}-{seed}.safetensors")
        save(paths[-1], network, metadata, half=True)
    return paths


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return write_members(tmp_path_factory.mktemp("members"))


@pytest.fixture
def files(originals, tmp_path):
    paths = [tmp_path / path.name for path in originals]
    for old, new in zip(originals, paths, strict=True):
        new.write_bytes(old.read_bytes())
    return paths


@pytest.fixture(scope="module")
def samples(labelled_file):
    crystals = load_levels([labelled_file]).main
    return collect_atoms({k: crystals[k] for k in range(8)}, "O")


@pytest.fixture(scope="module")
def calibrated(originals, samples):
    judged = judge(originals, samples, CPU, dtype=torch.bfloat16)
    return calibrate(judged, 2), judged.rmse


def sites(folder, urea):
    return Predictor(folder, device="cpu").predict(urea).sites


def test_members_are_averaged_and_their_variance_is_known(originals, samples):
    members = [load(path) for path in originals]
    some = samples.environments()[:5]
    both = predict_committee(members, some, CPU)
    alone = [predict_committee([member], some, CPU) for member in members]
    first, second = (a.shielding for a in alone)
    assert both.shielding == pytest.approx((first + second) / 2)
    assert both.between == pytest.approx((first - second) ** 2 / 2)
    assert both.within == pytest.approx((alone[0].within + alone[1].within) / 2)
    assert all((a.between == 0).all() for a in alone)
    assert both.between.min() > 0
    assert both.within.max() > 0


def test_figures_are_those_of_the_mean(calibrated, originals, samples):
    calibration, rmse = calibrated
    members = [load_folded(path, CPU, torch.bfloat16) for path in originals]
    found = predict_committee(members, samples.environments(), CPU, dtype=torch.bfloat16)
    error = found.shielding - samples.reference
    assert rmse == pytest.approx(np.sqrt(np.average(error**2, weights=samples.weights)), rel=1e-6)
    assert (calibration.members, calibration.n, calibration.crystals) == (2, len(samples), 8)
    half68, half95 = calibration.half_widths(found.between, found.within)
    for half, level in ((half68, 0.68), (half95, 0.95)):
        inside = np.average(np.abs(error) <= half, weights=samples.weights)
        assert level <= inside < level + 0.13


def test_stored_calibration_widens_where_members_disagree(calibrated, files, urea):
    # The floor of these untrained networks hides all else: a law that does not.
    calibration = replace(calibrated[0], floor=0.1, between=2.0, within=3.0, q68=1.5, q95=4.0,
                          kinds={}, terms={})  # fmt: skip
    before = [read_tensors(path)[0] for path in files]
    store_calibration(files, calibration)
    for path, old in zip(files, before, strict=True):
        new = read_tensors(path)[0]
        assert new.keys() == old.keys()
        assert all(new[k].numpy().tobytes() == old[k].numpy().tobytes() for k in old)
        assert load(path)[1].calibration == calibration.to_dict()
        assert load(path)[1].validation == {"rmse": RMSE[files.index(path)]}
    (row,) = sites(files[0].parent, urea)
    found = predict_committee([load(p) for p in files], surroundings(urea, [row.site]), CPU)
    scale = np.sqrt(0.01 + 2.0 * found.between[0] + 3.0 * found.within[0])
    assert row.uncertainty == pytest.approx(1.5 * scale)
    assert row.uncertainty95 == pytest.approx(4.0 * scale)
    assert scale > 0.2


def uncalibrated(row):
    rms = np.sqrt(np.mean(np.square(RMSE)))
    return (row.uncertainty, row.uncertainty95) == pytest.approx((rms, 1.96 * rms))


def test_without_calibration(files, urea):
    (row,) = sites(files[0].parent, urea)
    assert uncalibrated(row)


def test_half_a_committee_calibrated(calibrated, files, urea):
    amend(files[1], calibration=calibrated[0].to_dict())
    assert uncalibrated(*sites(files[0].parent, urea))
    other = replace(calibrated[0], floor=9.0)
    amend(files[0], calibration=other.to_dict())
    assert uncalibrated(*sites(files[0].parent, urea))


def test_a_member_that_is_gone(calibrated, files, urea):
    store_calibration(files, calibrated[0])
    (before,) = sites(files[0].parent, urea)
    assert not uncalibrated(before)
    files[1].unlink()
    (row,) = sites(files[0].parent, urea)
    assert row.uncertainty == pytest.approx(RMSE[0])


def test_one_network(originals, samples):
    calibration = calibrate(judge(originals[:1], samples, CPU), 1)
    assert (calibration.members, calibration.between) == (1, 0.0)


def test_calibration_of_another_number(calibrated, files):
    with pytest.raises(WeightsError, match="2 networks is not one of 1"):
        store_calibration(files[:1], calibrated[0])
    assert load(files[0])[1].calibration == {}


def test_two_nuclei_are_no_committee(files, samples, tmp_path):
    other = tmp_path / "compact-N.safetensors"
    network, metadata = load(files[0])
    save(other, network, replace(metadata, nucleus="N"))
    with pytest.raises(WeightsError, match="one nucleus"):
        judge([files[0], other], samples, CPU)


def test_no_validation_samples(files):
    with pytest.raises(TrainingError, match="no atoms"):
        calibrate(judge(files, collect_atoms({}, "O"), CPU), 2)


def test_a_full_disk_leaves_the_files(calibrated, files, monkeypatch):
    before = [path.read_bytes() for path in files]

    def crash(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(TrainingError, match="No space left"):
        store_calibration(files, calibrated[0])
    assert [path.read_bytes() for path in files] == before
    assert sorted(p.name for p in files[0].parent.iterdir()) == [p.name for p in files]
