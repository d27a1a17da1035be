"""A trained network in the form that predicts fastest; training never sees it.

In evaluation mode a batch normalisation is a factor and an offset a channel, which the layer
before it takes up. Voxels are rows of a matrix, (l³·n, channels), so that convolutions of single
voxels or of patches that do not overlap are matrix products; n maps lie side by side, voxel by
voxel. Densities and their mirror images share what a stem of patches costs, since it is linear
before its ReLU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from shiftcli.density.voxelizer import VOXELS
from shiftcli.network.densenet import MR3DDenseNet

#: From the rows of n maps of edge l, given n and l, to rows again; a fourth argument takes them.
_Layer = Callable[..., torch.Tensor]


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
        features: list[Any] = list(network.features)
        first, *others = features
        patches = first[0].kernel_size == first[0].stride
        self.stem = (_PatchStem if patches else _OverlappingStem)(first, like)
        rest = [_layers(module, like) for module in others]
        self._stages = list(zip(*[iter(rest)] * 4, strict=True))
        growth = self.architecture.growth
        self._widths = [self.architecture.stem_channels, *[growth] * len(self._stages)]
        head: Any = network.head
        hidden = [_folded(head[k], head[k + 1], like) for k in range(0, len(head) - 1, 4)]
        self._hidden = [(weight.t().contiguous(), bias) for weight, bias in hidden]
        last = head[-1].weight.detach(), head[-1].bias.detach()
        self._last = last[0].to(**like, copy=True).t(), last[1].to(**like, copy=True)

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Scaled shieldings, as `MR3DDenseNet.forward`; `volume` in the weights' type."""
        return self._shieldings(self.hidden(volume))

    def _shieldings(self, hidden: torch.Tensor) -> torch.Tensor:
        return (hidden @ self._last[0] + self._last[1]).squeeze(-1)

    def hidden(self, volume: torch.Tensor) -> torch.Tensor:
        """The last hidden layer, from which shieldings are linear, shape (n, 128)."""
        return self._hidden_of(self.stem.read(volume), len(volume), 1)

    def hands(self, read: Any, n: int) -> torch.Tensor:
        """Scaled shieldings of n densities and of their mirror images, shape (2, n).

        Parameters
        ----------
        read : object
            What ``stem.read`` makes of the densities.
        n : int
            How many they are.
        """
        return self._shieldings(self._hidden_of(read, n, 2)).view(2, n)

    def _hidden_of(self, read: Any, n: int, hands: int) -> torch.Tensor:
        """The last hidden layer of n densities, or beneath them of their mirror images too."""
        edge, width, n = VOXELS // self.architecture.stem_stride, self._widths[0], n * hands
        x = self._room(0, n * edge**3)
        self.stem.fill(x[:, :width].unflatten(0, (edge, edge, edge, hands, -1)), read)
        for k, (units, _, (wide,), (narrow,)) in enumerate(self._stages):
            x = _pooled(
                self._block(x, self._widths[k], units, n, edge), edge, self.architecture.crop
            )
            edge //= 2
            wider, x = wide(x, n, edge), self._room(k + 1, len(x))
            narrow(wider, n, edge, x[:, : self._widths[k + 1]])
        x = x.view(edge**3, n, -1).permute(1, 2, 0).flatten(1)  # the order of an image's channels
        for weight, bias in self._hidden:
            x = torch.addmm(bias, x, weight).relu_()
        return x

    def _room(self, stage: int, rows: int) -> torch.Tensor:
        """Rows for what a stage reads, and beside it for what its units add."""
        units = len(self._stages[stage][0]) if stage < len(self._stages) else 0
        added = units * self.architecture.growth if self.architecture.dense else 0
        return self._last[1].new_empty(rows, self._widths[stage] + added)

    def _block(
        self, x: torch.Tensor, width: int, units: list[Any], n: int, edge: int
    ) -> torch.Tensor:
        for unit in units:
            if self.architecture.dense:
                made = x[:, width : width + self.architecture.growth]
                unit(x[:, :width], n, edge, made)
                width += made.shape[1]
            else:
                x = unit(x, n, edge)
        return x


