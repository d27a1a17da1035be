"""Voxel densities against float64 loops written straight from Equations 1 and 2."""

from __future__ import annotations

import functools

import gemmi
import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from shiftcli.density.voxelizer import GRIDS, KERNELS, VOXELS, grid_axis, voxelize
from shiftcli.structure.crystal import ELEMENTS

#: Smallest positive float16: what lies below half of it is nothing.
TINY = 2.0**-24


def gaussian(element: int, r: np.ndarray) -> np.ndarray:
    return np.exp(-(r**2) / (1.0 / 3.0))


def slater(element: int, r: np.ndarray) -> np.ndarray:
    return r * np.exp(-(1.0, 3.14, 3.83, 4.45)[element] * r)


def form_factor(element: int, r: np.ndarray) -> np.ndarray:
    return radial_transform(element)(r)


@functools.cache
def radial_transform(element: int) -> CubicSpline:
    """ρ(r) = 1/(2π²) ∫ q² f(q) sin(qr)/(qr) dq of the form factor less its constant part.

    The trapezoidal rule on a smooth even integrand is exact but for aliases 2π/0.05 Å away.
    """
    q = np.arange(0.0, 250.0, 0.05)
    factor = gemmi.Element(ELEMENTS[element]).it92
    f = np.array([factor.calculate_sf(s) for s in (q / (4 * np.pi)) ** 2]) - factor.c
    if ELEMENTS[element] == "N":
        # 12.2·exp(−0.0057 s²/4) and c = −11.5 are one nearly constant term, a delta function.
        assert factor.b[0] == 0.0057
        f -= factor.a[0] * np.exp(-factor.b[0] * (q / (4 * np.pi)) ** 2)
    r = np.arange(0.0, 26.0, 0.005)
    density = np.array([(q**2 * f * np.sinc(q * x / np.pi)).sum() for x in r])
    return CubicSpline(r, density * 0.05 / (2 * np.pi**2))


RADIAL = {"gaussian": gaussian, "slater": slater, "form-factor": form_factor}


def reference(positions, channels, grids, kernel) -> np.ndarray:
    """Equations 1 and 2 of one environment, voxel by voxel."""
    positions = np.asarray(positions, dtype=np.float64)
    result = np.zeros((len(grids) * 4, 16, 16, 16))
    for g, d in enumerate(grids):
        for i in range(16):
            for j in range(16):
                for k in range(16):
                    r = np.array([(15 / 2 - i) * d / 15, (15 / 2 - j) * d / 15, 0.0])
                    r[2] = (15 / 2 - k) * d / 15
                    distance = np.sqrt(((r - positions) ** 2).sum(axis=1))
                    for e in range(4):
                        own = distance[channels == e]
                        if len(own):
                            result[4 * g + e, i, j, k] = RADIAL[kernel](e, own).sum()
    return result


def environment(seed=0, count=6, extent=5.0, padding=0) -> tuple[torch.Tensor, torch.Tensor]:
    """One random environment, shapes (1, count + padding, 3) and (1, count + padding)."""
    rng = np.random.default_rng(seed)
    positions = rng.uniform(-extent, extent, size=(1, count + padding, 3))
    channels = np.sort(rng.integers(0, 4, size=(1, count)), axis=1)
    channels = np.concatenate([channels, np.full((1, padding), -1)], axis=1)
    return torch.tensor(positions, dtype=torch.float32), torch.tensor(channels)


def test_coordinates_are_those_of_equation_2():
    axis = grid_axis(6.0, dtype=torch.float64)
    assert axis.tolist() == pytest.approx([(15 / 2 - i) * 6.0 / 15 for i in range(16)], abs=1e-15)
    assert axis[0] == 3.0
    assert axis[15] == -3.0


def test_grids_are_the_papers():
    assert GRIDS == (4.0, 6.0, 8.0, 10.0, 14.0)
    assert VOXELS == 16


def test_gaussian_equals_the_equations_on_all_grids():
    positions, channels = environment(seed=1)
    expected = reference(positions[0], channels[0].numpy(), GRIDS, "gaussian")
    assert (expected.max(axis=(1, 2, 3)) > 1e-3).sum() >= 8, "the example must fill channels"
    np.testing.assert_allclose(voxelize(positions, channels)[0], expected, atol=2 * TINY, rtol=2e-6)


