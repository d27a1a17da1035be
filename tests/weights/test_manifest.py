"""A manifest is written and read again; one that wants more than it may is refused."""

from __future__ import annotations

import json
import os

import pytest

from shiftcli.errors import WeightsError
from shiftcli.network.checkpoint import Metadata, save
from shiftcli.network.densenet import Architecture, MR3DDenseNet
from shiftcli.weights import find_networks, obtain, packaged, read_manifest, write_manifest
from shiftcli.weights.manifest import SCHEMA, check_name

FILE = "tiny-C.safetensors"


def refuse(folder, message="broken manifest"):
    with pytest.raises(WeightsError, match=message) as caught:
        find_networks(folder)
    text = str(caught.value)
    assert text.startswith(str(folder / "manifest.json"))
    assert "\n" not in text
    assert len(text) < 500
    return text


def test_written_manifest_is_read_again(copy):
    before = find_networks(copy)
    (copy / "manifest.json").unlink()
    write_manifest(copy, default="tiny", data="d", licence="l", url="https://a.org/b")
    assert find_networks(copy) == before
    manifest = read_manifest(copy / "manifest.json")
    model = manifest.models["tiny"]
    assert (manifest.default, model.url) == ("tiny", "https://a.org/b")
    carbon = model.networks[1]
    assert (carbon.nucleus, carbon.member, carbon.file) == ("C", 1, FILE)
    assert (carbon.data, carbon.licence) == ("d", "l")
    assert carbon.validation == {"rmse": 1.5, "crystals": 9}
    assert carbon.bytes == (copy / FILE).stat().st_size
    assert manifest.to_json() != (copy / "manifest.json").read_text()  # files in order of names
    assert sorted(os.listdir(copy)) == sorted(["manifest.json", *(f.path.name for f in before)]), (
        "nothing else was left"
    )


def test_the_packaged_manifest_is_what_would_be_written():
    path = packaged("weights") / "manifest.json"
    values = json.loads(path.read_text())
    assert values["schema"] == SCHEMA
    files = {n["file"] for n in values["networks"]}
    assert files == {f.name for f in path.parent.glob("*.safetensors")}
    named = {f"compact-{n['nucleus']}-{n['member']}.safetensors" for n in values["networks"]}
    assert named == files
    assert all(n["data"] and n["licence"] and n["minimum_version"] for n in values["networks"])
    read_manifest(path)


def test_figures_that_are_not_known_are_left_out(copy):
    architecture = Architecture("tiny", 4, 4, stem_channels=2, units=(1,), bottleneck=2, growth=1)
    figures = {"rmse": None, "crystals": 3}
    metadata = Metadata("C", 1.0, 1.0, architecture, "frames", figures)
    save(copy / FILE, MR3DDenseNet(architecture), metadata)
    write_manifest(copy, default="tiny", data="", licence="")
    assert read_manifest(copy / "manifest.json").models["tiny"].networks[1].validation == {
        "crystals": 3
    }


