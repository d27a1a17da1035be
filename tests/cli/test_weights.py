"""`shiftcli weights`, and models that are downloaded when another command asks for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from shiftcli.network.checkpoint import Metadata, save
from shiftcli.network.densenet import Architecture, MR3DDenseNet
from shiftcli.network.precedents import annotate
from shiftcli.weights import packaged, write_manifest


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with a model ``group`` of small networks."""
    folder = tmp_path_factory.mktemp("published")
    layers = Architecture("tiny", 4, 4, stem_channels=2, units=(1,), bottleneck=2, growth=1)
    for nucleus in "HC":
        metadata = Metadata(nucleus, 30.0, 5.0, layers, "frames", {"rmse": 1.5, "crystals": 9})
        save(folder / f"group-{nucleus}.safetensors", MR3DDenseNet(layers), metadata)
    write_manifest(folder, default="group", data="own crystals", licence="CC BY 4.0")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for name in ("SHIFTCLI_WEIGHTS", "SHIFTCLI_WEIGHTS_URL", "SHIFTCLI_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHIFTCLI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def test_show(main, published, tmp_path, urea):
    done = main("weights", "show", str(published))
    assert done.returncode == 0
    assert "do not say what the networks have learned from" in done.stdout + done.stderr
    for path in published.glob("*.safetensors"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    annotate(sorted(tmp_path.glob("*.safetensors")), [urea])
    done = main("weights", "show", str(tmp_path))
    assert "C0(N3,N3,O1)" in done.stdout
    found = json.loads(main("weights", "show", str(tmp_path), "--format", "json").stdout)
    assert {"species": "1H", "environment": "H-N2(C3)", "training_crystals": 1} in found[
        "environments"
    ]


def test_list(main, published):
    done = main("weights", "list")
    assert done.returncode == 0
    assert done.stderr == ""
    listed = [line for line in done.stdout.splitlines() if line.startswith("compact  *")]
    shipped = len(list(packaged("weights").glob("*.safetensors")))
    assert len(listed) == shipped
    rows = json.loads(main("weights", "list", "--url", published, "--format", "json").stdout)
    assert len(rows) == shipped + 2
    group = rows[-2:]
    assert [(row["model"], row["nucleus"], row["member"]) for row in group] == [
        ("group", "H", 1), ("group", "C", 1),
    ]  # fmt: skip
    assert group[0]["validation"] == {"rmse": 1.5, "crystals": 9}
    assert (group[0]["data"], group[0]["licence"]) == ("own crystals", "CC BY 4.0")
    assert (group[0]["origin"], group[0]["folder"]) == ("to download", None)
    assert rows[0]["folder"] == str(packaged("weights"))


def test_from_download_to_removal(main, published, cache):
    done = main("weights", "download", "group", "--url", published)
    (folder,) = cache.iterdir()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{folder}\n", "")
    assert main("weights", "path", "group").stdout == f"{folder}\n"
    assert main("weights", "path", "--cache").stdout == f"{cache}\n"
    assert main("weights", "path").stdout == f"{packaged('weights')}\n"

    done = main("weights", "verify", "group")
    assert done.returncode == 0
    assert done.stdout.count("sound") == 2
    os.truncate(folder / "group-H.safetensors", 50)
    done = main("weights", "verify", "group", "--format", "json")
    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert [bool(row["reason"]) for row in rows] == [True, False]
    assert "1 of 2 files are wrong" in done.stderr

    assert main("weights", "download", "group").returncode == 0, "where it came from is known"
    assert main("weights", "verify", "group").returncode == 0
    done = main("weights", "remove", "group")
    assert done.returncode == 0
    assert done.stderr.startswith(f"removed {folder}")
    assert main("weights", "remove", "group").returncode == 1
    assert list(cache.iterdir()) == []


def test_all_for_a_machine_without_internet(main, published, cache):
    done = main("weights", "download", "--all", "--url", published)
    (folder,) = cache.iterdir()
    assert done.stdout.splitlines() == [str(folder), str(packaged("weights"))]
    done = main("weights", "download", "--all")
    assert done.stdout.splitlines() == [str(packaged("weights"))]
    done = main("weights", "remove", "--all")
    assert done.returncode == 0
    assert "nothing" in main("weights", "remove", "--all").stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["download", "nope"], 1, "'nope' is neither a directory of networks nor a model"),
        (["download", "--url", "http://example.org/"], 2, "not https"),
        (["download", "nope", "--url", "gopher://a/"], 2, "https, file or a directory"),
        (["path", "nope"], 1, "(known: compact)"),
        (["path", "compact", "--cache"], 2, "one folder for all models"),
        (["path", "no/such"], 1, "no such directory"),
        (["verify", "nope"], 1, "no networks of 'nope' on this machine"),
        (["remove"], 2, "name the models to remove, or --all"),
        (["remove", "compact", "--all"], 2, "name the models to remove, or --all"),
        (["remove", "compact"], 1, "'compact' is not in the cache"),
        (["list", "--url", "/nowhere"], 1, "no such file"),
    ],
)
def test_errors_are_one_line(main, arguments, status, message):
    done = main("weights", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_predict_downloads_a_model_at_first_use(shiftcli, published, cache, urea_path):
    arguments = ("predict", urea_path, "--weights", "group", "--format", "json")
    there, nowhere = ({"SHIFTCLI_WEIGHTS_URL": url} for url in (str(published), "/nowhere"))
    first = shiftcli(*arguments, **there)
    assert first.returncode == 0, first.stderr
    (folder,) = cache.iterdir()
    hashes = json.loads(first.stdout)["weights"]
    assert sorted(hashes) == ["group-C.safetensors", "group-H.safetensors"]

    path = folder / "group-C.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 128
    path.write_bytes(content)
    done = shiftcli(*arguments, **nowhere)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {path}: network differs from its manifest")
    assert f"copy group-C.safetensors from another machine to {folder}" in done.stderr
    assert done.stderr.count("\n") == 1

    done = shiftcli(*arguments, **there)
    assert done.stdout == first.stdout
    assert done.stderr.startswith(f"note: {path}: network differs from its manifest")
    assert "a good one was fetched\n" in done.stderr


def test_a_bar_on_a_terminal(published):
    """Progress is shown on a terminal; results are not mixed with it."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "shiftcli", "weights", "download", "group", "--url", published],
        stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # Linux has no end of file there
        while data := os.read(ours, 1024):
            shown += data
    os.close(ours)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0, shown
    assert b"group-H.safetensors" in shown
    assert b"kB" in shown or b"MB" in shown
    assert stdout.count("\n") == 1


def test_help(main):
    done = main("weights", "--help")
    assert done.returncode == 0
    for command in ("list", "download", "verify", "path", "remove"):
        assert command in done.stdout
