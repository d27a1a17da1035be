"""Networks to and from safetensors, and files that are not what they should be."""

from __future__ import annotations

import errno
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shiftcli.checkpoint import Metadata, amend, load, read_tensors, save, write_tensors
from shiftcli.errors import WeightsError
from shiftcli.network import PRESETS, Architecture, MR3DDenseNet

CALIBRATION = {
    "members": 2, "floor": 1.5, "between": 0.0, "within": 2.0, "q68": 1.1, "q95": 2.6,
    "n": 40, "crystals": 9, "coverage68": 0.7, "coverage95": None,
}  # fmt: skip

METADATA = Metadata(
    nucleus="C",
    mean=101.25,
    scale=10.0,
    architecture=PRESETS["compact"],
    orientation="frames",
    validation={"rmse": 5.5, "n": 1234.0},
    training={"seed": 3, "data": ["a.xyz"]},
    calibration=CALIBRATION,
)


@pytest.fixture(scope="module")
def network() -> MR3DDenseNet:
    """A network whose running statistics are not the initial ones."""
    torch.manual_seed(0)
    made = MR3DDenseNet(PRESETS["compact"]).train()
    with torch.no_grad():
        made(torch.rand(4, 20, 16, 16, 16))
    return made.eval()


@pytest.fixture(scope="module")
def good(network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("good") / "compact-C.safetensors"
    save(path, network, METADATA, half=True)
    return path


def outputs(network: MR3DDenseNet) -> torch.Tensor:
    torch.manual_seed(1)
    with torch.inference_mode():
        return network(torch.rand(6, 20, 16, 16, 16))


def refuse(path: Path, message: str = "cannot use this network") -> None:
    """Loading must fail in one line that names the file."""
    with pytest.raises(WeightsError, match=message) as caught:
        load(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert "train or download it again" in text


def rewrite(good: Path, path: Path, *, change=None, **values) -> Path:
    """Copy a good file with other metadata or tensors."""
    tensors, header = read_tensors(good)
    metadata = {**json.loads(header["shiftcli"]), **values}
    metadata = {k: v for k, v in metadata.items() if v is not None}
    if change:
        change(tensors)
    write_tensors(path, tensors, {"shiftcli": json.dumps(metadata)})
    return path


def test_round_trip_is_exact(network, tmp_path):
    path = tmp_path / "n.safetensors"
    save(path, network, METADATA)
    loaded, metadata = load(path)
    assert metadata == METADATA
    assert not loaded.training
    assert loaded.architecture == network.architecture
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert torch.equal(outputs(loaded), outputs(network))


def test_paper_preset_and_other_architectures_are_rebuilt(tmp_path):
    architecture = Architecture("mine", 4, 2, grids=(4.0, 10.0), kernel="slater", dropout=0.2)
    path = tmp_path / "n.safetensors"
    save(path, MR3DDenseNet(architecture), replace(METADATA, architecture=architecture))
    loaded, metadata = load(path)
    assert metadata.architecture == architecture
    assert loaded.features[0][0].in_channels == 8


def test_half_storage_halves_the_file_and_keeps_the_outputs(network, good, tmp_path):
    full = tmp_path / "full.safetensors"
    save(full, network, METADATA)
    assert good.stat().st_size < 0.52 * full.stat().st_size
    for name, tensor in read_tensors(good)[0].items():
        if tensor.is_floating_point():
            assert tensor.dtype == (torch.float16 if tensor.ndim > 1 else torch.float32), name
    loaded, _ = load(good)
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    for name, p in network.named_parameters():
        error = (loaded.get_parameter(name) - p).abs()
        assert (error <= 2.0**-11 * p.abs() + 2.0**-25).all(), name
    reference = outputs(network)
    difference = (outputs(loaded) - reference).abs().max()
    assert 0 < difference < 0.01 * reference.abs().max()


def test_saving_is_reproducible(network, good, tmp_path):
    again = tmp_path / "again.safetensors"
    save(again, network, METADATA, half=True)
    assert again.read_bytes() == good.read_bytes()


def test_missing_file(tmp_path):
    refuse(tmp_path / "nowhere.safetensors", "nowhere")


def test_directory_in_place_of_a_file(tmp_path):
    refuse(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 8, 200, 0.5, 0.999])
def test_truncated_file(good, tmp_path, keep):
    content = good.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    refuse(path)


def test_appended_bytes(good, tmp_path):
    path = tmp_path / "long.safetensors"
    path.write_bytes(good.read_bytes() + b"\0" * 16)
    refuse(path)


def test_flipped_bits_of_the_header_never_escape_as_another_error(good, tmp_path):
    content = good.read_bytes()
    length = int.from_bytes(content[:8], "little")
    path = tmp_path / "flipped.safetensors"
    refused = []
    positions = [*range(20), *range(20, 8 + length, length // 60)]
    for position in positions:
        broken = bytearray(content)
        broken[position] ^= 1  # mostly still text, so it has to be found by what it says
        path.write_bytes(broken)
        try:
            load(path)
        except WeightsError as error:
            refused.append(str(error))
    # A letter in a free-text field cannot be noticed here; weights.py has hashes for that.
    assert len(refused) > 0.8 * len(positions)
    assert not any("\n" in text for text in refused)


def test_other_files_are_not_networks(tmp_path):
    path = tmp_path / "n.safetensors"
    for content in (b"data_quartz\n_cell_length_a 4.9\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(99)):
        path.write_bytes(content)
        refuse(path)


def test_safetensors_of_another_program(tmp_path):
    path = tmp_path / "n.safetensors"
    write_tensors(path, {"weight": torch.zeros(3)}, {"format": "pt"})
    refuse(path, "not a network of shiftcli")


class Payload:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_are_never_loaded(tmp_path):
    plain, zipped = tmp_path / "plain.safetensors", tmp_path / "torch.safetensors"
    plain.write_bytes(pickle.dumps(Payload(tmp_path / "executed")))
    torch.save({"network": Payload(tmp_path / "executed")}, zipped)
    for path in (plain, zipped):
        refuse(path)
    assert not (tmp_path / "executed").exists()
    pickle.loads(plain.read_bytes())
    assert (tmp_path / "executed").exists(), "the payload would have worked"


def wrong_shape(tensors):
    tensors["head.0.weight"] = tensors["head.0.weight"][:, :-1].contiguous()


def missing_tensor(tensors):
    del tensors["features.1.units.2.0.0.weight"]


def not_a_number(tensors):
    tensors["features.0.0.weight"][3, 2, 1, 0, 1] = torch.nan


def infinite(tensors):
    tensors["head.1.running_var"][7] = torch.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_shape, "size mismatch for head.0.weight"),
        (missing_tensor, "Missing key.*units.2.0.0.weight"),
        (not_a_number, "not finite"),
        (infinite, "not finite"),
    ],
)
def test_tensors_that_do_not_fit(good, tmp_path, change, message):
    refuse(rewrite(good, tmp_path / "n.safetensors", change=change), message)


@pytest.mark.parametrize(
    "values",
    [
        {"format": 2},
        {"format": None},
        {"nucleus": None},
        {"mean": None},
        {"mean": "high"},
        {"mean": float("nan")},
        {"scale": float("inf")},
        {"architecture": None},
        {"architecture": {"name": "paper"}},
        {"architecture": {**PRESETS["compact"].to_dict(), "kernel": "lorentzian"}},
        {"architecture": {**PRESETS["compact"].to_dict(), "depth": 9}},
        {"architecture": {**PRESETS["compact"].to_dict(), "grids": [4.0]}},
        {"architecture": 5},
        {"surprise": 1},
        {"calibration": []},
        {"calibration": "good"},
        {"calibration": {"floor": 1.0}},
        {"calibration": {**CALIBRATION, "width": 1.0}},
        {"calibration": {**CALIBRATION, "members": 0}},
        {"calibration": {**CALIBRATION, "members": 2.0}},
        {"calibration": {**CALIBRATION, "members": True}},
        {"calibration": {**CALIBRATION, "floor": 0.0}},
        {"calibration": {**CALIBRATION, "floor": float("nan")}},
        {"calibration": {**CALIBRATION, "between": -0.1}},
        {"calibration": {**CALIBRATION, "within": "2"}},
        {"calibration": {**CALIBRATION, "within": None}},
        {"calibration": {**CALIBRATION, "q68": 3.0}},
        {"calibration": {**CALIBRATION, "q95": float("inf")}},
        {"calibration": {**CALIBRATION, "coverage95": 1.2}},
        {"calibration": {**CALIBRATION, "coverage68": float("nan")}},
    ],
    ids=lambda values: ",".join(values),
)
def test_metadata_that_make_no_sense(good, tmp_path, values):
    refuse(rewrite(good, tmp_path / "n.safetensors", **values))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '"compact"'])
