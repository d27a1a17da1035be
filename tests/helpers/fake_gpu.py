"""A GPU that is none: tensors that say they are on it, hold their numbers on the CPU, and refuse
to be mixed with tensors of the CPU, as CUDA's do. So a forgotten ``.to(device)`` shows anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

GPU = torch.device("cuda", 0)

aten = torch.ops.aten

#: May be given tensors of both devices: copies, and what indices on the CPU may pick from.
_MIXING = {
    aten._to_copy.default, aten.copy_.default, aten.index.Tensor, aten.index_put_.default,
    aten._index_put_impl_.default,
}  # fmt: skip


class OnGpu(torch.Tensor):
    """A tensor on the GPU; `held` has its numbers."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnGpu:
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device="meta",  # no driver is asked for anything
        )  # fmt: skip
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """The GPU."""
        return GPU

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        """True."""
        return True

    def tolist(self) -> Any:
        """The numbers; the meta device has none."""
        return self.held.tolist()

    def __repr__(self) -> str:
        return f"OnGpu({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class FakeGpu(TorchDispatchMode):
    """While it lasts there is a GPU."""

    def __init__(self) -> None:
        super().__init__()
        #: How many operations ran on it.
        self.operations = 0
        answers = {
            "_lazy_init": None, "is_available": True, "device_count": 1, "synchronize": None,
            "get_device_capability": (7, 0), "max_memory_allocated": 0, "get_device_name": "none",
        }  # fmt: skip
        self._patches = [
            mock.patch.object(torch.cuda, name, lambda *_, answer=answer, **__: answer)
            for name, answer in answers.items()
        ]
        make = torch.tensor  # it goes to the driver and past every mode

        def tensor(*values: Any, device: Any = None, **options: Any) -> torch.Tensor:
            made = make(*values, **options)
            return made if device is None else made.to(device)

        self._patches.append(mock.patch.object(torch, "tensor", tensor))

    def __enter__(self) -> FakeGpu:
        for patch in self._patches:
            patch.start()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for patch in self._patches:
            patch.stop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = _run(func, args, kwargs)
        self.operations += any(isinstance(x, OnGpu) for x in tree_flatten(result)[0])
        return result


@contextmanager
def _views_of_subclasses() -> Iterator[None]:
    """Tensors of the inference mode cannot be views of a subclass: it is left, autograd is not."""
    if not torch.is_inference_mode_enabled():
        yield
        return
    with torch.inference_mode(False), torch._C._AutoDispatchBelowAutograd():
        yield


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    flat, spec = tree_flatten((args, kwargs))
    on_gpu = [x for x in flat if isinstance(x, OnGpu)]
    on_cpu = [x for x in flat if isinstance(x, torch.Tensor) and not isinstance(x, OnGpu)]
    if on_gpu and func not in _MIXING and any(x.ndim for x in on_cpu):
        raise RuntimeError(f"{func}: tensors on cpu and {GPU}, expected all on one device")
    if func in _MIXING and isinstance(args[0], torch.Tensor) and func != aten._to_copy.default:
        here = isinstance(args[0], OnGpu)
        if not here and on_gpu and func != aten.copy_.default:
            raise RuntimeError(f"{func}: indices on {GPU} of a tensor on the CPU")
    else:
        here = bool(on_gpu)
    device = kwargs.get("device")
    if device is not None:
        here = torch.device(device).type in (GPU.type, "meta")
    known = {id(x.held): x for x in on_gpu}
    flat = [x.held if isinstance(x, OnGpu) else x for x in flat]
    plain_args, plain_kwargs = tree_unflatten(flat, spec)
    if device is not None:
        plain_kwargs["device"] = torch.device("cpu")
    with _views_of_subclasses():
        result = func(*plain_args, **plain_kwargs)
    if not here:
        return result

    def wrap(x: Any) -> Any:
        if not isinstance(x, torch.Tensor):
            return x
        with _views_of_subclasses():
            return known[id(x)] if id(x) in known else OnGpu(x)

    return tree_map(wrap, result)
