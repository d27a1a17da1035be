"""The device asked for, or an error; never another one."""

import pytest
import torch

from shiftcli.errors import DeviceError, UsageError
from shiftcli.network import devices
from shiftcli.network.devices import processor_flags, resolve_device, resolve_dtype


def test_cpu():
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_gpu():
    assert resolve_device("auto") == torch.device("cpu")
    for name in ("cuda", "cuda:0", "cuda:3"):
        with pytest.raises(DeviceError, match="--device cpu"):
            resolve_device(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_with_gpu():
    assert resolve_device("auto") == torch.device("cuda")
    with pytest.raises(DeviceError, match="no GPU 99"):
        resolve_device("cuda:99")


@pytest.mark.parametrize("name", ["gpu", "", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "cudax"])
def test_nonsense(name):
    with pytest.raises(DeviceError, match="no device is called"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [
        ("fpu avx512f avx512_vnni", torch.float32),
        ("fpu avx512f avx512_bf16", torch.bfloat16),
        ("fpu amx_bf16 amx_tile", torch.bfloat16),
        ("asimd bf16", torch.bfloat16),
        ("", torch.float32),
    ],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(monkeypatch, flags, dtype):
    monkeypatch.setattr(devices, "processor_flags", lambda: frozenset(flags.split()))
    assert resolve_dtype("auto", torch.device("cpu")) == dtype


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float32),
                                                   ((9, 0), torch.bfloat16)])  # fmt: skip
def test_auto_on_a_gpu(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_dtype("auto", torch.device("cuda", 0)) == dtype


def test_precisions_by_name():
    assert resolve_dtype("float32", torch.device("cpu")) == torch.float32
    assert resolve_dtype("bfloat16", torch.device("cpu")) == torch.bfloat16
    with pytest.raises(UsageError, match="none of float32, bfloat16, auto"):
        resolve_dtype("float16", torch.device("cpu"))


def test_flags_that_all_processors_have(tmp_path):
    two = "processor\t: 0\nflags\t\t: fpu amx_bf16 sse\n\nprocessor\t: 1\nflags\t\t: fpu sse\n"
    (tmp_path / "x86").write_text(two)
    assert processor_flags(tmp_path / "x86") == {"fpu", "sse"}
    (tmp_path / "arm").write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert "bf16" in processor_flags(tmp_path / "arm")
    (tmp_path / "other").write_text("cpu : POWER9\n")
    assert processor_flags(tmp_path / "other") == processor_flags(tmp_path / "none") == frozenset()
