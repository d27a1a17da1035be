"""A trained network in the form that predicts fastest; training never sees it.

In evaluation mode a batch normalisation is a factor and an offset a channel, which the layer
before it takes up. Voxels are rows of a matrix, (n·l³, channels), so that convolutions of single
voxels or of patches that do not overlap are matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from shiftcli.density.voxelizer import VOXELS
from shiftcli.network.densenet import MR3DDenseNet

#: From the rows of n maps of edge l, given n and l, to rows again.
_Layer = Callable[[torch.Tensor, int, int], torch.Tensor]


class FoldedNet:
    """A network for predictions alone, equal to the original but for rounding.

    Parameters
    ----------
    network : MR3DDenseNet
        In evaluation mode. Later changes of it do not matter here.
    device : torch.device
        Where to work.
    dtype : torch.dtype
        Of weights and densities, float32 or bfloat16.
    """

    def __init__(
        self, network: MR3DDenseNet, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        self.architecture = network.architecture
        like = {"device": device, "dtype": dtype}
        stem, *rest = (_layers(module, like) for module in network.features)
        self._stem: _Layer = stem[0]
        self._stages = list(zip(*[iter(rest)] * 4, strict=True))
        head: Any = network.head
        hidden = [_folded(head[k], head[k + 1], like) for k in range(0, len(head) - 1, 4)]
        self._hidden = [(weight.t().contiguous(), bias) for weight, bias in hidden]
        last = head[-1].weight.detach(), head[-1].bias.detach()
        self._last = last[0].to(**like, copy=True).t(), last[1].to(**like, copy=True)

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Scaled shieldings, as `MR3DDenseNet.forward`; `volume` in the weights' type."""
        return torch.addmm(self._last[1], self.hidden(volume), self._last[0]).squeeze(1)

    def hidden(self, volume: torch.Tensor) -> torch.Tensor:
        """The last hidden layer, from which shieldings are linear, shape (n, 128)."""
        a, n = self.architecture, len(volume)
        x = self._stem(volume.permute(0, 2, 3, 4, 1).flatten(0, 3), n, VOXELS)
        edge = VOXELS // a.stem_stride
        for units, (pool,), (wide,), (narrow,) in self._stages:
            x = self._block(x, units, n, edge)
            maps = pool(x.view(n, edge, edge, edge, -1).permute(0, 4, 1, 2, 3))
            edge //= 2
            x = maps.permute(0, 2, 3, 4, 1).flatten(0, 3)
            x = narrow(wide(x, n, edge), n, edge)
        x = x.view(n, edge**3, -1).transpose(1, 2).flatten(1)  # the order of an image's channels
        for weight, bias in self._hidden:
            x = torch.addmm(bias, x, weight).relu_()
        return x

    def _block(self, x: torch.Tensor, units: list[Any], n: int, edge: int) -> torch.Tensor:
        if not self.architecture.dense:
            for unit in units:
                x = unit(x, n, edge)
            return x
        width, growth = x.shape[1], self.architecture.growth
        joined = x.new_empty(len(x), width + growth * len(units))
        joined[:, :width] = x
        for unit in units:
            joined[:, width : width + growth] = unit(joined[:, :width], n, edge)
            width += growth
        return joined


def _layers(module: Any, like: dict[str, Any]) -> list[Any]:
    """What a part of `MR3DDenseNet.features` does, folded: one function, or one a unit."""
    if hasattr(module, "units"):
        return [_unit([_layer(layer, like) for layer in unit]) for unit in module.units]
    return [_layer(module, like) if isinstance(module, nn.Sequential) else module]


def _unit(layers: list[_Layer]) -> _Layer:
    def run(x: torch.Tensor, n: int, edge: int) -> torch.Tensor:
        for layer in layers:
            x = layer(x, n, edge)
        return x

    return run


def _folded(layer: Any, norm: Any, like: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a layer with the normalisation behind it."""
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.double() - norm.running_mean.double() * factor
    weight = layer.weight * factor.float().view(-1, *[1] * (layer.weight.ndim - 1))
    return weight.detach().to(**like), bias.detach().to(**like)


def _layer(layer: Any, like: dict[str, Any]) -> _Layer:
    """Convolution, normalisation and ReLU."""
    convolution, norm, _ = layer
    weight, bias = _folded(convolution, norm, like)
    (k, *_), stride, padding = (
        convolution.kernel_size, convolution.stride, convolution.padding,
    )  # fmt: skip
    if (k,) * 3 != stride:
        weight = weight.contiguous(memory_format=torch.channels_last_3d)

        def convolve(x: torch.Tensor, n: int, edge: int) -> torch.Tensor:
            maps = x.view(n, edge, edge, edge, -1).permute(0, 4, 1, 2, 3)
            maps = nn.functional.conv3d(maps, weight, bias, stride, padding).relu_()
            return maps.permute(0, 2, 3, 4, 1).flatten(0, 3)

        return convolve
    matrix = weight.permute(2, 3, 4, 1, 0).flatten(0, 3).contiguous()

    def multiply(x: torch.Tensor, n: int, edge: int) -> torch.Tensor:
        if k > 1:
            patches = x.view(n, *(edge // k, k) * 3, -1).permute(0, 1, 3, 5, 2, 4, 6, 7)
            x = patches.reshape(-1, len(matrix))
        return torch.addmm(bias, x, matrix).relu_()

    return multiply
