"""Everything that computes does so on the device asked for: tried with a GPU that is none."""

import numpy as np
import pytest
import torch
from fake_gpu import GPU, FakeGpu, OnGpu

from shiftcli.benchmark.endtoend import measure_end_to_end
from shiftcli.benchmark.speed import benchmark_crystal, measure_speed
from shiftcli.density.environments import surroundings
from shiftcli.density.orientations import local_frames
from shiftcli.density.voxelizer import KERNELS, voxelize
from shiftcli.prediction.predictor import Predictor
from shiftcli.training.branch import Branch
from shiftcli.training.config import Configuration
from shiftcli.training.data import collect_samples
from shiftcli.training.loop import Trainer
from shiftcli.training.processes import Processes
from shiftcli.training.sources import load_levels


@pytest.fixture
def gpu():
    with FakeGpu() as device:
        yield device


def test_the_gpu_refuses_what_cuda_refuses(gpu):
    here, there = torch.ones(3), torch.ones(3).to(GPU)
    assert there.is_cuda
    assert (there + 1).device == GPU
    assert (there * torch.tensor(2.0)).tolist() == [2.0] * 3, "numbers may come from the CPU"
    with pytest.raises(RuntimeError, match="expected all on one device"):
        here + there
    with pytest.raises(RuntimeError, match="expected all on one device"):
        torch.cat([here, there])
    with pytest.raises(RuntimeError, match="indices"):
        here[torch.tensor([0]).to(GPU)]
    with pytest.raises((RuntimeError, TypeError)):
        there.numpy()
    assert not isinstance(there.cpu(), OnGpu)
    assert there.cpu().numpy().sum() == 3.0


@pytest.mark.parametrize("kernel", KERNELS)
def test_densities(gpu, kernel):
    positions = torch.rand(2, 30, 3) * 6 - 3
    channels = (torch.arange(30) // 8).expand(2, 30)
    expected = voxelize(positions, channels, kernel=kernel)
    got = voxelize(positions.to(GPU), channels.to(GPU), kernel=kernel)
    assert isinstance(got, OnGpu)
    torch.testing.assert_close(got.cpu(), expected, rtol=1e-4, atol=1e-5)


def test_prediction(gpu, urea, predictor):
    found = Predictor(device="cuda", nuclei=["H", "O"], dtype="auto")
    assert found.device.type == "cuda"
    sites = found.predict(urea).sites
    assert gpu.operations > 1000
    expected_sites = [row for row in predictor.predict(urea).sites if row.site.element in "HO"]
    for row, expected in zip(sites, expected_sites, strict=True):
        assert row.shielding == pytest.approx(expected.shielding, abs=1e-3)


@pytest.mark.usefixtures("narrow")
def test_a_training_step_and_validation(gpu, molecules):
    samples = collect_samples(load_levels([molecules]).main, "C")
    quick = Configuration(epochs=1, batch_size=8, optimizer="adamw", precision="float32")
    alone = Processes(0, 1, torch.device("cuda", 0))
    branch = Branch("C", samples, samples, quick, alone)
    trainer = Trainer([branch], quick, alone)
    assert all(p.device == GPU for p in trainer.network(branch).parameters())
    rng = np.random.default_rng(0)
    before = [p.detach().cpu().clone() for p in trainer.network(branch).parameters()]
    sums = trainer._step(branch, np.arange(8), rng, 1e-3)
    assert np.isfinite(sums).all()
    after = [p.detach().cpu() for p in trainer.network(branch).parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert np.isfinite(trainer.validation_rmse(branch, 1))


def test_benchmark(gpu, monkeypatch):
    monkeypatch.setattr("shiftcli.benchmark.speed._BATCHES", {"cuda": (2,)})
    monkeypatch.setattr("shiftcli.benchmark.speed._COPIED", {"cuda": 1 << 12})
    monkeypatch.setattr("shiftcli.benchmark.speed._ORIENTATIONS", 1)
    monkeypatch.setattr("shiftcli.benchmark.endtoend._cold_start", lambda *_: 1.0)
    monkeypatch.setattr("shiftcli.benchmark.endtoend.measure_steps", lambda *_: {})
    predictor = Predictor(device="cuda", nuclei=["O"])
    assert measure_speed(predictor, benchmark_crystal(), repeats=1).device.startswith("cuda")
    assert measure_end_to_end(predictor, largest=16, repeats=1).warm > 0


def test_frames_need_no_device(gpu, urea):
    local_frames(surroundings(urea, urea.sites))
    assert gpu.operations == 0