@pytest.mark.parametrize("kernel", ["slater", "form-factor"])
def test_other_kernels_equal_the_equations(kernel):
    # Every element once, one atom within a voxel of a grid point of the inner grid.
    positions = torch.tensor([[[0.11, -0.2, 1.9], [1.3, 0.4, -0.9], [-1.1, 0.9, 0.3], [2, -3, 1]]])
    channels = torch.tensor([[0, 1, 2, 3]])
    grids = (4.0, 10.0)
    expected = reference(positions[0], channels[0].numpy(), grids, kernel)
    got = voxelize(positions, channels, grids=grids, kernel=kernel)[0]
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


def test_slater_is_exact_close_to_a_nucleus():
    # r·exp(−ζr) vanishes at the nucleus, so distances by |a|² + |b|² − 2ab would show.
    corner = grid_axis(14.0, dtype=torch.float64)[[0, 1, 15]]
    for offset in (0.0, 1e-3, 1e-2):
        nucleus = corner + torch.tensor([offset, 0.0, 0.0], dtype=torch.float64)
        got = voxelize(nucleus[None, None], torch.tensor([[1]]), grids=(14.0,), kernel="slater")
        expected = offset * np.exp(-3.14 * offset)
        assert float(got[0, 1, 0, 1, 15]) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("element", range(4))
def test_form_factor_has_no_spike_on_the_nucleus(element):
    # Nitrogen's narrowest Gaussian would put a million electrons/Å³ on this voxel.
    nucleus = grid_axis(4.0, dtype=torch.float64)[[7, 8, 5]]
    channels = torch.tensor([[element]])
    got = voxelize(
        nucleus[None, None], channels, grids=(4.0,), kernel="form-factor", dtype=torch.float16
    )
    assert torch.isfinite(got).all()
    at_nucleus = form_factor(element, np.zeros(1))[0]
    assert float(got[0, element].max()) == pytest.approx(at_nucleus, rel=1e-3)
    assert at_nucleus < 1000


@pytest.mark.parametrize(
    ("dtype", "relative"),
    [(torch.float16, 2.0**-11), (torch.bfloat16, 2.0**-8), (torch.float32, 2e-6)],
)
@pytest.mark.parametrize("kernel", KERNELS)
def test_output_types_round_the_same_sums(kernel, dtype, relative):
    positions, channels = environment(seed=2, extent=3.0)
    exact = voxelize(positions, channels, grids=(6.0, 8.0), kernel=kernel).double()
    got = voxelize(positions, channels, grids=(6.0, 8.0), kernel=kernel, dtype=dtype)
    assert got.dtype == dtype
    np.testing.assert_allclose(got.double(), exact, rtol=1.01 * relative, atol=TINY)


