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
_CHUNK = {"cpu": 1024, "cuda": 1 << 19}


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
    atoms, segments = _seen_atoms(positions, channels, grids, _reach(kernel))
    steps = torch.tensor(grids, dtype=torch.float32, device=atoms.device) / (VOXELS - 1)
    place = torch.arange(len(volume), device=atoms.device).view(n, len(grids), elements)
    place = place.transpose(0, 1).flatten()  # of each segment in the volume
    if kernel == "slater":
        _add_slater(volume, atoms, segments, steps, place)
    for element, weight, inverse_width in _gaussians(kernel):
        own = slice(None) if element is None else segments % elements == element
        for part, density in _gaussian_sums(atoms[own], segments[own], steps, n, inverse_width):
            if kernel == "gaussian":
                volume[place[part]] = density.to(dtype)
            else:
                volume[place[part]] += weight * density
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
    if kernel == "slater":
        return []
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


def _seen_atoms(
    positions: torch.Tensor, channels: torch.Tensor, grids: Sequence[float], reach: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Atoms that each grid sees, shape (s, 3), and the segment of each, shape (s,), ascending.

    A segment is the atoms of one element in one environment on one grid: its number is
    (grid · n + environment) · 4 + element.
    """
    n, elements = len(positions), len(ELEMENTS)
    atoms = positions.reshape(-1, 3)
    row = torch.arange(n, device=atoms.device)[:, None]
    of_atom = (row * elements + channels).reshape(-1)
    x, y, z = positions.abs().unbind(2)
    extent = torch.maximum(torch.maximum(x, y), z).masked_fill(channels < 0, math.inf).flatten()
    edges = torch.tensor(grids, dtype=torch.float32, device=atoms.device)
    grid, seen = (extent < edges[:, None] / 2 + reach).nonzero().unbind(1)
    return atoms[seen], grid * (n * elements) + of_atom[seen]


def _segment_batches(
    atoms: torch.Tensor, segments: torch.Tensor, total: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Group atoms by segment, in batches of segments padded to about the same size.

    Yields (segment numbers (s,), coordinates (3, s, k)), padding far away. `segments` must
    be sorted.
    """
    counts = torch.bincount(segments, minlength=total)
    starts = torch.cumsum(counts, 0) - counts
    sizes = torch.tensor(_SEGMENT_SIZES, device=atoms.device)
    bucket = torch.bucketize(counts, sizes)
    largest = torch.full_like(sizes[:1], max([_SEGMENT_SIZES[-1], *counts.tolist()]))
    padded = torch.cat([sizes, largest])[bucket].where(counts > 0, 0)
    order = torch.argsort(padded, stable=True)
    ends = torch.cumsum(padded[order], 0)
    offset = torch.empty_like(starts)
    offset[order] = ends - padded[order]
    place = torch.arange(len(atoms), device=atoms.device) + (offset - starts)[segments]
    coordinates = atoms.new_full((3, int(padded.sum())), 1.0e4)
    coordinates[:, place] = atoms.t()
    start = 0
    for size, members in zip(*padded[order].unique_consecutive(return_counts=True), strict=True):
        own, order = order.tensor_split([int(members)])
        for part in own.split(max(1, _CHUNK[atoms.device.type] // int(size))) if size else ():
            stop = start + len(part) * int(size)
            yield part, coordinates[:, start:stop].view(3, len(part), -1)
            start = stop


def _gaussian_sums(
    atoms: torch.Tensor, segments: torch.Tensor, steps: torch.Tensor, n: int, inverse_width: float
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Sum exp(−r²/σ²) over the atoms of each segment of n environments, on its grid.

    Yields (segment numbers (s,), densities (s, 4096)). The Gaussian is separable: 48
    exponentials an atom, and the sum over a segment's atoms is the matrix product
    X^T (Y ⊗ Z). Lengths are in `steps`, the distances of each grid's voxels in Å.
    """
    kinds = n * len(ELEMENTS)
    axis = grid_axis(VOXELS - 1, dtype=torch.float32, device=atoms.device)
    kept: dict[str, torch.Tensor] = {}  # memory for the largest arrays stays in the cache
    for part, coordinates in _segment_batches(atoms, segments, len(steps) * kinds):
        step = steps[part // kinds][:, None]
        factors = (coordinates / step)[..., None] - axis
        factors.mul_(factors).mul_((-inverse_width * step**2)[..., None])
        x, y, z = factors.clamp_(min=_LOWEST_EXPONENT).exp_().unbind(0)
        yz = _memory(kept, "yz", atoms, (*y.shape, VOXELS))
        torch.mul(y[..., :, None], z[..., None, :], out=yz)
        density = _memory(kept, "density", atoms, (len(part), VOXELS, VOXELS**2))
        torch.bmm(x.transpose(1, 2), yz.flatten(2), out=density)
        yield part, density.flatten(1)


def _memory(
    kept: dict[str, torch.Tensor], name: str, like: torch.Tensor, shape: tuple[int, ...]
) -> torch.Tensor:
    """An array of a shape with arbitrary values, in memory kept from one call to the next."""
    size = math.prod(shape)
    if name not in kept or kept[name].numel() < size:
        kept[name] = like.new_empty(size)
    return kept[name][:size].view(shape)


def _add_slater(
    volume: torch.Tensor,
    atoms: torch.Tensor,
    segments: torch.Tensor,
    steps: torch.Tensor,
    place: torch.Tensor,
) -> None:
    """Add r·exp(−ζr) of every atom to its segment's row of (segments, 4096)."""
    axis = grid_axis(VOXELS - 1, dtype=torch.float32, device=atoms.device)
    points = torch.cartesian_prod(axis, axis, axis)
    kinds = len(volume) // len(steps)
    zeta = torch.tensor(SLATER_ZETA, device=atoms.device)
    for part, coordinates in _segment_batches(atoms, segments, len(volume)):
        for k, one in enumerate(part.tolist()):
            for some in coordinates[:, k].t().split(256):
                # Without |a|² + |b|² − 2ab, which is 0.003 Å off near a nucleus.
                r = torch.cdist(
                    points * steps[one // kinds], some, compute_mode="donot_use_mm_for_euclid_dist"
                )
                slater = r * torch.exp(-zeta[one % len(ELEMENTS)] * r)
                volume[place[one]] += slater.sum(dim=1)
