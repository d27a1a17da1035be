"""Good, bad, huge and strangely named files through `predict`: all good ones predicted, all
others listed, no traceback, no file where none belongs.

``pytest -m slow -s`` makes it 10,000 and prints time and memory.
"""

import json
import os
import resource
import subprocess
import sys
import time

import pytest

from shiftcli.errors import visible
from shiftcli.pipeline.store import MANIFEST

CHEAP = ("--nucleus", "H", "--views", "1", "--dtype", "bfloat16")


@pytest.mark.parametrize(
    ("count", "jobs"), [(60, 1), pytest.param(10_000, 2, marks=pytest.mark.slow)]
)
def test_a_population(population, tmp_path, count, jobs):
    inputs, out = tmp_path / "in", tmp_path / "out"
    good, bad = population(str(inputs), count)
    before = set(inputs.rglob("*"))
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "shiftcli", "predict", inputs, "-o", out, *CHEAP, "-j", str(jobs)],
        capture_output=True, cwd=tmp_path, check=False, timeout=3 * count,
    )  # fmt: skip
    seconds = time.monotonic() - start
    stderr = done.stderr.decode()
    assert done.returncode == 1, stderr[-2000:]
    assert done.stdout == b""
    assert "Traceback" not in stderr
    assert "Warning" not in stderr
    assert "fault" not in stderr
    *lines, summary = stderr.splitlines()
    failed = [line for line in lines if line.startswith("failed: ")]
    assert summary == f"{len(good)} structures predicted, {len(failed)} failed"
    assert all(line.startswith(("failed: ", "note: ")) for line in lines)
    lines = map(json.loads, (out / MANIFEST).read_text().splitlines())
    places = {os.path.realpath(file): file for file in (*good, *bad)}
    by_file = {places[line["file"]]: line for line in lines if "file" in line}
    assert set(by_file) == {*good, *bad}
    assert all(len(by_file[file]["results"]) == 1 for file in good)
    assert not any(by_file[file]["failures"] for file in good)
    assert not any(by_file[file]["results"] for file in bad)
    for file in bad:
        # As the terminal shows it: what is no text stands as an escape.
        where = visible(file).encode(errors="backslashreplace").decode()
        assert any(line.startswith(f"failed: {where}: ") for line in failed), file
    # Nothing was written but the results, not even by a name such as $(touch pwned).
    assert set(inputs.rglob("*")) == before
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]
    assert len(os.listdir(out)) == len(good) + 1
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"\n{count} files, {jobs} processes: {seconds:.0f} s, {memory:.2f} GB")
    assert memory < 4
