"""MR-3D-DenseNet, the network of the paper, and its presets.

Liu et al., J. Phys. Chem. Lett. 2019 (arXiv 1906.00102), Figure 2 and Methods. A network
is rebuilt from its `Architecture` alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn

from shiftcli.crystal import ELEMENTS
from shiftcli.density import GRIDS, KERNELS, VOXELS

#: Channels inside a dense unit: the bottleneck's wide and narrow layer, the 3×3×3's output.
_WIDE, _GROWTH = 256, 64

#: Units in each dense block.
_UNITS = 4


@dataclass(frozen=True)
class Architecture:
    """Everything that a network's layers depend on.

    Attributes
    ----------
    name : str
        Name of the preset.
    stem_kernel : int
        Edge of the first convolution's kernel.
    stem_stride : int
        Its stride; 1 keeps the paper's 16³ voxels in the first block.
    grids : tuple of float
        Edges of the grids in Å.
    kernel : str
        Density kernel.
    dropout : float
        Dropout after each hidden layer of the head.
    """

    name: str = "paper"
    stem_kernel: int = 3
    stem_stride: int = 1
    grids: tuple[float, ...] = GRIDS
    kernel: str = "gaussian"
    dropout: float = 0.1

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Architecture:
        """Rebuild from `to_dict`; raises ValueError on unknown or impossible values."""
        known = {k: values[k] for k in cls.__dataclass_fields__ if k in values}
        if set(values) - set(known):
            raise ValueError(f"unknown architecture keys: {sorted(set(values) - set(known))}")
        known["grids"] = tuple(float(d) for d in known.get("grids", GRIDS))
        made = cls(**known)
        if made.kernel not in KERNELS or (made.stem_kernel, made.stem_stride) not in _STEMS:
            raise ValueError("architecture that this program does not know")
        return made


#: Stems that leave an edge divisible by four.
_STEMS = ((3, 1), (4, 2))

#: The networks by name.
PRESETS = {
    "paper": Architecture(),
    "compact": Architecture(name="compact", stem_kernel=4, stem_stride=2),
}


def _layer(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the bias is the normalisation's."""
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
    )


class DenseBlock(nn.Module):
    """Four units; unit k sees the block's input and the output of all units before it.

    A unit is 1×1×1 (256) → 1×1×1 (64) → 3×3×3 (64): y_k = H_k([x, y_1, …, y_{k−1}]).
    Input (n, 64, l, l, l), output (n, 320, l, l, l).
    """

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.ModuleList(
            nn.Sequential(
                _layer(_GROWTH * (k + 1), _WIDE),
                _layer(_WIDE, _GROWTH),
                _layer(_GROWTH, _GROWTH, kernel=3),
            )
            for k in range(_UNITS)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block."""
        for unit in self.units:
            x = torch.cat([x, unit(x)], dim=1)
        return x


class PoolAndCrop(nn.Module):
    """Average pooling beside the centre crop: [pool(x), x[l/4 : 3l/4]] along channels.

    Input (n, c, l, l, l), output (n, 2c, l/2, l/2, l/2).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Halve the edge twice over."""
        edge = x.shape[-1]
        middle = slice(edge // 4, edge // 4 + edge // 2)
        # Sums of slices stay in bfloat16 and channels-last; avg_pool3d leaves both on a CPU
        # and takes a third of a training step.
        pooled = x[:, :, ::2] + x[:, :, 1::2]
        pooled = pooled[..., ::2, :] + pooled[..., 1::2, :]
        pooled = 0.125 * (pooled[..., ::2] + pooled[..., 1::2])
        return torch.cat([pooled, x[:, :, middle, middle, middle]], dim=1)


class MR3DDenseNet(nn.Module):
    """The multi-resolution 3D DenseNet.

    Stem, two dense blocks, each followed by `PoolAndCrop` and a 1×1×1 transition
    (640 → 256 → 64), then a head 256 → 128 → 1.

    Parameters
    ----------
    architecture : Architecture
        The layers' hyperparameters.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        channels = len(architecture.grids) * len(ELEMENTS)
        joined = 2 * _GROWTH * (_UNITS + 1)
        blocks: list[nn.Module] = []
        for _ in range(2):
            blocks += [DenseBlock(), PoolAndCrop(), _layer(joined, _WIDE), _layer(_WIDE, _GROWTH)]
        self.features = nn.Sequential(
            _layer(channels, _GROWTH, architecture.stem_kernel, architecture.stem_stride), *blocks
        )
        edge = VOXELS // architecture.stem_stride // 4
        self.head = nn.Sequential(
            *self._hidden(_GROWTH * edge**3, 256), *self._hidden(256, 128), nn.Linear(128, 1)
        )

    def _hidden(self, inputs: int, outputs: int) -> list[nn.Module]:
        linear = nn.Linear(inputs, outputs, bias=False)
        dropout = nn.Dropout(self.architecture.dropout)
        return [linear, nn.BatchNorm1d(outputs), nn.ReLU(inplace=True), dropout]

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Scaled shieldings of some densities.

        Parameters
        ----------
        volume : torch.Tensor
            Densities, shape (n, grids · 4, 16, 16, 16).

        Returns
        -------
        torch.Tensor
            Shielding minus the training mean, divided by the nucleus's scale, shape (n,).
        """
        return self.head(self.features(volume).flatten(1)).squeeze(1)
