"""What networks have learned from, in their files."""

from dataclasses import replace

import pytest
import torch

from shiftcli.errors import UsageError
from shiftcli.network.checkpoint import Metadata, load, save
from shiftcli.network.densenet import PRESETS, MR3DDenseNet
from shiftcli.network.precedents import annotate, describe_training


def test_families_and_fingerprints(urea):
    crystals = [replace(urea, name=name) for name in ("a", "a-rattled", "b", "")]
    found = describe_training(crystals, ["a", "a", "b", "c"])
    assert [f.name for f in found["fingerprints"]] == ["a", "b", ""]
    assert found["environments"]["O0(C3)"] == 3
    assert describe_training(crystals)["environments"]["O0(C3)"] == 4
    with pytest.raises(UsageError, match="2 families of 4 crystals"):
        describe_training(crystals, ["a", "b"])


def test_they_stand_in_the_file(urea, tmp_path):
    path = tmp_path / "compact-H.safetensors"
    torch.manual_seed(0)
    network = MR3DDenseNet(PRESETS["compact"])
    save(path, network, Metadata("H", 25.0, 1.0, PRESETS["compact"], "frames"), half=True)
    assert load(path)[1].environments == {}
    annotate([path], [urea])
    _, metadata = load(path)
    described = describe_training([urea])
    assert metadata.environments == described["environments"]
    assert metadata.fingerprints == described["fingerprints"]
