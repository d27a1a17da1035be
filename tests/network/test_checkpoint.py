"""Networks to and from safetensors, and files that are not what they should be."""

from __future__ import annotations

import errno
import json
import os
import pickle
import random
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shiftcli.errors import WeightsError
from shiftcli.network.checkpoint import (
    FORMAT,
    Metadata,
    amend,
    header_of,
    load,
    read_tensors,
    save,
    write_tensors,
)
from shiftcli.network.densenet import PRESETS, Architecture, MR3DDenseNet
from shiftcli.structure.fingerprint import Fingerprint

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
    fingerprints=(Fingerprint("UREAXX", "C2 H8 N4 O2", (4.68, 5.58, 5.58)),),
    environments={"C0(N3,N3,O1)": 4, "O0(C3)": 120},
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
    """Copy a good file with other metadata or tensors, and the digest that befits them."""
    tensors, header = read_tensors(good)
    metadata = {**json.loads(header["shiftcli"]), **values}
    metadata = {k: v for k, v in metadata.items() if v is not None and k != "digest"}
    if change:
        change(tensors)
    write_tensors(path, tensors, header_of(json.dumps(metadata), tensors))
    return path


def of_before(good: Path, path: Path) -> Path:
    """Copy a good file as the first program wrote it, without a digest."""
    tensors, header = read_tensors(good)
    metadata = {**json.loads(header["shiftcli"]), "format": 1}
    del metadata["digest"]
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


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> bytes:
    """The file of a network so small that hundreds of broken copies can be tried."""
    architecture = Architecture("tiny", 4, 4, stem_channels=2, units=(1,), bottleneck=2, growth=1)
    path = tmp_path_factory.mktemp("tiny") / "tiny-C.safetensors"
    metadata = replace(METADATA, architecture=architecture, training={"note": 'Öl, ½ "x"\n'})
    save(path, MR3DDenseNet(architecture), metadata, half=True)
    load(path)
    return path.read_bytes()


def flipped(content: bytes, bits) -> list[int]:
    """The bits whose change goes unnoticed when the file is loaded."""
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flipped-C.safetensors"
        for bit in bits:
            broken = bytearray(content)
            broken[bit // 8] ^= 1 << bit % 8
            path.write_bytes(broken)
            with suppress(WeightsError):
                load(path)
                unnoticed.append(bit)
    return unnoticed


def test_one_flipped_bit_of_the_header_is_noticed(tiny):
    header = 8 + int.from_bytes(tiny[:8], "little")
    some = random.Random(1).sample(range(64, 8 * header), 400)
    assert flipped(tiny, [*range(64), *some, *range(8 * header - 64, 8 * header)]) == []


def test_one_flipped_bit_of_the_tensors_is_noticed(tiny):
    header, size = 8 + int.from_bytes(tiny[:8], "little"), len(tiny)
    some = random.Random(2).sample(range(8 * header, 8 * size), 200)
    assert flipped(tiny, [*some, *range(8 * size - 8, 8 * size)]) == []


def test_a_digest_that_is_missing_or_of_another_file(good, tmp_path):
    tensors, header = read_tensors(good)
    text = header["shiftcli"]
    own = text[-66:-2]
    bare = text.replace(f', "digest": "{own}"', "")
    for wrong in (bare, text.replace(own, own[::-1]), text.replace(own, own.upper()), text + " "):
        path = tmp_path / "n.safetensors"
        write_tensors(path, tensors, {"shiftcli": wrong})
        refuse(path, "its content is not what its digest")


def test_files_of_before_have_no_digest(good, tmp_path):
    _, metadata = load(of_before(good, tmp_path / "n.safetensors"))
    assert metadata == METADATA


def test_an_architecture_far_larger_than_its_file_takes_no_memory(good, tmp_path):
    resource = pytest.importorskip("resource")
    huge = {**PRESETS["paper"].to_dict(), "stem_channels": 4096, "bottleneck": 4096}
    huge |= {"growth": 4096, "units": [16, 16]}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refuse(rewrite(good, tmp_path / "n.safetensors", architecture=huge), "missing tensor")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000  # kB on Linux; the layers would take 100 GB


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


def surplus_tensor(tensors):
    tensors["features.9.weight"] = torch.zeros(2)


def double_precision(tensors):
    tensors["features.0.0.weight"] = tensors["features.0.0.weight"].double()


def whole_numbers(tensors):
    tensors["head.1.running_var"] = tensors["head.1.running_var"].to(torch.int32)


def broken_counter(tensors):
    tensors["head.1.num_batches_tracked"] = torch.tensor(1.0)


def infinite(tensors):
    tensors["head.1.running_var"][7] = torch.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_shape, r"shape of head.0.weight is \(256, 511\) in place of \(256, 512\)"),
        (missing_tensor, "missing tensor features.1.units.2.0.0.weight"),
        (surplus_tensor, "unexpected tensor features.9.weight"),
        (double_precision, "type of features.0.0.weight is torch.float64"),
        (whole_numbers, "type of head.1.running_var is torch.int32"),
        (broken_counter, "type of head.1.num_batches_tracked is torch.float32"),
        (not_a_number, "not finite"),
        (infinite, "not finite"),
    ],
)
def test_tensors_that_do_not_fit(good, tmp_path, change, message):
    refuse(rewrite(good, tmp_path / "n.safetensors", change=change), message)


@pytest.mark.parametrize(
    "values",
    [
        {"format": FORMAT + 1},
        {"format": 0},
        {"format": "2"},
        {"format": True},
        {"format": None},
        {"nucleus": None},
        {"nucleus": "Fe"},
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
        {"mean": 10**400},
        {"mean": True},
        {"scale": 0.0},
        {"scale": -(10**400)},
        {"orientation": "upside down"},
        {"orientation": None},
        {"validation": []},
        {"validation": {"rmse": float("nan")}},
        {"validation": {"rmse": 1e300}},
        {"environments": {"C4(C4)": 10**30}},
        {"validation": {"rmse": 10**400}},
        {"training": "long"},
        {"environments": []},
        {"environments": {"O2()": 0}},
        {"environments": {"O2()": 1.5}},
        {"environments": {"O2()": "many"}},
        {"fingerprints": "none"},
        {"fingerprints": [{"name": "a"}]},
        {"fingerprints": [{"name": 1, "formula": "C1", "lengths": []}]},
        {"fingerprints": [{"name": "a", "formula": "C1", "lengths": [10**400]}]},
        {"fingerprints": [{"name": "a", "formula": "C1", "lengths": 3.0}]},
        {"calibration": []},
        {"calibration": {**CALIBRATION, "floor": 10**400}},
        {"calibration": "good"},
        {"calibration": {"floor": 1.0}},
        {"calibration": {**CALIBRATION, "width": 1.0}},
        {"calibration": {**CALIBRATION, "members": 0}},
        {"calibration": {**CALIBRATION, "members": 2.0}},
        {"calibration": {**CALIBRATION, "members": True}},
        {"calibration": {**CALIBRATION, "floor": 0.0}},
        {"calibration": {**CALIBRATION, "floor": float("nan")}},
        {"calibration": {**CALIBRATION, "floor": 1e200}},
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


def test_files_of_before_have_less(good, tmp_path):
    nothing = {"calibration": None, "fingerprints": None, "environments": None}
    _, metadata = load(rewrite(good, tmp_path / "n.safetensors", **nothing))
    assert metadata == replace(METADATA, calibration={}, fingerprints=(), environments={})


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
