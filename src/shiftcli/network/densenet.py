"""MR-3D-DenseNet, the network of the paper, and its presets.

Liu et al., J. Phys. Chem. Lett. 2019 (arXiv 1906.00102), Figure 2 and Methods. A network
is rebuilt from its `Architecture` alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from shiftcli.density.voxelizer import GRIDS, KERNELS, VOXELS
from shiftcli.structure.crystal import ELEMENTS


@dataclass(frozen=True)
class Architecture:
    """Everything that a network's layers depend on."""

    name: str = "paper"  #: Name of the preset.
    stem_kernel: int = 3  #: Edge of the first convolution's kernel.
    stem_stride: int = 1  #: Its stride; 1 keeps the paper's 16³ voxels in the first block.
    stem_channels: int = 64  #: Its output channels.
    units: tuple[int, ...] = (4, 4)  #: Units of each dense block.
    #: Channels inside a unit: of its wide layer, and of its output.
    bottleneck: int = 256
    growth: int = 64
    grids: tuple[float, ...] = GRIDS  #: Edges of the grids in Å.
    kernel: str = "gaussian"  #: Density kernel.
    dropout: float = 0.1  #: Dropout after each hidden layer of the head.
    #: Whether a unit sees the block's input and all units before it, or the last one alone.
    dense: bool = True
    #: Whether the centre crop stands beside the pooled features at the end of a block.
    crop: bool = True

    @property
    def edge(self) -> int:
        """Edge of the feature map that the head sees; 0 where the blocks do not fit."""
        edge = VOXELS // self.stem_stride
        for _ in self.units:
            if edge % 4:
                return 0
            edge //= 2
        return edge

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Architecture:
        """Rebuild from `to_dict`; raises ValueError on unknown or impossible values."""
        known = {k: values[k] for k in cls.__dataclass_fields__ if k in values}
        if set(values) - set(known):
            raise ValueError(f"unknown architecture keys: {sorted(set(values) - set(known))}")
        try:
            for name in {"grids", "units"} & set(known):
                known[name] = tuple(known[name])
            made = cls(**known)
            known_here = made._is_known()
        except TypeError:  # a list where a number should be, or the other way round
            known_here = False
        if not known_here:
            raise ValueError("architecture that this program does not know")
        return replace(made, grids=tuple(float(edge) for edge in made.grids))

    def _is_known(self) -> bool:
        """Whether a network can be built of this, and none that is too large."""
        widths = (self.stem_channels, self.bottleneck, self.growth)
        whole = (*widths, *self.units, self.stem_kernel, self.stem_stride)
        return bool(
            all(type(number) is int for number in whole)
            and all(type(switch) is bool for switch in (self.dense, self.crop))
            and isinstance(self.name, str)
            and self.kernel in KERNELS
            and (self.stem_kernel, self.stem_stride) in _STEMS
            and self.units
            and self.edge
            and all(0 < width <= _WIDEST for width in widths)
            and all(0 < units <= _MOST_UNITS for units in self.units)
            and 0 < len(self.grids) <= _MOST_GRIDS
            and all(0 < edge < 100 for edge in self.grids)
            and 0 <= self.dropout < 1
        )


#: Stems: what the paper's convolution does, and non-overlapping or half-overlapping patches.
_STEMS = ((3, 1), (4, 2), (4, 4))

#: Limits of what a file may ask for.
_WIDEST, _MOST_UNITS, _MOST_GRIDS = 4096, 64, 16

#: Hidden units of the head.
_HIDDEN = (256, 128)

#: The networks by name: the paper's, two cheaper ones that ship, and what the paper takes away
#: from its own (Table 3).
PRESETS = {
    "paper": Architecture(),
    "medium": Architecture(name="medium", stem_kernel=4, stem_stride=2),
    "compact": Architecture(
        name="compact", stem_kernel=4, stem_stride=4, stem_channels=256, units=(4,)
    ),
    "mr-arch": Architecture(name="mr-arch", grids=(10.0,)),
    "mr-input": Architecture(name="mr-input", crop=False),
    "cnn": Architecture(name="cnn", grids=(10.0,), dense=False, crop=False),
}