def test_nothing_to_write(copy):
    with pytest.raises(WeightsError, match="no networks of the model other"):
        write_manifest(copy, default="other", data="", licence="")
    (copy / FILE).rename(copy / "tïny-C.safetensors")
    with pytest.raises(WeightsError, match="is not the name of a network's file"):
        write_manifest(copy, default="tiny", data="", licence="")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "5", '{"schema": 1}', '{"schema": "2"}', "\x00", "[" * 9999, "\udcff",
     '{"schema": 2, "default": 5, "networks": []}', '{"schema": 2, "default": "a"}',
     '{"schema": 2, "default": "a", "networks": []}',
     '{"schema": 2, "default": "a", "networks": 5}',
     '{"schema": 2, "default": "a", "networks": [5]}'],
    ids=lambda text: repr(text[:40]),
)  # fmt: skip
def test_broken_manifest(copy, text):
    (copy / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refuse(copy)


def test_manifest_of_a_newer_program(copy, spoil):
    spoil(copy, whole=True, schema=SCHEMA + 1)
    assert "install a newer shiftcli" in refuse(copy, f"schema {SCHEMA + 1}, this program reads")


def test_manifest_that_is_too_large(copy):
    with open(copy / "manifest.json", "ab") as handle:
        handle.write(b" " * 1_000_000)
    refuse(copy, "larger than 1000000 bytes")


NAMES = [
    "../tiny-C.safetensors", "/etc/tiny-C.safetensors", "a/tiny-C.safetensors", "/etc/passwd",
    "a\\tiny-C.safetensors", "..\\tiny-C.safetensors", "C:tiny-C.safetensors",
    "C:\\tiny-C.safetensors", "\\\\host\\tiny-C.safetensors", "~/tiny-C.safetensors",
    "tiny-C.safetensors\0", "tiny-C.safetensors\n", "ti\nny-C.safetensors", "tiny-C.pkl",
    "tiny-C.safetensors.py", "tiny-C.pt", "tiny-C.safetensors ", "tiny-C.safetensors.",
    "tiny-C.safetensors:stream", "nul-C.safetensors", "CON-C.safetensors", "com1.x-C.safetensors",
    "-rf-C.safetensors", ".tiny-C.safetensors", "..-C.safetensors", "tïny-C.safetensors",
    "\u202etiny-C.safetensors", "[red]-C.safetensors", "a" * 99 + "-C.safetensors", "", "..",
    "manifest.json", None, 5, ["tiny-C.safetensors"], "tiny-C-99999999999.safetensors",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:30])
def test_names_that_lead_elsewhere(copy, spoil, name):
    spoil(copy, file=name)
    refuse(copy)
    with pytest.raises(ValueError, match="is not the name of a network's file"):
        check_name(name)


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(name, str)], ids=repr)
def test_nothing_is_written_outside_the_cache(copy, spoil, name, tmp_path, cache):
    """Whatever a manifest at an address names, no file appears, be it in the cache or not."""
    text = (copy / "manifest.json").read_text().replace('"tiny', '"far')
    (copy / "manifest.json").write_text(text)
    spoil(copy, file=name.replace("tiny", "far"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WeightsError, match="broken manifest"):
        obtain(["far"], url=str(copy))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "../../tmp"}, {"model": "other"}, {"model": None}, {"model": ["tiny"]},
        {"nucleus": "Fe"}, {"nucleus": "H"}, {"nucleus": None}, {"member": 2}, {"member": True},
        {"member": "1"}, {"bytes": 0}, {"bytes": -1}, {"bytes": 1.5}, {"bytes": True},
        {"bytes": 10**12}, {"sha256": "0"}, {"sha256": None}, {"sha256": "G" * 64},
        {"sha256": "0" * 64 + "\n"}, {"data": 5}, {"data": "\x1b[31m"}, {"licence": "a\nb"},
        {"validation": []}, {"validation": {"rmse": "1"}}, {"validation": {"rmse": True}},
        {"validation": {"rmse": float("nan")}}, {"validation": {"rmse": 10**400}},
        {"minimum_version": "new"}, {"minimum_version": 1}, {"minimum_version": "1." * 50 + "1"},
        {"file": "tiny-H.safetensors", "nucleus": "H"}, {"file": "TINY-H.safetensors"},
    ],
    ids=lambda changes: ",".join(f"{k}={str(v)[:20]!r}" for k, v in changes.items()),
)  # fmt: skip
def test_entries_that_make_no_sense(copy, spoil, changes):
    spoil(copy, **changes)
    refuse(copy)


def test_names_that_differ_in_case_only(copy, spoil):
    values = json.loads((copy / "manifest.json").read_text())
    first = values["networks"][0]
    values["networks"].append({**first, "model": "TINY", "file": "TINY-C.safetensors"})
    (copy / "manifest.json").write_text(json.dumps(values))
    assert "a file is named twice" in refuse(copy)


def test_missing_keys_are_named(copy):
    values = json.loads((copy / "manifest.json").read_text())
    del values["networks"][0]["sha256"]
    (copy / "manifest.json").write_text(json.dumps(values))
    assert "no 'sha256'" in refuse(copy)


def test_keys_of_later_programs_are_passed_over(copy, spoil):
    before = find_networks(copy)
    spoil(copy, loader="os.system", entry_point="evil:main")
    spoil(copy, whole=True, plugins=["evil"])
    assert find_networks(copy) == before