def test_metadata_that_are_not_an_object(good, tmp_path, text):
    path = tmp_path / "n.safetensors"
    write_tensors(path, read_tensors(good)[0], {"shiftcli": text})
    refuse(path)


def test_files_of_before_have_no_calibration(good, tmp_path):
    _, metadata = load(rewrite(good, tmp_path / "n.safetensors", calibration=None))
    assert metadata == replace(METADATA, calibration={})


def test_amended_files_keep_their_tensors(network, tmp_path):
    path = tmp_path / "n.safetensors"
    save(path, network, replace(METADATA, calibration={}), half=True)
    before, _ = read_tensors(path)
    amend(path, calibration=CALIBRATION)
    after, _ = read_tensors(path)
    assert load(path)[1] == METADATA
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype, name
        assert after[name].numpy().tobytes() == tensor.numpy().tobytes(), name


def test_only_networks_are_amended(tmp_path):
    path = tmp_path / "n.safetensors"
    path.write_bytes(b"something else")
    with pytest.raises(WeightsError, match="cannot use this network"):
        amend(path, calibration=CALIBRATION)
    assert path.read_bytes() == b"something else"


def test_writing_leaves_one_file(network, tmp_path):
    path = tmp_path / "n.safetensors"
    save(path, network, METADATA)
    save(path, network, METADATA, half=True)
    assert os.listdir(tmp_path) == ["n.safetensors"]
    load(path)


