"""`shiftcli predict` over many files: strange names, folders of results, signals, full disks."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from shiftcli.errors import visible
from shiftcli.pipeline.store import MANIFEST

#: One nucleus, one orientation: what is tested here is not the network.
CHEAP = ("--nucleus", "O", "--views", "1", "--dtype", "bfloat16")

WATER = "3\n\nO 0 0 0\nH 0 .757 .587\nH 0 -.757 .587\n"

NAMES = ["--help.xyz", "-x.xyz", "new\nline.xyz", "[red]x.xyz", "[bold]y[.xyz", "\x1b[31m.xyz",
         "\u202eabc.xyz", "\udcff.xyz", "=1+1.xyz"]  # fmt: skip


@pytest.fixture
def strange(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for name in NAMES:
        with open(os.fsencode(name), "w") as handle:
            handle.write(WATER)
    return tmp_path / "in"


def test_strange_names_are_literal(main, strange):
    table = main("predict", strange, *CHEAP)
    assert table.returncode == 0, table.stderr
    for name in NAMES:
        shown = visible(name).replace("\udcff", "\\udcff")
        assert f"{shown}" in table.stdout
        assert f"{shown}: no unit cell" in table.stderr
    for text in (table.stdout, table.stderr):
        assert "\x1b" not in text
        assert "\u202e" not in text
    # Lines begin where we began them: with a title, a head, a rule, a row or a note.
    begun = ("/", "labels ", "─", "O1 ", "note: ")
    assert all(line.startswith(begun) for line in table.stdout.splitlines() if line)
    assert all(line.startswith("note: ") for line in table.stderr.splitlines())


def test_a_file_called_like_an_option(main, strange):
    for arguments in (["--", "--help.xyz", "-x.xyz"], ["./--help.xyz", "./-x.xyz"]):
        done = main("predict", *CHEAP, "--format", "json", *arguments)
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)["structures"]) == 2


def test_strange_names_of_what_fails(main, strange):
    for name in NAMES:
        with open(os.fsencode(name), "w") as handle:
            handle.write("prose\n")
    done = main("predict", strange, *CHEAP, "--format", "json")
    *failed, summary = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(failed) == len(NAMES)
    assert all(line.startswith("failed: ") for line in failed)
    assert summary == f"0 structures predicted, {len(NAMES)} failed"
    files = [f["file"] for f in json.loads(done.stdout)["failures"]]
    assert sorted(os.path.basename(file) for file in files) == sorted(NAMES)


def test_labels_are_literal(main, tmp_path):
    path = tmp_path / "labels.xyz"
    labels = ["[red]O", "\x1b[31mH", "[/]"]
    rows = zip(WATER.splitlines()[2:], labels, strict=True)
    header = "Properties=species:S:1:pos:R:3:labels:S:1"
    path.write_text("\n".join(["3", header, *(f"{row} {label}" for row, label in rows), ""]))
    done = main("predict", path, "--views", "1", "--dtype", "bfloat16", "--nucleus", "O,H")
    assert done.returncode == 0, done.stderr
    assert "\n[red]O " in done.stdout
    assert "\n[/] " in done.stdout
    assert "\x1b" not in done.stdout


def test_a_folder_of_results(main, strange, tmp_path):
    out = tmp_path / "out"
    (strange / "bad.cif").write_text("data_x\n")
    first = main("predict", strange, *CHEAP, "-o", out, "--references", "O:205")
    assert (first.returncode, first.stdout) == (1, "")
    assert first.stderr.splitlines()[-1] == f"{len(NAMES)} structures predicted, 1 failed"
    made = sorted(path.name for path in out.iterdir() if path.name != MANIFEST)
    assert len(made) == len(NAMES)
    assert all(name.endswith(".csv") for name in made)
    assert "MS_shift/ppm" in (out / made[0]).read_text()
    again = main("predict", strange, *CHEAP, "-o", out, "--references", "O:205")
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1] == (
        f"0 structures predicted, 1 failed, {len(NAMES)} files finished before"
    )
    other = main("predict", strange, *CHEAP, "-o", out, "--references", "O:206")
    assert other.stderr.splitlines()[-1] == f"{len(NAMES)} structures predicted, 1 failed"


def test_a_folder_of_results_becomes_one_file_of_chemiscope(main, urea_path, tmp_path):
    done = main("predict", urea_path, "--nucleus", "C", "--output", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "all.chemiscope.json"
    done = main(
        "predict", urea_path, "--nucleus", "C", "--work", tmp_path / "results", "--output", whole
    )
    assert done.returncode == 0, done.stderr
    assert "shieldings of 1 structure taken from" in done.stderr
    (structure,) = json.loads(whole.read_text())["structures"]
    assert structure["size"] == 16


@pytest.mark.parametrize("form", ["table", "json", "magres", "xyz"])
def test_formats_in_a_folder(main, tmp_path, urea_path, form):
    out = tmp_path / "out"
    done = main("predict", urea_path, "-o", out, "--format", form, "--views", "1")
    assert done.returncode == 0, done.stderr
    suffix = {"table": "txt"}.get(form, form)
    assert (out / f"urea.{suffix}").stat().st_size > 100


def start(*arguments, limit=None):
    def fewer_bytes():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "shiftcli", "predict", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=fewer_bytes,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def children(pid):
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(place.parent.name))
    return found


@pytest.fixture
def waters(tmp_path):
    folder = tmp_path / "waters"
    folder.mkdir()
    for k in range(300):
        (folder / f"w{k:03}.xyz").write_text(WATER)
    return folder


@pytest.mark.parametrize(("number", "status", "jobs"), [("SIGTERM", 143, 2), ("SIGINT", 130, 1)])
def test_ended_by_a_signal(waters, tmp_path, number, status, jobs):
    """What is finished is whole and listed; nothing else is left, no process either."""
    out = tmp_path / "out"
    running = start(waters, *CHEAP, "-o", out, "--format", "json", "--jobs", jobs)
    end = time.monotonic() + 240
    while len(list(out.glob("*.json"))) < 5:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    workers = children(running.pid)
    assert len(workers) >= (jobs if jobs > 1 else 0)
    running.send_signal(getattr(signal, number))
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == status, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.05)
    names = {path.name for path in out.iterdir()} - {MANIFEST}
    assert all(len(json.loads((out / name).read_text())["structures"]) == 1 for name in names)
    lines = map(json.loads, (out / MANIFEST).read_text().splitlines())
    listed = [name for line in lines if "file" in line for name in line["results"]]
    # At most the one that was in place and not yet listed.
    assert set(listed) <= names
    assert len(names) - len(listed) <= 1
    assert listed == [f"w{k:03}.json" for k in range(len(listed))]


def test_ended_before_a_single_file_is_written(waters, tmp_path):
    output = tmp_path / "all.json"
    running = start(waters, *CHEAP, "-o", output)
    for line in running.stderr:
        if "w003" in line:
            break
    running.terminate()
    running.communicate(timeout=60)
    assert running.returncode == 143
    assert sorted(path.name for path in tmp_path.iterdir()) == ["waters"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_full_disk(waters, tmp_path, kind):
    """A limit on the size of files stands for it: the system writes a part and then refuses."""
    output = tmp_path / ("out" if kind == "folder" else "out.json")
    done = start(waters / "w000.xyz", *CHEAP, "-o", output, "--format", "json", limit=500)
    stdout, stderr = done.communicate(timeout=240)
    assert (done.returncode, stdout) == (2, "")
    assert "error: cannot write" in stderr.splitlines()[-1]
    assert "File too large" in stderr.splitlines()[-1]
    if kind == "folder":
        assert os.listdir(output) == []
    else:
        assert os.listdir(tmp_path) == ["waters"]


def test_any_number_of_jobs_and_threads_writes_the_same_bit_for_bit(main, urea, tmp_path):
    """Of a crystal of several batches, and of one of less than one."""
    shaken = urea.to_ase().repeat((2, 1, 1))
    shaken.rattle(0.02, seed=1)
    (tmp_path / "in").mkdir()
    shaken.write(tmp_path / "in" / "shaken.xyz")
    urea.to_ase().write(tmp_path / "in" / "urea.xyz")
    written, before = [], torch.get_num_threads()
    for jobs, threads in ((1, 1), (1, 2), (2, 4)):
        folder = tmp_path / f"out{len(written)}"
        torch.set_num_threads(threads)
        try:
            done = main("predict", tmp_path / "in", "-o", folder, "--format", "json",
                        "--jobs", jobs)  # fmt: skip
        finally:
            torch.set_num_threads(before)
        assert done.returncode == 0, done.stderr
        written.append([(folder / name).read_bytes() for name in ("shaken.json", "urea.json")])
    assert len(json.loads(written[0][0])["structures"][0]["sites"]) == 32
    assert written[1:] == written[:1] * 2
