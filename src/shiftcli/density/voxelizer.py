"""Equations 1 and 2 of the paper: atoms become densities on five nested grids.

The same PyTorch code serves CPU and CUDA; where Triton is installed, a CUDA device makes the
Gaussian in one kernel (`fused`). Liu et al., J. Phys. Chem. Lett. 2019.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, get_args

import torch

from shiftcli.options import Kernel
from shiftcli.structure.crystal import ELEMENTS

_log = logging.getLogger("shiftcli.density")

#: Edge d of each grid in Å (paper, "Data Representation").
GRIDS = (4.0, 6.0, 8.0, 10.0, 14.0)

#: Voxels along one edge of every grid.
VOXELS = 16

#: σ² of Equation 1 in Å² (from the authors' published code).
SIGMA_SQUARED = 1.0 / 3.0

#: Terms a·exp(−b·s²/4) of a form factor with b (Å²) below this are delta functions to every
#: grid. Only nitrogen has one: 12.2 electrons within 0.01 Å, against a constant of −11.5.
_NARROWEST = 0.1

#: Names of the density kernels.
KERNELS: tuple[str, ...] = get_args(Kernel)

#: ζ of the Slater kernel r·exp(−ζr) for H, C, N, O (supplementary information), 1/Å.
SLATER_ZETA = (1.0, 3.14, 3.83, 4.45)

#: Distance (Å) beyond which exp(−r²/σ²) is below half the smallest float16.
GAUSSIAN_REACH = 2.4

#: So far may a density of the fused kernel be from that of the products, in another order.
_FUSED_TOLERANCE = 1e-5

#: Exponents are kept above this, so that products of three exponentials never become
#: subnormal numbers, on which processors are a hundred times slower (e^−25 is 1e−11).
_LOWEST_EXPONENT = -25.0

#: Segments (the atoms of one element in one environment) are padded to one of these.
_SEGMENT_SIZES = (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)

#: Atom coordinates worked on at once: small enough for a core's cache, large for a GPU.
_CHUNK = {"cpu": 4096, "cuda": 1 << 19}


def grid_axis(edge: float, **like: Any) -> torch.Tensor:
    """Voxel coordinates along one axis in Å, shape (16,), Equation 2: (15/2 − i)·d/15.

    `like` may hold dtype and device.
    """
    index = torch.arange(VOXELS, **like)
    return ((VOXELS - 1) / 2 - index) * edge / (VOXELS - 1)


def voxelize(
    positions: torch.Tensor,
    channels: torch.Tensor,
    *,
    rotations: torch.Tensor | None = None,
    grids: Sequence[float] = GRIDS,
    kernel: str = "gaussian",
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Densities of environments on nested grids, Equation 1.

    Parameters
    ----------
    positions : torch.Tensor
        Neighbours relative to the central atom in Å, shape (n, m, 3), any device.
    channels : torch.Tensor
        Index of each neighbour's element, shape (n, m), ascending in each row but for
        padding, which is negative and stands at the end.
    rotations : torch.Tensor, optional
        An orthogonal matrix for each environment to be turned by first, shape (n, 3, 3).
    grids : sequence of float
        Edges of the grids in Å.
    kernel : {"gaussian", "slater", "form-factor"}
        Density of one atom: exp(−r²/σ²) with σ² = 1/3 Å²; r·exp(−ζr); the inverse Fourier
        transform of the X-ray form factor (International Tables C, four Gaussians and a
        constant, whose delta function is left out; with it nitrogen's narrowest Gaussian).
    dtype : torch.dtype
        Floating-point type of the result; sums are always made in float32.

    Returns
    -------
    torch.Tensor
        Densities, shape (n, grids · 4, 16, 16, 16), channels-last in memory; the channel
        of grid g and element e is 4·g + e. A density is dimensionless for the Gaussian, in
        Å for the Slater kernel, in electrons/Å³ for the form factor.

    Raises
    ------
    ValueError
        If the kernel is not known.
    """
    if kernel not in KERNELS:
        raise ValueError(f"unknown density kernel {kernel!r}: one of {', '.join(KERNELS)}")
    if kernel == "gaussian" and (fused := _fused_kernel(positions.device)) is not None:
        return fused(positions, channels, rotations, grids=grids, dtype=dtype)
    if rotations is not None:
        positions = torch.bmm(positions.float(), rotations.float().transpose(1, 2))
    return _densities_by_products(positions.float(), channels, grids, kernel, dtype)


