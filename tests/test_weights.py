"""The networks are found, and every one verified before use."""

import json
import shutil

import pytest

from shiftcli.checkpoint import Metadata, save
from shiftcli.errors import WeightsError
from shiftcli.network import PRESETS, MR3DDenseNet
from shiftcli.weights import VARIABLE, find_networks, packaged, write_manifest


@pytest.fixture
def copy(tmp_path):
    """A copy of the packaged networks that a test may spoil."""
    folder = tmp_path / "weights"
    shutil.copytree(packaged("weights"), folder)
    return folder


def spoil(copy, **changes):
    manifest = copy / "manifest.json"
    values = json.loads(manifest.read_text())
    values["networks"][0].update(changes)
    manifest.write_text(json.dumps(values))


def test_packaged_set_is_complete_and_sound():
    found = find_networks()
    assert sorted({f.nucleus for f in found}) == ["C", "H", "N", "O"]
    manifest = json.loads((packaged("weights") / "manifest.json").read_text())
    by_name = {entry["file"]: entry for entry in manifest["networks"]}
    for file in found:
        entry = by_name[file.path.name]
        assert file.sha256 == entry["sha256"]
        assert 30 <= entry["validation"]["crystals"] <= 50  # those that have the nucleus
        assert entry["validation"]["rmse"] > 0
        assert file.path.stat().st_mode & 0o444 == 0o444  # others may read an installed set


def test_one_flipped_bit_is_caught(copy):
    path = find_networks(copy)[1].path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="differs from its manifest") as caught:
        find_networks(copy)
    assert path.name in str(caught.value)


def test_truncated_file_is_caught(copy):
    path = find_networks(copy)[0].path
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="differs from its manifest"):
        find_networks(copy)


def test_missing_file_is_named(copy):
    path = find_networks(copy)[0].path
    path.unlink()
    with pytest.raises(WeightsError, match="missing") as caught:
        find_networks(copy)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "a/b.safetensors"])
def test_manifest_cannot_point_elsewhere(copy, name):
    spoil(copy, file=name)
    with pytest.raises(WeightsError, match="broken manifest"):
        find_networks(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', "\x00"])
def test_broken_manifest(copy, text):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match="broken manifest"):
        find_networks(copy)


def test_directory_of_a_training_run(tmp_path):
    metadata = Metadata("N", 100.0, 30.0, PRESETS["compact"], "frames", {"rmse": 12.0})
    save(tmp_path / "compact-N.safetensors", MR3DDenseNet(PRESETS["compact"]), metadata)
    (tmp_path / "C.state.safetensors").write_bytes(b"unfinished")
    (found,) = find_networks(tmp_path)
    assert (found.model, found.nucleus) == ("compact", "N")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("compact-H", ("compact", "H")),
        ("compact-O-12", ("compact", "O")),
        ("mr-arch-C", ("mr-arch", "C")),
        ("mr-arch-H-1", ("mr-arch", "H")),
        ("a-H-b-N-2", ("a-H-b", "N")),
        ("best-N-C", ("best-N", "C")),
        ("H-1", None),
        ("compact-Fe", None),
        ("compact-h", None),
        ("compact-H-", None),
        ("compact-H-last", None),
        ("compact", None),
        ("-H", None),
    ],
)
def test_names_of_models_may_hold_dashes(tmp_path, name, expected):
    (tmp_path / f"{name}.safetensors").write_bytes(b"weights")
    if expected is None:
        with pytest.raises(WeightsError, match="no networks in this directory"):
            find_networks(tmp_path)
    else:
        (found,) = find_networks(tmp_path)
        assert (found.model, found.nucleus) == expected


def test_environment_variable(copy, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(copy))
    assert {f.path.parent for f in find_networks()} == {copy}


@pytest.mark.parametrize("make", [True, False])
def test_nothing_there(tmp_path, make):
    folder = tmp_path / "none"
    if make:
        folder.mkdir()
    with pytest.raises(WeightsError, match="networks"):
        find_networks(folder)


def test_written_manifest_is_read_again(copy):
    before = [(f.nucleus, f.sha256) for f in find_networks(copy)]
    (copy / "manifest.json").unlink()
    write_manifest(copy, default="compact", data="d", licence="l")
    assert [(f.nucleus, f.sha256) for f in find_networks(copy)] == before
