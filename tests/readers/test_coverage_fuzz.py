"""Inputs bred by the lines of the readers that they reach (atheris), in a process of its own.

``SHIFTCLI_FUZZ_SECONDS=3600`` breeds for an hour. What makes the readers fail is printed, and
belongs into `test_limits` or the tests of its format.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris")

SCRIPT = """
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["shiftcli.readers", "ase.io.extxyz", "ase.io.vasp"]):
    from shiftcli.readers import cif, extxyz, iter_structures, magres, pdb, poscar, sdf
from shiftcli.structure.checks import OVERRIDES, check
from shiftcli.errors import ShiftcliError

warnings.simplefilter("error")
SUFFIXES = ("cif", "xyz", "pdb", "magres", "vasp", "sdf", "cif.gz")


def one(data):
    if not data:
        return
    path = f"{sys.argv[1]}/input.{SUFFIXES[data[0] % len(SUFFIXES)]}"
    with open(path, "wb") as handle:
        handle.write(data[1:])
    for item in iter_structures(path):
        if isinstance(item, ShiftcliError):
            continue
        try:
            check(item, tuple(OVERRIDES))
        except ShiftcliError:
            pass


atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
atheris.Fuzz()
"""


@pytest.mark.slow
def test_bred_inputs(tmp_path):
    spec = importlib.util.spec_from_file_location("seeds", Path(__file__).with_name("test_fuzz.py"))
    seeds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeds)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    kinds = ("cif", "xyz", "pdb", "magres", "vasp", "sdf")
    for number, kind in enumerate(kinds):
        (corpus / kind).write_bytes(bytes([number]) + seeds.VALID[kind].encode())
    script = tmp_path / "breed.py"
    script.write_text(SCRIPT)
    seconds = os.environ.get("SHIFTCLI_FUZZ_SECONDS", "60")
    done = subprocess.run(
        [sys.executable, script, tmp_path, corpus, f"-max_total_time={seconds}", "-timeout=30",
         "-rss_limit_mb=4096", "-max_len=4096", f"-artifact_prefix={tmp_path}/"],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