def _densities_by_products(
    positions: torch.Tensor,
    channels: torch.Tensor,
    grids: Sequence[float],
    kernel: str,
    dtype: torch.dtype,
) -> torch.Tensor:
    n, elements = len(positions), len(ELEMENTS)
    planes = len(grids) * elements
    # A Gaussian writes every voxel once; the other kernels add up, in float32.
    working = dtype if kernel == "gaussian" else torch.float32
    volume = torch.zeros(n * planes, VOXELS**3, dtype=working, device=positions.device)
    atoms = positions.reshape(-1, 3)
    row = torch.arange(n, device=positions.device)[:, None]
    segments = torch.where(channels < 0, -1, row * planes + channels).reshape(-1)
    extent = torch.where(segments < 0, math.inf, atoms.abs().amax(dim=1))
    for g in sorted(range(len(grids)), key=lambda k: -grids[k]):
        # From the largest grid down, so that each search starts from the survivors.
        seen = (extent < grids[g] / 2 + _reach(kernel)).nonzero()[:, 0]
        atoms, segments, extent = atoms[seen], segments[seen], extent[seen]
        plane = segments + g * elements
        if kernel == "slater":
            _add_slater(volume, atoms, plane, grids[g])
        else:
            for element, weight, inverse_width in _gaussians(kernel):
                own = slice(None) if element is None else plane % elements == element
                sums = _gaussian_sums(atoms[own], plane[own], len(volume), grids[g], inverse_width)
                for part, density in sums:
                    if kernel == "gaussian":
                        volume[part] = density.to(dtype)
                    else:
                        volume[part] += weight * density
    # One transposition of flat voxels is several times faster than a permutation of axes.
    flat = volume.to(dtype).view(n, planes, VOXELS**3).transpose(1, 2).contiguous()
    return flat.view(n, VOXELS, VOXELS, VOXELS, planes).permute(0, 4, 1, 2, 3)


@lru_cache
def _fused_kernel(device: torch.device) -> Callable[..., torch.Tensor] | None:
    """`fused.gaussian_densities` where it serves; None for the products."""
    if device.type != "cuda" or find_spec("triton") is None:
        return None
    return _tried(device) if torch.cuda.get_device_capability(device) >= (8, 0) else None


