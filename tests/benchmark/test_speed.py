"""The dense formulation is the same density, and the timings are of something."""

import numpy as np
import torch

from shiftcli.benchmark.speed import benchmark_crystal, dense_voxelize, measure_speed
from shiftcli.density.environments import surroundings
from shiftcli.density.voxelizer import voxelize


def test_dense_formulation_is_the_same_density():
    crystal = benchmark_crystal()
    environments = surroundings(crystal, crystal.sites[:1])
    fast = voxelize(
        torch.from_numpy(environments.positions),
        torch.from_numpy(environments.channels).long(),
    )
    assert np.allclose(dense_voxelize(environments), fast.numpy(), atol=2e-3)


def test_measures(predictor):
    speed = measure_speed(predictor, benchmark_crystal(), repeats=1)
    assert speed.environments == 128
    assert speed.ratio > 50
    assert speed.predictions > 1
    low, high = speed.voxelizations_spread
    assert low <= speed.voxelizations <= high
    assert speed.to_dict()["speed"]["ratio"] == speed.ratio