def test_channel_order_is_four_times_the_grid_plus_the_element():
    for element in range(4):
        positions = torch.tensor([[[0.3, 0.2, 0.1]]])
        volume = voxelize(positions, torch.tensor([[element]]))[0]
        filled = (volume.amax(dim=(1, 2, 3)) > 0.1).nonzero()[:, 0].tolist()
        assert filled == [4 * g + element for g in range(5)]
    # The finer the grid, the more voxels lie within 1 Å of the atom.
    counts = [int((volume[4 * g + 3] > np.exp(-3.0)).sum()) for g in range(5)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[1]


@pytest.mark.parametrize("kernel", KERNELS)
def test_memory_is_channels_last(kernel):
    positions, channels = environment(seed=3)
    volume = voxelize(positions.repeat(2, 1, 1), channels.repeat(2, 1), grids=(4, 6), kernel=kernel)
    assert volume.shape == (2, 8, 16, 16, 16)
    assert volume.is_contiguous(memory_format=torch.channels_last_3d)
    assert volume.stride()[1] == 1


@pytest.mark.parametrize("fill", [1.0e4, 0.0])
@pytest.mark.parametrize("kernel", KERNELS)
def test_padding_is_invisible(kernel, fill):
    positions, channels = environment(seed=4, padding=9)
    positions[:, 6:] = fill
    bare = voxelize(positions[:, :6], channels[:, :6], grids=(4.0, 8.0), kernel=kernel)
    padded = voxelize(positions, channels, grids=(4.0, 8.0), kernel=kernel)
    assert bare.abs().max() > 0.1
    assert torch.equal(padded, bare)


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_environment_of_a_batch_stands_alone(kernel):
    rows = [environment(seed=s, count=7, extent=3.0) for s in range(3)]
    positions, channels = (torch.cat(parts) for parts in zip(*rows, strict=True))
    together = voxelize(positions, channels, grids=(6.0,), kernel=kernel)
    for row, one in enumerate(rows):
        alone = voxelize(*one, grids=(6.0,), kernel=kernel)[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_order_within_an_element_does_not_matter(kernel):
    positions, _ = environment(seed=5, count=9, extent=3.0)
    channels = torch.tensor([[0, 0, 0, 1, 1, 1, 3, 3, 3]])
    order = torch.tensor([2, 0, 1, 5, 4, 3, 7, 8, 6])
    straight = voxelize(positions, channels, grids=(8.0,), kernel=kernel)
    permuted = voxelize(positions[:, order], channels, grids=(8.0,), kernel=kernel)
    np.testing.assert_allclose(permuted, straight, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_empty_environment_gives_zeros(kernel):
    positions = torch.zeros(2, 3, 3)
    channels = torch.tensor([[-1, -1, -1], [1, -1, -1]])
    volume = voxelize(positions, channels, grids=(4.0,), kernel=kernel)
    assert not volume[0].any()
    assert volume[1, 1].any()
    assert not volume[1, [0, 2, 3]].any()


def test_no_environments_give_no_volumes():
    volume = voxelize(torch.zeros(0, 5, 3), torch.zeros(0, 5, dtype=torch.long))
    assert volume.shape == (0, 20, 16, 16, 16)


def test_more_atoms_of_one_element_than_the_largest_segment():
    rng = np.random.default_rng(6)
    positions = torch.tensor(rng.uniform(-4, 4, size=(1, 1500, 3)), dtype=torch.float32)
    channels = torch.ones(1, 1500, dtype=torch.long)
    got = voxelize(positions, channels, grids=(6.0,))[0, 1].double()
    axis = (15 / 2 - np.arange(16)) * 6.0 / 15
    factors = np.exp(-3.0 * (axis - positions[0].double().numpy()[..., None]) ** 2)
    expected = np.einsum("ai,aj,ak->ijk", *factors.transpose(1, 0, 2))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert not voxelize(positions, channels, grids=(6.0,))[0, [0, 2, 3]].any()


def test_an_unknown_kernel_is_refused():
    positions, channels = environment()
    with pytest.raises(ValueError, match=r"unknown density kernel 'lorentzian': one of gaussian"):
        voxelize(positions, channels, kernel="lorentzian")


@pytest.mark.parametrize("edge", GRIDS)
def test_an_atom_outside_the_reach_changes_nothing(edge):
    limit = edge / 2 + 2.4
    outside = torch.tensor([[limit + 1e-3, 0.1, 0.2], [0.3, -limit - 1e-3, 0.0], [0, 0, limit + 1]])
    inside = torch.tensor([0.1, 0.2, -limit + 0.1])
    channels = torch.tensor([[1]])
    for atom in outside:
        assert not voxelize(atom[None, None], channels, grids=(edge,)).any()
        # What is left out is below the resolution of float16 at the nearest voxel.
        overhang = np.clip(atom.abs().double().numpy() - edge / 2, 0, None)
        assert np.exp(-3.0 * (overhang**2).sum()) < TINY
    assert voxelize(inside[None, None], channels, grids=(edge,)).max() > TINY


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("kernel", KERNELS)
def test_cuda_equals_cpu(kernel):
    rows = [environment(seed=s, count=40, extent=7.0, padding=s) for s in range(2)]
    positions = torch.full((2, 41, 3), 1.0e4)
    channels = torch.full((2, 41), -1)
    for row, (own, kinds) in enumerate(rows):
        positions[row, : own.shape[1]], channels[row, : kinds.shape[1]] = own[0], kinds[0]
    cpu = voxelize(positions, channels, kernel=kernel)
    cuda = voxelize(positions.cuda(), channels.cuda(), kernel=kernel)
    assert cuda.is_cuda
    np.testing.assert_allclose(cuda.cpu(), cpu, rtol=1e-4, atol=1e-6)
