"""The device asked for, or an error; never another one."""

import pytest
import torch

from shiftcli.errors import DeviceError
from shiftcli.network.devices import resolve_device


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
