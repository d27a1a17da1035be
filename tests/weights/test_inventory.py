"""What there is, where, and in what state."""

from __future__ import annotations

import os
import shutil

import pytest

from shiftcli.errors import WeightsError
from shiftcli.weights import list_networks, obtain, verify
from shiftcli.weights.manifest import hash_of

FILE = "tiny-C.safetensors"


def states(rows):
    return {(row.path.parent, row.path.name): row.reason for row in rows}


def test_where_networks_are(package, published, cache):
    assert {(r.origin, r.folder) for r in list_networks()} == {("to download", None)}
    for path in published.glob("*.safetensors"):
        shutil.copyfile(path, package / path.name)
    rows = list_networks()
    assert [r.network.nucleus for r in rows] == list("HCNO")
    assert {(r.origin, r.folder, r.is_default) for r in rows} == {("package", package, True)}
    (package / FILE).unlink()
    (folder,) = obtain(url=str(published))
    assert {(r.origin, r.folder) for r in list_networks()} == {("cache", folder)}


def test_models_of_others(package, copy, cache):
    text = (copy / "manifest.json").read_text().replace('"tiny', '"far')
    (copy / "manifest.json").write_text(text)
    for nucleus in "HCNO":
        (copy / f"tiny-{nucleus}.safetensors").rename(copy / f"far-{nucleus}.safetensors")
    assert len(list_networks()) == 4
    offered = [r for r in list_networks(str(copy)) if r.network.model == "far"]
    assert [(r.origin, r.is_default) for r in offered] == [("to download", False)] * 4
    (folder,) = obtain(["far"], url=str(copy))
    here = [r for r in list_networks(str(copy)) if r.network.model == "far"]
    assert [(r.origin, r.folder) for r in here] == [("cache", folder)] * 4


def test_another_version_in_the_cache(package, published, copy, spoil):
    (folder,) = obtain(url=str(published))
    spoil(package, sha256=hash_of(copy / "tiny-H.safetensors"))
    rows = list_networks()
    assert [r.origin for r in rows] == ["to download"] * 4 + ["cache, another version"] * 4
    assert {r.folder for r in rows[4:]} == {folder}


@pytest.mark.parametrize("text", ["", "{}", "null"])
def test_folders_that_are_no_models_are_passed_over(package, cache, text):
    (cache / "tiny-000000000000").mkdir(parents=True)
    (cache / "tiny-000000000000" / "manifest.json").write_text(text)
    assert len(list_networks()) == 4
    assert verify() == []


def test_every_copy_is_verified(package, published, cache, flip):
    assert verify() == []
    (folder,) = obtain(url=str(published))
    for path in published.glob("*.safetensors"):
        shutil.copyfile(path, package / path.name)
    assert len(verify()) == 8
    assert set(states(verify()).values()) == {""}
    flip(folder / FILE)
    os.truncate(package / "tiny-O.safetensors", 9)
    wrong = {k: reason for k, reason in states(verify(["tiny"])).items() if reason}
    assert wrong == {
        (folder, FILE): "network differs from its manifest: another SHA-256",
        (package, "tiny-O.safetensors"): wrong[package, "tiny-O.safetensors"],
    }
    assert "9 bytes in place of" in wrong[package, "tiny-O.safetensors"]


def test_directories_are_verified(copy, flip, monkeypatch):
    assert set(states(verify([copy])).values()) == {""}
    (copy / "manifest.json").unlink()
    flip(copy / FILE)
    shutil.copyfile(copy / "tiny-O.safetensors", copy / "tiny-N.safetensors")
    for found in (verify([copy]), _by_variable(copy, monkeypatch)):
        reasons = {row.nucleus: row.reason for row in found}
        assert (reasons["H"], reasons["O"]) == ("", "")
        assert "its content is not what its digest" in reasons["C"]
        assert reasons["N"] == "a network of O named as one of N"
        assert not any(row.is_listed for row in found)


def _by_variable(folder, monkeypatch):
    monkeypatch.setenv("SHIFTCLI_WEIGHTS", str(folder))
    return [row for row in verify() if row.path.parent == folder]


def test_a_hash_that_is_right_does_not_make_a_network(copy, spoil):
    """A manifest may vouch for anything; it still has to be a network before it is used."""
    path = copy / FILE
    path.write_bytes(b"\x80\x04cos\nsystem\n")
    spoil(copy, bytes=path.stat().st_size, sha256=hash_of(path))
    (wrong,) = [row for row in verify([copy]) if row.reason]
    assert wrong.path == path
    assert wrong.reason.startswith("cannot use this network")


def test_nothing_to_verify(package, tmp_path):
    with pytest.raises(WeightsError, match="no networks of 'tiny' on this machine"):
        verify(["tiny"])
    with pytest.raises(WeightsError, match="no such directory"):
        verify([tmp_path / "nowhere"])
    with pytest.raises(WeightsError, match="no networks of"):
        verify([tmp_path])
