"""The mean and variance over the views of an environment are those of the single outputs."""

import numpy as np
import pytest
import torch

from shiftcli.density.environments import Environments, surroundings
from shiftcli.density.orientations import Frames, apply_octahedral
from shiftcli.network.densenet import PRESETS
from shiftcli.network.inference import (
    Held,
    average_views,
    densities,
    forward,
    prediction_views,
    share_left_out,
    view_statistics,
)

CPU = torch.device("cpu")


class Weighing(torch.nn.Module):
    """Stands for a network: a fixed weight for each voxel, so that orientations matter."""

    architecture = PRESETS["compact"]

    def forward(self, volume):
        pattern = torch.sin(torch.arange(volume[0].numel(), dtype=torch.float64))
        return volume.double().flatten(1) @ pattern


@pytest.fixture(scope="module")
def environments(urea):
    return surroundings(urea, urea.sites)


def single_outputs(environments, row, rotation, symmetries):
    """Outputs of one environment in one frame, one a symmetry."""
    held = Held.on(CPU, environments[[row]])
    volume = densities(Weighing(), held, rotation[None], torch.float32)
    return [forward(Weighing(), apply_octahedral(volume, s)).item() for s in symmetries]


def statistics(environments, views):
    mean, variance = view_statistics([Weighing()], environments, views, CPU, torch.float32)
    return mean[0], variance[0]


@pytest.mark.parametrize("orientation", ["frames", "octahedral", "random"])
def test_against_views_one_by_one(environments, orientation):
    turned, symmetries = views = prediction_views(environments, orientation, 3)
    mean, variance = statistics(environments, views)
    for row in range(len(environments)):
        values, weights = [], []
        for rotation, weight in zip(turned.rotations[row], turned.weights[row], strict=True):
            seen = single_outputs(environments, row, rotation, symmetries)
            values += seen
            weights += [weight / len(seen)] * len(seen)
        expected = np.average(values, weights=weights)
        spread = np.average((np.array(values) - expected) ** 2, weights=weights)
        assert mean[row] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert variance[row] == pytest.approx(spread, rel=1e-3, abs=1e-6)
    assert variance.max() > 0.01


def test_views_count_by_their_weight(environments):
    turned, symmetries = prediction_views(environments, "random", 2)
    weights = np.tile(np.float32([0.9, 0.1]), (len(environments), 1))
    _, uneven = statistics(environments, (Frames(turned.rotations, weights), symmetries))
    _, even = statistics(environments, (turned, symmetries))
    # Two values d apart have the variance w (1 − w) d².
    assert uneven == pytest.approx(even * 0.09 / 0.25, rel=1e-4)


@pytest.mark.parametrize("orientation", ["frames", "random"])
def test_one_view_has_no_variance(environments, orientation):
    views = prediction_views(environments, orientation, 1)
    assert (statistics(environments, views)[1] == 0).all()


def test_the_average_is_the_mean(environments):
    views = prediction_views(environments, "frames", 12)
    mean = average_views(Weighing(), environments, views, CPU, torch.float32)
    assert np.array_equal(mean, statistics(environments, views)[0])


def test_several_networks_see_the_same_densities(environments):
    class Twice(Weighing):
        def forward(self, volume):
            return 2.0 * super().forward(volume)

    views = prediction_views(environments, "frames", 4)
    both = view_statistics([Weighing(), Twice()], environments, views, CPU, torch.float32)
    mean, variance = statistics(environments, views)
    np.testing.assert_allclose(both[0], [mean, 2 * mean])
    np.testing.assert_allclose(both[1], [variance, 4 * variance])


def test_out_of_memory_halves_the_batch(environments):
    views = prediction_views(environments, "frames", 12)
    expected = statistics(environments, views)
    sizes = []

    class Small(Weighing):
        def forward(self, volume):
            sizes.append(len(volume))
            if len(volume) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(volume)

    mean, variance = view_statistics([Small()], environments, views, CPU, torch.float32)
    np.testing.assert_array_equal([mean[0], variance[0]], expected)
    assert sizes[0] > 5 >= sizes[-1]


def test_out_of_memory_for_a_single_environment_is_an_error(environments):
    class Full(Weighing):
        def forward(self, volume):
            raise torch.OutOfMemoryError("CUDA out of memory")

    views = prediction_views(environments, "frames", 1)
    with pytest.raises(torch.OutOfMemoryError):
        view_statistics([Full()], environments, views, CPU, torch.float32)


def test_every_batch_runs_in_one_thread_and_is_small(environments):
    seen = []

    class Watching(Weighing):
        def forward(self, volume):
            seen.append((len(volume), torch.get_num_threads()))
            return super().forward(volume)

    many = environments[np.arange(len(environments)).repeat(9)]
    threads = torch.get_num_threads()
    view_statistics([Watching()], many, prediction_views(many, "random", 1), CPU, torch.float32)
    assert sum(size for size, _ in seen) == len(many)
    sizes = {size for size, _ in seen}
    assert max(sizes) <= 24
    assert max(sizes) - min(sizes) <= 1, "even, so that all cores end together"
    assert {number for _, number in seen} == {1}
    assert torch.get_num_threads() == threads


def test_one_view_does_not_know_left_from_right(environments):
    """Which copy of a site is predicted depends on the order of atoms, and its hand with it."""
    mirrored = Environments(environments.positions * np.float32([1, 1, -1]), environments.channels)
    both = [
        statistics(own, prediction_views(own, "frames", 1))[0] for own in (environments, mirrored)
    ]
    np.testing.assert_allclose(*both, rtol=1e-5)


def test_share_of_the_views_left_out(environments):
    assert (share_left_out(environments, "frames", 12) == 0).all()
    one, two, three = (share_left_out(environments, "frames", n) for n in (1, 2, 3))
    assert (one >= 0.5).all()  # of a single frame, the mirror image, too
    assert (one > two).all()
    assert (two >= three).all()
    assert (three >= 0).all()
    assert share_left_out(environments, "octahedral", 12).tolist() == [0.75] * len(environments)
    assert share_left_out(environments, "random", 8).tolist() == [0.0] * len(environments)