@torch.inference_mode()
def with_mirror_images(networks: Sequence[FoldedNet], volume: torch.Tensor) -> torch.Tensor:
    """Run networks on densities, and on their mirror images.

    Parameters
    ----------
    networks : sequence of FoldedNet
        k networks.
    volume : torch.Tensor
        Densities in the networks' type, shape (n, channels, 16, 16, 16).

    Returns
    -------
    torch.Tensor
        Scaled shieldings of the densities and of their images under
        `density.orientations.MIRROR_Y`, shape (k, 2, n).
    """
    read: dict[int, Any] = {}
    for stem in (network.stem for network in networks):
        if stem.patch not in read:
            read[stem.patch] = stem.read(volume)
    return torch.stack([own.hands(read[own.stem.patch], len(volume)) for own in networks])


class _OverlappingStem:
    """A stem whose kernel sees a voxel more than once."""

    #: Edge of the patches; here of none.
    patch = 0

    def __init__(self, layer: Any, like: dict[str, Any]) -> None:
        self._layer = _layer(layer, like)

    @staticmethod
    def read(volume: torch.Tensor) -> torch.Tensor:
        """What all networks can share of the work on densities: nothing."""
        return volume

    def fill(self, hands: torch.Tensor, volume: torch.Tensor) -> None:
        """Write rows of the maps of densities, and where there is room of their mirror images."""
        for own, seen in zip(hands.unbind(3), (volume, volume.flip(3)), strict=False):
            rows = self._layer(seen.permute(2, 3, 4, 0, 1).flatten(0, 3), len(volume), VOXELS)
            own.copy_(rows.view_as(own))