@pytest.mark.parametrize("step", ["save", "fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file(network, tmp_path, monkeypatch, step):
    path = tmp_path / "n.safetensors"
    path.write_bytes(b"the old file")

    def crash(*args, **kwargs):
        raise OSError("disk full")

    if step == "save":
        import safetensors.torch

        monkeypatch.setattr(safetensors.torch, "save_file", crash)
    else:
        monkeypatch.setattr(os, step, crash)
    with pytest.raises(OSError, match="disk full"):
        save(path, network, METADATA)
    assert os.listdir(tmp_path) == ["n.safetensors"]
    assert path.read_bytes() == b"the old file"


def test_a_disk_that_fills_up_leaves_the_old_file(network, tmp_path):
    """A limit on the size of files is what a full disk is like, but for the words."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "n.safetensors"
    path.write_bytes(b"the old file")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            save(path, network, METADATA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (caught.value.errno, caught.value.strerror) == (errno.EFBIG, "File too large")
    assert os.listdir(tmp_path) == ["n.safetensors"]
    assert path.read_bytes() == b"the old file"


def test_an_error_of_safetensors_that_no_disk_made(tmp_path, monkeypatch):
    import safetensors
    import safetensors.torch

    def crash(*args, **kwargs):
        raise safetensors.SafetensorError("something else")

    monkeypatch.setattr(safetensors.torch, "save_file", crash)
    with pytest.raises(OSError, match="something else"):
        write_tensors(tmp_path / "n", {}, {})
    assert os.listdir(tmp_path) == []
