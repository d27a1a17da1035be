"""The networks are found where they should be, and every one verified before use."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest

from shiftcli.errors import UsageError, WeightsError
from shiftcli.prediction.predictor import Predictor
from shiftcli.weights import find_networks, folder_of, obtain, packaged

FILE = "tiny-C.safetensors"


def folders(found):
    """The directories that networks are in."""
    return {file.path.parent for file in found}


@pytest.fixture
def whole(package, published):
    """A package that holds its model."""
    for path in published.glob("*.safetensors"):
        shutil.copyfile(path, package / path.name)
    return package


@pytest.fixture
def group(tmp_path, copy):
    """A folder with a model of somebody else's, which no program knows."""
    folder = tmp_path / "group"
    folder.mkdir()
    values = json.loads((copy / "manifest.json").read_text())
    for entry in values["networks"]:
        named = entry["file"].replace("tiny", "group")
        shutil.copyfile(copy / entry["file"], folder / named)
        entry.update(model="group", file=named)
    values["default"] = "group"
    (folder / "manifest.json").write_text(json.dumps(values))
    return folder


def test_packaged_set_is_complete_and_sound():
    found = find_networks()
    assert sorted({f.nucleus for f in found}) == ["C", "H", "N", "O"]
    manifest = json.loads((packaged("weights") / "manifest.json").read_text())
    by_name = {entry["file"]: entry for entry in manifest["networks"]}
    for file in found:
        entry = by_name[file.path.name]
        assert file.sha256 == entry["sha256"]
        assert 500 <= entry["validation"]["crystals"] <= 796  # those that have the nucleus
        assert entry["validation"]["folds"] == 4  # errors out of fold
        assert entry["validation"]["rmse"] > 0
        assert file.path.stat().st_mode & 0o444 == 0o444  # others may read an installed set


def test_one_flipped_bit_anywhere_is_caught(copy, flip):
    path, generator = copy / FILE, random.Random(0)
    size = 8 * path.stat().st_size
    some = generator.sample(range(size), 100)
    for bit in (0, 7, 8 * 8, *some, size - 8, size - 1):
        flip(path, bit)
        with pytest.raises(WeightsError, match="differs from its manifest") as caught:
            find_networks(copy)
        assert path.name in str(caught.value)
        flip(path, bit)
    assert len(find_networks(copy)) == 4


def test_one_flipped_bit_is_caught_without_a_manifest_too(copy, flip):
    (copy / "manifest.json").unlink()
    assert len(Predictor(copy, device="cpu").files) == 4
    flip(copy / FILE)
    with pytest.raises(WeightsError, match="its content is not what its digest") as caught:
        Predictor(copy, device="cpu")
    assert FILE in str(caught.value)


def test_truncated_file_is_caught(copy):
    (copy / FILE).write_bytes((copy / FILE).read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"differs from its manifest: \d+ bytes in place of"):
        find_networks(copy)


def test_swapped_files_are_caught(copy):
    (copy / FILE).rename(copy / "kept")
    (copy / "tiny-H.safetensors").rename(copy / FILE)
    (copy / "kept").rename(copy / "tiny-H.safetensors")
    with pytest.raises(WeightsError, match="differs from its manifest"):
        find_networks(copy)


@pytest.mark.parametrize("instead", ["nothing", "directory", "pipe", "dangling link"])
def test_missing_file_is_named(copy, instead):
    path = copy / FILE
    path.unlink()
    {
        "nothing": lambda: None,
        "directory": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "dangling link": lambda: path.symlink_to(copy / "nowhere"),
    }[instead]()
    with pytest.raises(WeightsError, match="missing") as caught:
        find_networks(copy)
    assert FILE in str(caught.value)


def test_directory_of_a_training_run(copy):
    (copy / "manifest.json").unlink()
    (copy / "C.state.safetensors").write_bytes(b"unfinished")
    assert [(f.model, f.nucleus) for f in find_networks(copy)] == [("tiny", n) for n in "HCNO"]


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
        ("compact-H-²", None),
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


@pytest.mark.parametrize("make", [True, False])
def test_nothing_there(tmp_path, make):
    folder = tmp_path / "none"
    if make:
        folder.mkdir()
    with pytest.raises(WeightsError, match="networks"):
        find_networks(folder)