def _layer(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the bias is the normalisation's."""
    padding = (kernel - 1) // 2 if kernel > stride else 0
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
    )


class DenseBlock(nn.Module):
    """Units, of which each sees the block's input and the output of all units before it.

    A unit is 1×1×1 (bottleneck) → 1×1×1 (growth) → 3×3×3 (growth):
    y_k = H_k([x, y_1, …, y_{k−1}]). Input (n, c, l, l, l), output (n, c + units·growth, l, l, l);
    without dense connections y_k = H_k(y_{k−1}), and the output is the last one's.

    Parameters
    ----------
    inputs : int
        Channels c of the input.
    units : int
        Number of units.
    architecture : Architecture
        ``bottleneck``, ``growth`` and ``dense`` are read.
    """

    def __init__(self, inputs: int, units: int, architecture: Architecture) -> None:
        super().__init__()
        wide, growth, self.dense = (
            architecture.bottleneck, architecture.growth, architecture.dense,
        )  # fmt: skip
        self.units = nn.ModuleList()
        for _ in range(units):
            self.units.append(
                nn.Sequential(
                    _layer(inputs, wide), _layer(wide, growth), _layer(growth, growth, kernel=3)
                )
            )
            inputs = inputs + growth if self.dense else growth
        #: Channels of the output.
        self.outputs = inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block."""
        for unit in self.units:
            x = torch.cat([x, unit(x)], dim=1) if self.dense else unit(x)
        return x


class PoolAndCrop(nn.Module):
    """Average pooling beside the centre crop: [pool(x), x[l/4 : 3l/4]] along channels.

    Input (n, c, l, l, l), output (n, 2c, l/2, l/2, l/2); (n, c, …) without the crop.

    Parameters
    ----------
    crop : bool
        Whether the centre crop is there.
    """

    def __init__(self, crop: bool = True) -> None:
        super().__init__()
        self.crop = crop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Halve the edge twice over."""
        edge = x.shape[-1]
        middle = slice(edge // 4, edge // 4 + edge // 2)
        # Sums of slices stay in bfloat16 and channels-last; avg_pool3d leaves both on a CPU
        # and takes a third of a training step.
        pooled = x[:, :, ::2] + x[:, :, 1::2]
        pooled = pooled[..., ::2, :] + pooled[..., 1::2, :]
        pooled = 0.125 * (pooled[..., ::2] + pooled[..., 1::2])
        if not self.crop:
            return pooled
        return torch.cat([pooled, x[:, :, middle, middle, middle]], dim=1)


class MR3DDenseNet(nn.Module):
    """The multi-resolution 3D DenseNet.

    Stem, dense blocks, each followed by `PoolAndCrop` and a 1×1×1 transition (to the
    bottleneck's channels, then the growth's), then a head 256 → 128 → 1.

    Parameters
    ----------
    architecture : Architecture
        The layers' hyperparameters.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        channels = a.stem_channels
        layers: list[nn.Module] = [
            _layer(len(a.grids) * len(ELEMENTS), channels, a.stem_kernel, a.stem_stride)
        ]
        for units in a.units:
            block = DenseBlock(channels, units, a)
            joined = block.outputs * (2 if a.crop else 1)
            layers += [block, PoolAndCrop(a.crop)]
            layers += [_layer(joined, a.bottleneck), _layer(a.bottleneck, a.growth)]
            channels = a.growth
        self.features = nn.Sequential(*layers)
        first, second = _HIDDEN
        self.head = nn.Sequential(
            *self._hidden(channels * a.edge**3, first),
            *self._hidden(first, second),
            nn.Linear(second, 1),
        )

    def _hidden(self, inputs: int, outputs: int) -> list[nn.Module]:
        linear = nn.Linear(inputs, outputs, bias=False)
        dropout = nn.Dropout(self.architecture.dropout)
        return [linear, nn.BatchNorm1d(outputs), nn.ReLU(inplace=True), dropout]

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Scaled shieldings of densities of shape (n, grids · 4, 16, 16, 16).

        Shielding minus the training mean, divided by the nucleus's scale, shape (n,).
        """
        return self.head(self.features(volume).flatten(1)).squeeze(1)
