"""The Gaussian density in one Triton kernel: read, turned, summed and written once.

One program makes a slab of one environment's grid, for all elements. Only CUDA devices run it;
`voxelizer.voxelize` chooses. Its products stay in float32, on the ordinary units, not in the ten
bits of the tensor cores: see the estimate in docs/benchmark.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl

from shiftcli.density.voxelizer import GAUSSIAN_REACH, SIGMA_SQUARED, VOXELS
from shiftcli.structure.crystal import ELEMENTS

#: Voxels of a slab along x, and atoms summed at once.
SLAB, BLOCK = 4, 32

#: Coordinate (Å) of what stands beyond the end of a block: no grid sees it.
_FAR = tl.constexpr(1.0e4)


@triton.jit  # type: ignore[untyped-decorator]
def _element_sum(  # type: ignore[no-untyped-def]
    positions, start, stop, rotation, edge, slab, inverse_width, reach,
    VOXELS: tl.constexpr, SLAB: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Σ exp(−r²/σ²) over the atoms of one element, shape (SLAB · 16, 16)."""
    step = edge / (VOXELS - 1)
    along_x = ((VOXELS - 1) / 2 - (slab * SLAB + tl.arange(0, SLAB))) * step
    along_yz = ((VOXELS - 1) / 2 - tl.arange(0, VOXELS)) * step
    total = tl.zeros((SLAB * VOXELS, VOXELS), tl.float32)
    for first in range(start, stop, BLOCK):
        atom = first + tl.arange(0, BLOCK)
        there = atom < stop
        a = tl.load(positions + 3 * atom, mask=there, other=_FAR)
        b = tl.load(positions + 3 * atom + 1, mask=there, other=_FAR)
        c = tl.load(positions + 3 * atom + 2, mask=there, other=_FAR)
        x = tl.load(rotation) * a + tl.load(rotation + 1) * b + tl.load(rotation + 2) * c
        y = tl.load(rotation + 3) * a + tl.load(rotation + 4) * b + tl.load(rotation + 5) * c
        z = tl.load(rotation + 6) * a + tl.load(rotation + 7) * b + tl.load(rotation + 8) * c
        extent = tl.maximum(tl.maximum(tl.abs(x), tl.abs(y)), tl.abs(z))
        if tl.min(extent, 0) < 0.5 * edge + reach:  # rows are sorted by distance: most end here
            dx = along_x[:, None] - x[None, :]
            dy = along_yz[:, None] - y[None, :]
            dz = z[:, None] - along_yz[None, :]
            of_x = tl.exp(-dx * dx * inverse_width)
            of_y = tl.exp(-dy * dy * inverse_width)
            of_z = tl.exp(-dz * dz * inverse_width)
            of_xy = tl.reshape(of_x[:, None, :] * of_y[None, :, :], (SLAB * VOXELS, BLOCK))
            total = tl.dot(of_xy, of_z, total, input_precision="ieee")
    return total


@triton.jit  # type: ignore[untyped-decorator]
def slab_kernel(  # type: ignore[no-untyped-def]
    positions, bounds, rotations, edges, volume, atoms, inverse_width, reach,
    GRIDS: tl.constexpr, VOXELS: tl.constexpr, SLAB: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One slab of one grid: program number (environment · slabs + slab) · GRIDS + grid."""
    program = tl.program_id(0)
    grid = program % GRIDS
    slab = program // GRIDS % (VOXELS // SLAB)
    environment = (program // (GRIDS * (VOXELS // SLAB))).to(tl.int64)
    edge = tl.load(edges + grid)
    own, ends = positions + environment * atoms * 3, bounds + environment * 5
    turn = rotations + environment * 9
    h, c = tl.load(ends), tl.load(ends + 1)
    n, o, last = tl.load(ends + 2), tl.load(ends + 3), tl.load(ends + 4)
    of_h = _element_sum(own, h, c, turn, edge, slab, inverse_width, reach, VOXELS, SLAB, BLOCK)
    of_c = _element_sum(own, c, n, turn, edge, slab, inverse_width, reach, VOXELS, SLAB, BLOCK)
    of_n = _element_sum(own, n, o, turn, edge, slab, inverse_width, reach, VOXELS, SLAB, BLOCK)
    of_o = _element_sum(own, o, last, turn, edge, slab, inverse_width, reach, VOXELS, SLAB, BLOCK)
    # A voxel's four elements stand beside each other and are written together.
    joined = tl.join(tl.join(of_h, of_n), tl.join(of_c, of_o))
    value = tl.reshape(joined, (SLAB * VOXELS * VOXELS, 4))
    voxel = slab * SLAB * VOXELS * VOXELS + tl.arange(0, SLAB * VOXELS * VOXELS)
    start = (environment * VOXELS * VOXELS * VOXELS + voxel) * (GRIDS * 4) + grid * 4
    where = volume + start[:, None] + tl.arange(0, 4)[None, :]
    tl.store(where, value.to(volume.dtype.element_ty))


def gaussian_densities(
    positions: torch.Tensor,
    channels: torch.Tensor,
    rotations: torch.Tensor | None,
    *,
    grids: Sequence[float],
    dtype: torch.dtype,
) -> torch.Tensor:
    """Gaussian densities of turned environments, as `voxelizer.voxelize` makes them."""
    n, m = channels.shape
    device = positions.device
    counts = torch.stack([(channels == k).sum(1) for k in range(len(ELEMENTS))], dim=1)
    bounds = torch.nn.functional.pad(counts.cumsum(1), (1, 0)).int()
    if rotations is None:
        rotations = torch.eye(3, device=device).expand(n, 3, 3)
    edges = torch.tensor(grids, dtype=torch.float32, device=device)
    shape = (n, VOXELS, VOXELS, VOXELS, len(grids) * len(ELEMENTS))
    volume = torch.empty(shape, dtype=dtype, device=device)
    if n:
        slab_kernel[(n * (VOXELS // SLAB) * len(grids),)](
            positions.float().contiguous(), bounds, rotations.float().contiguous(), edges, volume,
            m, 1.0 / SIGMA_SQUARED, GAUSSIAN_REACH,
            GRIDS=len(grids), VOXELS=VOXELS, SLAB=SLAB, BLOCK=BLOCK,
        )  # fmt: skip
    return volume.permute(0, 4, 1, 2, 3)
