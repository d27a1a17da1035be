"""Equations 1 and 2 of the paper: atoms become densities on five nested grids.

The same PyTorch code serves CPU and CUDA; where Triton is installed, a CUDA device makes the
Gaussian in one kernel (`fused`). Liu et al., J. Phys. Chem. Lett. 2019.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from itertools import accumulate
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
    n, planes = len(positions), len(grids) * len(ELEMENTS)
    atoms, steps, kinds, counts = _seen_atoms(positions, channels, grids, _reach(kernel))
    totals = [sum(own) for own in counts]
    axis = grid_axis(VOXELS - 1, dtype=torch.float32, device=atoms.device)
    gaussians = [
        (weight[kinds, None], -width[kinds, None] * steps[:, None] ** 2)
        for weight, width in _gaussians(kernel, atoms.device)
    ]
    memory = atoms.new_empty(max(totals, default=0), VOXELS, VOXELS)
    sums = atoms.new_empty(planes, VOXELS, VOXELS**2)
    volume, unit = atoms.new_empty(n, VOXELS**3, planes), torch.eye(planes, device=atoms.device)
    # One environment after the other: what is at work stays in a core's cache.
    for row, (start, total) in enumerate(zip(accumulate(totals, initial=0), totals, strict=False)):
        own, by_plane = slice(start, start + total), sums.zero_().unbind()
        if kernel == "slater":
            _add_slater(by_plane, atoms[:, own], steps[own], counts[row])
        for weight, width in gaussians:
            _add_gaussians(
                by_plane, atoms[:, own], axis, counts[row], weight[own], width[own], memory
            )
        # A product with ones transposes flat voxels twice as fast as a copy, and exactly.
        torch.mm(sums.view(planes, -1).t(), unit, out=volume[row])
    return volume.to(dtype).view(n, VOXELS, VOXELS, VOXELS, planes).permute(0, 4, 1, 2, 3)


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


def _gaussians(kernel: str, device: torch.device) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weight and 1/σ² in 1/Å² of the Gaussians of a kernel, shape (4,) each, by element."""
    if kernel == "slater":
        return []
    if kernel == "gaussian":
        one = torch.ones(len(ELEMENTS), device=device)
        return [(one, one / SIGMA_SQUARED)]
    import gemmi

    # f(s) = Σ a·exp(−b·s²/4), with s = 2·sinθ/λ, transforms to
    # ρ(r) = Σ a·(4π/b)^(3/2)·exp(−4π²r²/b).
    factors = [gemmi.Element(element).it92 for element in ELEMENTS]
    a, b = (torch.tensor([getattr(f, name) for f in factors], dtype=torch.float64) for name in "ab")
    a[b < _NARROWEST] = 0.0
    both = torch.stack([a * (4 * math.pi / b) ** 1.5, 4 * math.pi**2 / b]).float().to(device)
    return list(zip(*both.transpose(1, 2), strict=True))


def _seen_atoms(
    positions: torch.Tensor, channels: torch.Tensor, grids: Sequence[float], reach: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[list[int]]]:
    """Atoms that each grid sees, sorted by environment and plane: grid, then element.

    Coordinates in voxels of the grid, shape (3, s); edges of these in Å and elements, shape (s,);
    how many atoms each plane of each environment has.
    """
    n, planes = len(positions), len(grids) * len(ELEMENTS)
    edges = torch.tensor(grids, dtype=torch.float32, device=positions.device)
    x, y, z = positions.abs().unbind(2)
    extent = torch.maximum(torch.maximum(x, y), z)
    near = (extent[:, None] < edges[:, None] / 2 + reach) & (channels >= 0)[:, None]
    row, grid, atom = near.nonzero().unbind(1)
    kinds = channels[row, atom]
    plane = (row * len(grids) + grid) * len(ELEMENTS) + kinds
    counts = torch.bincount(plane, minlength=n * planes).view(n, planes)
    steps = (edges / (VOXELS - 1))[grid]
    atoms = positions[row, atom] / steps[:, None]
    return atoms.t().contiguous(), steps, kinds, counts.tolist()


def _add_gaussians(
    planes: Sequence[torch.Tensor],
    atoms: torch.Tensor,
    axis: torch.Tensor,
    counts: Sequence[int],
    weight: torch.Tensor,
    minus_inverse_width: torch.Tensor,
    memory: torch.Tensor,
) -> None:
    """Add exp(−r²/σ²) of atoms, times a weight, to planes (x, y · z) of so many atoms each.

    The Gaussian is separable: 48 exponentials an atom, and the sum over the atoms of a plane is
    the matrix product X^T (Y ⊗ Z), of which the right side is made in `memory`.
    """
    factors = (atoms[..., None] - axis).square_().mul_(minus_inverse_width)
    x, y, z = factors.clamp_(min=_LOWEST_EXPONENT).exp_().unbind(0)
    x *= weight
    yz = torch.mul(y[:, :, None], z[:, None, :], out=memory[: len(y)]).flatten(1)
    for plane, own, others in zip(planes, x.t().split(counts, 1), yz.split(counts), strict=True):
        plane.addmm_(own, others)


def _add_slater(
    planes: Sequence[torch.Tensor],
    atoms: torch.Tensor,
    steps: torch.Tensor,
    counts: Sequence[int],
) -> None:
    """Add r·exp(−ζr) of atoms to planes of so many atoms each."""
    axis = grid_axis(VOXELS - 1, dtype=torch.float32, device=atoms.device)
    points = torch.cartesian_prod(axis, axis, axis)
    parts = zip(planes, atoms.t().split(counts), steps.split(counts), strict=True)
    for k, (plane, own, step) in enumerate(parts):
        zeta = SLATER_ZETA[k % len(ELEMENTS)]
        for some, voxel in zip(own.split(256), step.split(256), strict=True):
            # Without |a|² + |b|² − 2ab, which is 0.003 Å off near a nucleus.
            r = torch.cdist(points, some, compute_mode="donot_use_mm_for_euclid_dist") * voxel
            plane += (r * torch.exp(-zeta * r)).sum(dim=1).view_as(plane)