class _PatchStem:
    """A stem of patches that do not overlap: a matrix product.

    A patch is the sum of an even and an odd half, of which a mirror reverses the odd one. One
    product of each half serves both the densities and their images.
    """

    def __init__(self, layer: Any, like: dict[str, Any]) -> None:
        #: Edge of the patches, an even number of voxels.
        self.patch = k = layer[0].kernel_size[0]
        weight, bias = _folded(layer[0], layer[1], {**like, "dtype": torch.float32})
        self._bias = bias.to(**like)
        weight = weight.permute(3, 2, 4, 1, 0)  # y first
        front, back = weight[: k // 2], weight[k // 2 :].flip(0)
        self._even, self._odd = (
            (0.5 * half).movedim(0, 1).flatten(0, 3).to(**like)
            for half in (front + back, front - back)
        )

    def read(self, volume: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Even and odd halves of all patches, each of shape (patches, voxels · channels / 2)."""
        n, k, edge = len(volume), self.patch, VOXELS // self.patch
        rows = volume.permute(0, 2, 3, 4, 1).contiguous()
        # x, y and z of a patch before those inside it, of (n, x, x', y, y', z, z' and channel)
        split = rows.view(n, edge, k, edge, k, edge, -1).permute(1, 3, 5, 0, 4, 2, 6)
        half = (edge, edge, edge, n, k, k // 2, split.shape[-1])
        even, odd = volume.new_empty(half), volume.new_empty(half)
        for j in range(k // 2):
            front, back = split[..., j, :, :], split[..., k - 1 - j, :, :]
            torch.add(front, back, out=even[..., j, :])
            torch.sub(front, back, out=odd[..., j, :])
        return even.flatten(4).flatten(0, 3), odd.flatten(4).flatten(0, 3)

    def fill(self, hands: torch.Tensor, halves: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Write rows of the maps of densities, and where there is room of their mirror images."""
        even = torch.addmm(self._bias, halves[0], self._even)
        odd = halves[1] @ self._odd
        plain, *images = hands.unbind(3)
        even, odd = even.view_as(plain), odd.view_as(plain)
        torch.add(even, odd, out=plain)
        for image in images:
            planes = zip(even.unbind(1), odd.unbind(1), reversed(image.unbind(1)), strict=True)
            for own_even, own_odd, own in planes:
                torch.sub(own_even, own_odd, out=own)
        hands.relu_()


def _pooled(x: torch.Tensor, edge: int, crop: bool) -> torch.Tensor:
    """What `shiftcli.network.densenet.PoolAndCrop` does, on rows."""
    maps = x.unflatten(0, (edge, edge, edge, -1))
    middle = slice(edge // 4, edge // 4 + edge // 2)
    pooled = maps[::2] + maps[1::2]
    pooled = pooled[:, ::2] + pooled[:, 1::2]
    pooled = 0.125 * (pooled[:, :, ::2] + pooled[:, :, 1::2])
    if crop:
        pooled = torch.cat([pooled, maps[middle, middle, middle]], dim=-1)
    return pooled.flatten(0, 3)


def _layers(module: Any, like: dict[str, Any]) -> list[Any]:
    """What a part of `MR3DDenseNet.features` does, folded: one function, or one a unit."""
    if hasattr(module, "units"):
        return [_unit([_layer(layer, like) for layer in unit]) for unit in module.units]
    return [_layer(module, like) if isinstance(module, nn.Sequential) else module]


def _unit(layers: list[_Layer]) -> _Layer:
    def run(x: torch.Tensor, n: int, edge: int, out: torch.Tensor | None = None) -> torch.Tensor:
        for layer in layers[:-1]:
            x = layer(x, n, edge)
        return layers[-1](x, n, edge, out)

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
    stride, padding = convolution.stride, convolution.padding
    if convolution.kernel_size != (1, 1, 1):
        is_plain = (weight.shape[2], weight.dtype, weight.device.type) == (3, torch.float32, "cpu")
        by_products = lru_cache(lambda: _products(weight, bias))
        weight = weight.contiguous(memory_format=torch.channels_last_3d)

        def convolve(
            x: torch.Tensor, n: int, edge: int, out: torch.Tensor | None = None
        ) -> torch.Tensor:
            if is_plain and edge == _SMALL and n >= _MANY:
                return by_products()(x, n, out)
            maps = x.view(edge, edge, edge, n, -1).permute(3, 4, 0, 1, 2)
            maps = maps.contiguous(memory_format=torch.channels_last_3d)
            maps = nn.functional.conv3d(maps, weight, bias, stride, padding).relu_()
            rows = maps.permute(2, 3, 4, 0, 1).flatten(0, 3)
            return rows if out is None else out.copy_(rows)

        return convolve
    matrix = weight.flatten(1).t().contiguous()

    def multiply(
        x: torch.Tensor, n: int, edge: int, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        return torch.mm(x, matrix, out=out).add_(bias).relu_()  # faster than addmm

    return multiply


#: Edge of the maps on which kernels of edge 3 work as products of polynomials.
_SMALL = 4

#: So many maps are worth the reading, and at first the making, of 216 matrices a convolution.
_MANY = 24

#: Where the polynomials along an axis are taken, beside infinity. Shieldings round to two to three
#: times what they do with convolutions; with 0, ±1 and ±2 it were five to six times.
_POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2.0**0.5, -(2.0**0.5))


@lru_cache
def _transforms() -> tuple[torch.Tensor, ...]:
    """From a map's 4 coefficients along an axis to 6 values, for two axes, and for kernels; back.

    Shapes (6, 4), (36, 16), (216, 27), (4, 6), (16, 36).
    """
    values = np.vstack([np.vander(_POINTS, 6, increasing=True), np.eye(6)[5]])
    of_map, of_kernel = (np.vstack([values[:-1, :size], np.eye(size)[-1]]) for size in (_SMALL, 3))
    back = np.linalg.inv(values)[1:-1]  # the outermost coefficients lie outside of the map
    kernel = np.kron(of_kernel, np.kron(of_kernel, of_kernel))
    made = of_map, np.kron(of_map, of_map), kernel, back, np.kron(back, back)
    return tuple(torch.from_numpy(matrix).float() for matrix in made)


def _products(weight: torch.Tensor, bias: torch.Tensor) -> Callable[..., torch.Tensor]:
    """A convolution with a kernel of edge 3, for maps of edge 4, and ReLU.

    A map is a polynomial in three variables, its voxels the coefficients; so is a kernel. Their
    product has 6³ coefficients, hence is known from its values at 6³ points: 216 products of
    matrices instead of 1,000, the method of Toom and Cook (in networks, of Winograd).
    """
    of_map, of_two, of_kernel, back, back_two = _transforms()
    outputs, channels = weight.shape[:2]
    kernel = weight.flip(2, 3, 4).permute(2, 3, 4, 1, 0).reshape(27, -1)
    kernel = (of_kernel @ kernel).view(-1, channels, outputs)
    side = len(of_map)
    of_two, back_two = (matrix.expand(side, -1, -1) for matrix in (of_two, back_two))

    def run(x: torch.Tensor, n: int, out: torch.Tensor | None = None) -> torch.Tensor:
        values = torch.bmm(of_two, (of_map @ x.view(_SMALL, -1)).view(side, _SMALL**2, -1))
        values = torch.bmm(values.view(side**3, n, channels), kernel).view(side, side**2, -1)
        rows = (back @ torch.bmm(back_two, values).view(side, -1)).view(-1, outputs)
        return torch.add(rows, bias, out=out).relu_()

    return run
