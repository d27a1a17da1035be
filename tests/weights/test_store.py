"""The cache: nothing half-written, nothing outside it, and what was put there can be removed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from shiftcli.errors import WeightsError
from shiftcli.weights import cache_folder, find_networks, obtain, remove
from shiftcli.weights.manifest import hash_of


def files(folder):
    """All files below a folder, hidden or not."""
    return sorted(p.name for p in folder.rglob("*") if not p.is_dir())


def test_where_it_is(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache" / "weights"
    monkeypatch.setenv("SHIFTCLI_CACHE", "near")
    assert cache_folder() == Path.cwd() / "near" / "weights"
    monkeypatch.setenv("SHIFTCLI_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert cache_folder().is_relative_to(tmp_path)
    assert cache_folder().parts[-2:] == ("shiftcli", "weights")


def test_a_disk_that_fills_up(package, published, cache):
    """A limit on the size of files is what a full disk is like, but for the words."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(WeightsError, match="cannot write to the cache: File too") as caught:
            obtain(url=str(published))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.hint == "SHIFTCLI_CACHE names another folder for it"
    assert files(cache) == []
    obtain(url=str(published))
    assert len(files(cache)) == 5


@pytest.mark.parametrize("step", ["mkdir", "fsync", "replace"])
def test_a_disk_that_refuses(step, package, published, cache, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "mkdir" else os, step, refuse)
        with pytest.raises(WeightsError, match="cannot write to the cache: Read-only file system"):
            obtain(url=str(published))
    assert files(cache) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_is_read_only(package, published, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o500)
    with pytest.raises(WeightsError, match="cannot write to the cache: Permission denied"):
        obtain(url=str(published))


def test_a_cache_that_is_read_only_is_used(package, published, cache, monkeypatch):
    (folder,) = obtain(url=str(published))

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    assert {file.path.parent for file in find_networks()} == {folder}


def test_a_file_in_place_of_the_cache(package, published, cache):
    cache.parent.write_text("a file")
    with pytest.raises(WeightsError, match="cannot write to the cache: Not a directory"):
        obtain(url=str(published))


def test_a_folder_that_leads_out_of_the_cache(package, published, cache, tmp_path):
    (folder,) = obtain(url=str(published))
    outside = tmp_path / "outside"
    folder.rename(outside)
    (outside / "tiny-H.safetensors").unlink()
    folder.symlink_to(outside)
    with pytest.raises(WeightsError, match="a link that leads out of the cache"):
        obtain(url=str(published))
    assert not (outside / "tiny-H.safetensors").exists()


@pytest.mark.parametrize("kind", ["link", "hard link"])
def test_a_link_in_place_of_a_file_is_replaced_itself(kind, package, published, cache, tmp_path):
    (folder,) = obtain(url=str(published))
    precious = tmp_path / "precious"
    precious.write_bytes(b"something of the user's")
    path = folder / "tiny-H.safetensors"
    path.unlink()
    if kind == "link":
        path.symlink_to(precious)
    else:
        path.hardlink_to(precious)
    obtain(url=str(published))
    assert precious.read_bytes() == b"something of the user's"
    assert not path.is_symlink()
    assert path.read_bytes() == (published / path.name).read_bytes()


def test_others_may_read_what_was_downloaded(package, published):
    (folder,) = obtain(url=str(published))
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o444 == 0o444, path


def test_versions_lie_side_by_side(package, published, copy, spoil, cache):
    """An older and a newer program never take each other's networks away."""
    (first,) = obtain(url=str(published))
    path = package / "manifest.json"
    old = path.read_text()
    (copy / "tiny-C.safetensors").write_bytes((copy / "tiny-H.safetensors").read_bytes())
    spoil(package, sha256=hash_of(copy / "tiny-C.safetensors"))
    (second,) = obtain(url=str(copy))
    assert first != second
    path.write_text(old)
    assert {file.path.parent for file in find_networks()} == {first}
    assert sorted(p for p, _ in remove(["tiny"])) == sorted([first, second])


def test_remove(package, published, cache):
    assert remove(everything=True) == []
    with pytest.raises(WeightsError, match="'tiny' is not in the cache"):
        remove(["tiny"])
    (folder,) = obtain(url=str(published))
    size = sum(path.stat().st_size for path in folder.iterdir())
    (cache / "of the user's").mkdir()
    (cache / "file-000000000000").write_text("no folder")
    assert remove(["tiny"]) == [(folder, size)]
    assert sorted(p.name for p in cache.iterdir()) == ["file-000000000000", "of the user's"]
    (folder,) = obtain(url=str(published))
    assert remove(everything=True) == [(folder, size)]


def test_remove_follows_no_link(package, published, cache, tmp_path):
    (folder,) = obtain(url=str(published))
    folder.rename(tmp_path / "outside")
    folder.symlink_to(tmp_path / "outside")
    assert remove(["tiny"]) == [(folder, 0)]
    assert not folder.is_symlink()
    assert len(files(tmp_path / "outside")) == 5