def _tried(device: torch.device) -> Callable[..., torch.Tensor] | None:
    """`fused.gaussian_densities` if it runs on a device and says there what the products say."""
    generator = torch.Generator().manual_seed(0)
    positions = (18 * torch.rand(2, 60, 3, generator=generator) - 9).to(device)
    channels = (torch.arange(60, device=device) // 15).expand(2, 60)
    try:
        from shiftcli.density.fused import gaussian_densities

        got = gaussian_densities(positions, channels, None, grids=GRIDS, dtype=torch.float32)
        expected = _densities_by_products(positions, channels, GRIDS, "gaussian", torch.float32)
        difference = float((got - expected).abs().max())
    except Exception as error:  # of Triton, its compiler or the driver: any kind
        _log.warning("note: no fused density on %s (%s)", device, type(error).__name__)
        return None
    if not difference < _FUSED_TOLERANCE:
        _log.warning("note: the fused density on %s is %.1e off: not used", device, difference)
        return None
    return gaussian_densities


def _reach(kernel: str) -> float:
    """Distance from a grid's box at which an atom no longer matters, in Å."""
    return GAUSSIAN_REACH if kernel == "gaussian" else math.inf


def _gaussians(kernel: str) -> list[tuple[int | None, float, float]]:
    """Element (None: all), weight and 1/σ² in 1/Å² of every Gaussian in a kernel."""
    if kernel == "gaussian":
        return [(None, 1.0, 1.0 / SIGMA_SQUARED)]
    import gemmi

    # f(s) = Σ a·exp(−b·s²/4), with s = 2·sinθ/λ, transforms to
    # ρ(r) = Σ a·(4π/b)^(3/2)·exp(−4π²r²/b).
    result: list[tuple[int | None, float, float]] = []
    for k, element in enumerate(ELEMENTS):
        factor = gemmi.Element(element).it92
        for a, b in zip(factor.a, factor.b, strict=True):
            if b < _NARROWEST:
                continue
            result.append((k, a * (4 * math.pi / b) ** 1.5, 4 * math.pi**2 / b))
    return result


def _segment_batches(
    atoms: torch.Tensor, segments: torch.Tensor, total: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Group atoms by segment, in batches of segments padded to about the same size.

    Yields (segment numbers (s,), coordinates (s, k, 3)), padding far away. `segments` must
    be sorted, as the caller's selection from sorted rows leaves it.
    """
    counts = torch.bincount(segments, minlength=total)
    starts = torch.cumsum(counts, 0) - counts
    far = atoms.new_full((1, 3), 1.0e4)
    source = torch.cat([atoms, far])
    sizes = torch.tensor(_SEGMENT_SIZES, device=atoms.device)
    bucket = torch.bucketize(counts, sizes)
    bucket[counts == 0] = -1
    for b in bucket.unique().tolist():
        if b < 0:
            continue
        members = (bucket == b).nonzero()[:, 0]
        size = _SEGMENT_SIZES[b] if b < len(_SEGMENT_SIZES) else int(counts[members].max())
        offset = torch.arange(size, device=atoms.device)
        for part in members.split(max(1, _CHUNK[atoms.device.type] // size)):
            index = starts[part, None] + offset
            index = torch.where(offset < counts[part, None], index, len(atoms))
            yield part, source[index]


def _gaussian_sums(
    atoms: torch.Tensor, segments: torch.Tensor, total: int, edge: float, inverse_width: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Sum exp(−r²/σ²) over the atoms of each segment, on one grid.

    Yields (segment numbers (s,), densities (s, 4096)). The Gaussian is separable: 48
    exponentials an atom, and the sum over a segment's atoms is the matrix product
    (X ⊗ Y)^T Z.
    """
    scale = math.sqrt(inverse_width)
    axis = grid_axis(edge, dtype=torch.float32, device=atoms.device) * scale
    for part, coordinates in _segment_batches(atoms * scale, segments, total):
        # Each axis in one piece of memory: the products below read them in order.
        factors = coordinates.permute(2, 0, 1)[..., None] - axis
        factors.mul_(factors).neg_().clamp_(min=_LOWEST_EXPONENT).exp_()
        x, y, z = factors.unbind(0)
        xy = (x[..., :, None] * y[..., None, :]).flatten(2)
        yield part, torch.bmm(xy.transpose(1, 2), z).flatten(1)


def _add_slater(
    volume: torch.Tensor, atoms: torch.Tensor, segments: torch.Tensor, edge: float
) -> None:
    """Add r·exp(−ζr) of every atom to its segment's row of (segments, 4096)."""
    axis = grid_axis(edge, dtype=torch.float32, device=atoms.device)
    points = torch.cartesian_prod(axis, axis, axis)
    zeta = torch.tensor(SLATER_ZETA, device=atoms.device)
    for part, coordinates in _segment_batches(atoms, segments, len(volume)):
        for one, own in zip(part.tolist(), coordinates, strict=True):
            for some in own.split(256):
                # Without |a|² + |b|² − 2ab, which is 0.003 Å off near a nucleus.
                r = torch.cdist(points, some, compute_mode="donot_use_mm_for_euclid_dist")
                slater = r * torch.exp(-zeta[one % len(ELEMENTS)] * r)
                volume[one] += slater.sum(dim=1)