def test_order_of_the_places(whole, copy, published, cache, monkeypatch):
    assert folders(find_networks()) == {whole}
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", str(published))
    assert folders(find_networks()) == {whole}, "nothing is downloaded that is there"
    assert not cache.exists()

    (whole / FILE).rename(whole / "away")
    (folder,) = obtain()
    (whole / "away").rename(whole / FILE)
    assert folders(find_networks()) == {folder}, "the cache comes before the package"
    assert folder.parent == cache

    monkeypatch.setenv("SHIFTCLI_WEIGHTS", str(copy))
    assert folders(find_networks()) == {copy} == {folder_of()}
    assert folders(find_networks("tiny")) == {folder} == {folder_of("tiny")}
    monkeypatch.setenv("SHIFTCLI_WEIGHTS", "tiny")
    assert folders(find_networks()) == {folder}
    assert folders(find_networks(published)) == {published}


def test_a_directory_comes_before_a_model_of_its_name(whole, copy, tmp_path, monkeypatch):
    copy.rename(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    assert folders(find_networks("tiny")) == {Path("tiny")}


def test_first_use_downloads(package, published, server, cache, monkeypatch, caplog):
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", server.url)
    predictor = Predictor(device="cpu")
    (folder,) = cache.iterdir()
    assert folders(predictor.files) == {folder}
    asked = len(server.asked)
    monkeypatch.delenv("SHIFTCLI_WEIGHTS_URL")
    assert folders(find_networks()) == {folder}
    assert len(server.asked) == asked == 4
    (record,) = caplog.records
    assert record.getMessage() == "note: fetching the model tiny (0.6 MB)"


def test_only_a_model_that_is_not_here_is_fetched(whole, group, copy, cache, monkeypatch):
    """Neither the default model nor a directory touches the cache; a name does, at first use."""
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", str(group))
    assert folders(Predictor(device="cpu").files) == {whole}
    assert folders(Predictor(copy, device="cpu").files) == {copy}
    monkeypatch.setenv("SHIFTCLI_WEIGHTS", str(copy))
    assert folders(Predictor(device="cpu").files) == {copy}
    assert not cache.parent.exists()
    predictor = Predictor("group", device="cpu")
    (folder,) = cache.iterdir()
    assert folders(predictor.files) == {folder}
    assert {file.model for file in predictor.files} == {"group"}


def test_the_address_of_the_manifest(package, published, server, cache, spoil):
    spoil(package, whole=True, url=server.url)
    assert folders(find_networks()) == set(cache.iterdir())


@pytest.mark.parametrize("damage", ["flipped", "truncated", "swapped"])
def test_damage_in_the_cache_is_healed(damage, package, published, server, flip, caplog):
    (folder,) = obtain(url=server.url)
    path = folder / FILE
    if damage == "flipped":
        flip(path)
    elif damage == "truncated":
        os.truncate(path, 100)
    else:
        shutil.copyfile(folder / "tiny-H.safetensors", path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHIFTCLI_WEIGHTS_URL", server.url)
        assert folders(find_networks()) == {folder}
    assert path.read_bytes() == (published / FILE).read_bytes()
    assert server.asked.count(f"/{FILE}") == 2
    assert len(server.asked) == 5, "the others did not come again"
    (record,) = caplog.records
    assert record.getMessage().startswith(f"note: {path}: network differs from its manifest")
    assert record.getMessage().endswith("; a good one was fetched")


def test_damage_in_the_cache_is_never_used(package, published, server, flip, monkeypatch):
    (folder,) = obtain(url=server.url)
    flip(folder / FILE)
    server.play(FILE, "other")
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", server.url)
    with pytest.raises(WeightsError) as caught:
        find_networks()
    text = str(caught.value)
    assert text.startswith(f"{folder / FILE}: network differs from its manifest")
    assert f"copy {FILE} from another machine to {folder}" in text


def test_damage_in_the_cache_leads_to_the_package(whole, published, cache, flip, caplog):
    flip(whole / FILE)
    (folder,) = obtain(url=str(published))
    flip(whole / FILE)
    flip(folder / FILE)
    assert folders(find_networks()) == {whole}
    (record,) = caplog.records
    assert "those of the package are used" in record.getMessage()
    # Repaired from the package: no address is needed.
    assert obtain() == [folder]
    assert folders(find_networks()) == {folder}


def test_half_a_model_in_the_cache_is_passed_over(whole, published, cache, caplog):
    (whole / FILE).rename(whole / "away")
    (folder,) = obtain(url=str(published))
    (whole / "away").rename(whole / FILE)
    (folder / FILE).unlink()
    assert folders(find_networks()) == {whole}
    assert caplog.records == []


def test_damage_in_the_package(whole, published, cache, flip, monkeypatch, caplog):
    flip(whole / FILE)
    with pytest.raises(WeightsError, match="differs from its manifest") as caught:
        find_networks()
    assert str(whole / FILE) in str(caught.value)
    assert "no address to download from is known" in str(caught.value)
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", str(published))
    assert folders(find_networks()) == set(cache.iterdir())
    assert str(whole / FILE) in caplog.records[0].getMessage()


def test_models_of_others(whole, group, server, monkeypatch):
    with pytest.raises(WeightsError, match=r"nor a model \(known: tiny\)"):
        find_networks("group")
    server.folder = group
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", server.url)
    found = find_networks("group")
    assert [f.path.name for f in found] == [f"group-{n}.safetensors" for n in "HCNO"]
    with pytest.raises(WeightsError, match=r"known: tiny, group\)"):
        find_networks("grouse")
    server.close()
    monkeypatch.delenv("SHIFTCLI_WEIGHTS_URL")
    assert find_networks("group") == found
    assert folder_of("group") == found[0].path.parent


def test_a_model_of_others_is_healed_from_where_it_came(whole, group, server, flip):
    server.folder = group
    (folder,) = obtain(["group"], url=server.url.replace("//", "//me:secret@"))
    assert "secret" not in (folder / "manifest.json").read_text()
    flip(folder / "group-O.safetensors")
    assert folders(find_networks("group")) == {folder}
    assert server.asked.count("/group-O.safetensors") == 2


def test_no_password_in_an_error(package, server):
    server.folder = package / "empty"
    with pytest.raises(WeightsError, match="404 Not Found") as caught:
        obtain(["group"], url=server.url.replace("//", "//me:secret@"))
    assert caught.value.where == f"{server.url}manifest.json"
    assert "secret" not in str(caught.value)


def test_nobody_takes_the_name_of_an_own_model(whole, copy):
    """A server with other networks of the same name, and a manifest of them, is of no use."""
    shutil.copyfile(copy / "tiny-H.safetensors", copy / FILE)
    (copy / FILE).write_bytes((copy / FILE).read_bytes()[::-1])
    own = json.loads((copy / "manifest.json").read_text())
    own["networks"][0]["sha256"] = hashlib.sha256((copy / FILE).read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(own))
    assert own["networks"][0]["file"] == FILE
    assert obtain(everything=True, url=str(copy)) == [whole]
    (whole / FILE).unlink()
    with pytest.raises(WeightsError, match="is not the file that the manifest names"):
        obtain(url=str(copy))


def test_all_models(whole, group, published, cache, caplog):
    found = obtain(everything=True, url=str(group))
    assert whole in found
    assert len(found) == 2
    assert obtain(["tiny", "group"], url=str(group)) == found[::-1]
    (group / "manifest.json").unlink()
    assert obtain(everything=True, url=str(group)) == [whole]
    assert "no further models" in caplog.records[0].getMessage()


@pytest.mark.parametrize("way", ["directory", "own", "address"])
def test_networks_of_a_newer_program(way, whole, copy, spoil, monkeypatch):
    folder = whole if way == "own" else copy
    spoil(folder, minimum_version="99.1")
    if way == "address":
        text = (copy / "manifest.json").read_text().replace("tiny", "far")
        (copy / "manifest.json").write_text(text)
        monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", str(copy))
    weights = {"directory": copy, "own": None, "address": "far"}[way]
    with pytest.raises(WeightsError, match=r"needs shiftcli 99\.1, this is") as caught:
        find_networks(weights)
    assert caught.value.hint == "install a newer shiftcli"


def test_the_model_that_is_not_here_says_how_to_get_it(package, cache):
    with pytest.raises(WeightsError, match="not on this machine") as caught:
        folder_of()
    assert "shiftcli weights download tiny" in str(caught.value)
    assert str(cache) in str(caught.value)


def test_an_address_that_is_none(package, monkeypatch):
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", "gopher://a.org/")
    with pytest.raises(UsageError, match="https, file or a directory"):
        find_networks()
