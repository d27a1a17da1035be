"""The fused kernel is right and fits a GPU, as far as this can be known without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from shiftcli.density import voxelizer
from shiftcli.density.voxelizer import voxelize

needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton has no wheel for this system (extra triton)"
)


def check(what: str, folder: Path, **variables: str) -> str:
    """Run check_fused.py: the interpreter is chosen before Triton is imported."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRITON_")}
    environment |= {"TRITON_CACHE_DIR": str(folder), "TRITON_DEFAULT_FP_FUSION": "1", **variables}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("check_fused.py")), what],
        capture_output=True, text=True, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_triton
def test_interpreted_it_equals_the_equations_and_the_products(tmp_path):
    told = check("interpret", tmp_path, TRITON_INTERPRET="1")
    assert len(told.splitlines()) == 6, "a line a case"


@needs_triton
def test_compiled_it_spills_nothing_and_leaves_room_for_others(tmp_path):
    found = json.loads(check("compile", tmp_path))
    assert {name.split()[0] for name in found} == {"sm_80", "sm_90", "sm_100"}
    for name, used in found.items():
        assert used["STACK"] == used["LOCAL"] == 0, (name, "registers are spilt")
        # Of 65,536 registers and at least 164 KiB that a multiprocessor has, for four programs
        # of 128 threads at once.
        assert used["REG"] <= 128, name
        assert used["SHARED"] <= 40_000, name


@pytest.fixture
def trial(monkeypatch):
    """Try a kernel of the test's, as if on the first call on a CUDA device."""

    def run(kernel):
        module = types.ModuleType("shiftcli.density.fused")
        module.gaussian_densities = kernel
        monkeypatch.setitem(sys.modules, "shiftcli.density.fused", module)
        return voxelizer._tried(torch.device("cpu"))

    return run


def good(positions, channels, rotations, *, grids, dtype):
    return voxelizer._densities_by_products(positions, channels, grids, "gaussian", dtype)


def test_a_kernel_is_used_where_it_says_what_the_products_say(trial):
    assert trial(good) is good


def test_a_kernel_that_is_wrong_or_fails_is_not_used(trial, caplog):
    assert trial(lambda *a, **k: good(*a, **k) * 1.01) is None
    assert "off: not used" in caplog.text

    def failing(*_, **__):
        raise RuntimeError("no driver")

    assert trial(failing) is None
    assert "no fused density on cpu (RuntimeError)" in caplog.text


def test_voxelize_hands_everything_to_the_kernel(monkeypatch):
    told = {}

    def kernel(positions, channels, rotations, **options):
        told.update(options, rotations=rotations)
        return positions

    monkeypatch.setattr(voxelizer, "_fused_kernel", lambda device: kernel)
    positions, channels, turn = (
        torch.rand(1, 2, 3),
        torch.zeros(1, 2, dtype=int),
        torch.eye(3)[None],
    )
    assert voxelize(positions, channels, rotations=turn, grids=(4.0,)) is positions
    assert told == {"rotations": turn, "grids": (4.0,), "dtype": torch.float32}
    assert voxelize(positions, channels, kernel="slater").shape == (1, 20, 16, 16, 16)


@pytest.mark.parametrize(("device", "capability"), [("cpu", (9, 0)), ("cuda:0", (7, 5))])
def test_on_cpus_and_older_gpus_there_is_no_kernel(monkeypatch, device, capability):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(voxelizer, "find_spec", lambda name: object())
    assert voxelizer._fused_kernel.__wrapped__(torch.device(device)) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@needs_triton
def test_on_a_gpu_it_is_used():
    assert voxelizer._fused_kernel(torch.device("cuda", 0)) is not None
