"""Whatever a server does, a verified file is there in the end, or a clear error and no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import requests

from shiftcli.errors import UsageError, WeightsError
from shiftcli.weights import obtain
from shiftcli.weights.download import Address, Transfer, fetch, parse_address, shown

FILE = "tiny-C.safetensors"


def files(folder):
    """All files below a folder, finished or not, hidden or not."""
    return sorted(p.name for p in folder.rglob("*") if not p.is_dir())


def is_sound(folder, published):
    """Whether a folder holds the published networks and nothing else."""
    names = files(published)
    networks = [name for name in names if name != "manifest.json"]
    assert files(folder) == names
    return all((folder / n).read_bytes() == (published / n).read_bytes() for n in networks)


@pytest.mark.parametrize(
    ("acts", "pauses"),
    [
        (["normal"], 0),
        (["slow"], 0),
        (["without_length"], 0),
        (["dropped", "normal"], 1),
        (["dropped_without_length", "normal"], 1),
        (["hang_up", "normal"], 1),
        (["other", "normal"], 1),
        ([503, 503, "normal"], 2),
        ([503, "dropped", 500, "normal"], 3),
    ],
    ids=str,
)
def test_it_comes_in_the_end(acts, pauses, server, package, published, cache, waits):
    server.play(FILE, *acts)
    (folder,) = obtain(url=server.url)
    assert folder.parent == cache
    assert is_sound(folder, published)
    assert len(waits) == pauses
    assert os.listdir(cache) == [folder.name]


@pytest.mark.parametrize(
    ("acts", "message", "asked"),
    [
        (["dropped"], "127.0.0.1 breaks off half-way", 4),
        (["dropped_without_length"], r"has \d+ bytes in place of \d+", 4),
        (["hang_up"], "no connection to 127.0.0.1", 4),
        (["other"], "not the file that the manifest names: another SHA-256", 4),
        ([503], "503 Service Unavailable", 4),
        (["shorter"], r"has \d+ bytes in place of \d+, so it is not the file", 1),
        (["longer"], r"has \d+ bytes in place of \d+, so it is not the file", 1),
        (["endless"], r"has more than \d+ bytes", 1),
        ([404], "404 Not Found", 1),
        ([403], "403 Forbidden", 1),
        (["redirect /tiny-C.safetensors"], "redirects without end", 6),
        (["redirect http://example.org/x"], "http://example.org/x, which is not https", 1),
        (["redirect http://user:word@192.0.2.1/x?key=1"], r"to http://192.0.2.1/x, which", 1),
        (["redirect file:///etc/passwd"], "file:///etc/passwd, which is no web address", 1),
    ],
    ids=str,
)
def test_it_never_comes(acts, message, asked, server, package, published, cache):
    server.play(FILE, *acts)
    with pytest.raises(WeightsError, match=message) as caught:
        obtain(url=server.url)
    text = str(caught.value)
    assert "\n" not in text
    assert f"cannot download {FILE}" in text
    (folder,) = cache.iterdir()
    # Carbon comes after hydrogen: that one is there and sound, and nothing else.
    assert files(cache) == ["tiny-H.safetensors"]
    assert f"copy {FILE}, tiny-N.safetensors, tiny-O.safetensors" in text
    assert f"to {folder})" in text
    assert server.asked.count(f"/{FILE}") == asked

    server.play(FILE, "normal")
    obtain(url=server.url)
    assert is_sound(folder, published)
    assert server.asked.count("/tiny-H.safetensors") == 1, "what was there did not come again"


def test_a_redirection_on_this_machine_is_followed(server, package, published, cache):
    server.play(FILE, f"redirect {server.url}elsewhere/{FILE}", "normal")
    (folder,) = obtain(url=server.url)
    assert is_sound(folder, published)
    assert f"/elsewhere/{FILE}" in server.asked


def test_no_connection(server, package, cache):
    server.close()
    with pytest.raises(WeightsError, match=r"no connection to 127\.0\.0\.1") as caught:
        obtain(url=server.url)
    (folder,) = cache.iterdir()
    names = ", ".join(f"tiny-{nucleus}.safetensors" for nucleus in "HCNO")
    assert caught.value.hint == f"or copy {names} from another machine to {folder}"
    assert files(cache) == []


def test_a_server_that_falls_silent(server, package, cache, monkeypatch):
    monkeypatch.setattr("shiftcli.weights.download._SILENCE", 0.05)
    server.play("tiny-H.safetensors", "silent")
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1 does not answer"):
        obtain(url=server.url)
    assert files(cache) == []


def test_a_server_that_never_comes_to_an_end(server, package, cache, monkeypatch):
    clock = iter(range(0, 10**6, 40))
    monkeypatch.setattr(
        "shiftcli.weights.download.time", SimpleNamespace(monotonic=lambda: next(clock))
    )
    server.play("tiny-H.safetensors", "slow")
    with pytest.raises(WeightsError, match="more slowly than 2000 bytes a second"):
        obtain(url=server.url)
    assert files(cache) == []


def test_copied_by_hand_as_the_error_says(package, published, cache):
    with pytest.raises(WeightsError, match="no address to download from is known"):
        obtain()
    (folder,) = cache.iterdir()
    for path in published.glob("*.safetensors"):
        (folder / path.name).write_bytes(path.read_bytes())
    assert obtain() == [folder]


@pytest.mark.parametrize("form", ["path", "file", "file with host"])
def test_directories_and_files(form, package, published, cache):
    url = {"path": str(published), "file": published.as_uri()}.get(
        form, published.as_uri().replace("file://", "file://localhost")
    )
    (folder,) = obtain(url=url)
    assert is_sound(folder, published)


def test_a_directory_that_lacks_a_file(package, copy, cache):
    (copy / FILE).unlink()
    with pytest.raises(WeightsError, match=rf"{FILE}: no such file"):
        obtain(url=str(copy))
    os.mkfifo(copy / FILE)
    with pytest.raises(WeightsError, match=rf"{FILE}: no such file"):
        obtain(url=str(copy))


@pytest.mark.parametrize(
    "text",
    ["https://", "http://127.0.0.1:x/", "https://a/b?c", "https://a/#d", "ftp://a/b", "s3:b"],
)
def test_what_is_no_address(text):
    with pytest.raises(UsageError):
        parse_address(text)


def test_passwords_are_not_shown():
    assert shown("https://me:secret@host:8/a?token=1") == "https://host:8/a"
    with pytest.raises(UsageError) as caught:
        parse_address("http://me:secret@example.org/")
    assert "secret" not in str(caught.value)
    assert parse_address("https://me:secret@example.org").shown == "https://example.org/"


def test_plain_http_is_for_this_machine_or_on_demand(monkeypatch):
    for own in ("http://localhost/a", "http://127.0.0.1:80", "http://[::1]/", "https://a.org"):
        assert parse_address(own).is_remote
    for far in ("http://a.org/", "HTTP://a.org/", "http://localhost.a.org/", "http://10.0.0.1/"):
        with pytest.raises(UsageError, match=r"not https.*--allow-http"):
            parse_address(far)
        assert parse_address(far, allow_http=True).allow_http
    monkeypatch.setenv("SHIFTCLI_ALLOW_HTTP", "1")
    assert parse_address("http://a.org/").allow_http


@pytest.mark.parametrize(
    ("start", "target", "allowed", "goes_on"),
    [
        ("https://a.org/x", "https://b.org/y", False, True),
        ("https://a.org/x", "/y", False, True),
        ("https://a.org/x", "//b.org/y", False, True),
        ("https://a.org/x", "http://a.org/x", False, False),
        ("https://a.org/x", "http://127.0.0.1/x", False, False),
        ("https://a.org/x", "http://a.org/x", True, True),
        ("http://127.0.0.1/x", "http://localhost/x", False, True),
        ("http://127.0.0.1/x", "http://a.org/x", False, False),
        ("https://a.org/x", "ftp://a.org/x", True, False),
    ],
)
def test_where_a_redirection_may_lead(start, target, allowed, goes_on):
    transfer = Transfer(Address("https://a.org/", allowed), "x", 1, exact=True)
    response = requests.Response()
    response.url, response.status_code = start, 302
    response.headers["location"] = target
    if goes_on:
        transfer._check(response)
    else:
        with pytest.raises(WeightsError, match="redirected"):
            transfer._check(response)


def test_progress_is_told(server, package, published):
    told = []
    obtain(url=server.url, progress=lambda *report: told.append(report))
    for nucleus in "HCNO":
        file = f"tiny-{nucleus}.safetensors"
        size = (published / file).stat().st_size
        assert [r for r in told if r[0] == file][-1] == (file, size, size)


def test_a_file_without_a_hash_has_a_largest_size(server, tmp_path):
    address = parse_address(server.url)
    server.play("manifest.json", "endless")
    with pytest.raises(WeightsError, match="more than 1000 bytes"):
        fetch(address, "manifest.json", tmp_path, size=1000, sha256=None)
    assert files(tmp_path) == []


def test_two_processes_at_once(server, published, cache):
    """Both are in the midst of it at the same time; each ends with all networks verified."""
    for nucleus in "HCNO":
        server.play(f"tiny-{nucleus}.safetensors", "slow")
    code = (
        "from shiftcli.weights import find_networks, obtain; "
        "print(obtain(['tiny'])[0]); print(len(find_networks('tiny')))"
    )
    environment = {**os.environ, "SHIFTCLI_WEIGHTS_URL": server.url}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    # Not before both have ended: what is not whole yet lies beside.
    (folder,) = cache.iterdir()
    assert [stdout.split() for stdout, _ in told] == [[str(folder), "4"]] * 2
    assert is_sound(folder, published)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_stopped_half_way(sent, server, published, cache):
    """What a killed process leaves is neither used nor in the way, and goes after a day."""
    server.play("tiny-N.safetensors", "silent", "normal")
    environment = {**os.environ, "SHIFTCLI_WEIGHTS_URL": server.url}
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from shiftcli.weights import obtain; obtain(['tiny'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while "/tiny-N.safetensors" not in server.asked and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(sent)
    process.wait(timeout=60)
    left = list(cache.glob(".unfinished-*"))
    assert len(left) == (sent == signal.SIGKILL)
    for folder in left:
        os.utime(folder, (0, 0))
    (folder,) = obtain(["tiny"], url=server.url)
    assert is_sound(folder, published)
    assert list(cache.iterdir()) == [folder]
