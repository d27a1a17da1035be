"""Muon and AdamW against torch's own and against what they promise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shiftcli.network.densenet import PRESETS, MR3DDenseNet
from shiftcli.training.config import Configuration
from shiftcli.training.optimizer import Muon, make_optimizer, orthogonalize


def matrix_with_singular_values(rows: int, columns: int, values: torch.Tensor, seed=0):
    torch.manual_seed(seed)
    u = torch.linalg.qr(torch.randn(rows, len(values), dtype=torch.float64))[0]
    v = torch.linalg.qr(torch.randn(columns, len(values), dtype=torch.float64))[0]
    return (u * values) @ v.T, u, v


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """As the training loop does."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def step_with(optimizer: torch.optim.Optimizer, p: nn.Parameter, gradient: torch.Tensor) -> None:
    p.grad = gradient.clone()
    optimizer.step()


@pytest.mark.parametrize("shape", [(16, 16), (64, 20), (20, 64)])
def test_orthogonalize_brings_singular_values_near_one(shape):
    values = torch.logspace(-2, 0, min(shape), dtype=torch.float64) * 7.0
    matrix, u, v = matrix_with_singular_values(*shape, values)
    result = orthogonalize(matrix.float())
    assert result.shape == shape
    singular = torch.linalg.svdvals(result)
    assert float(singular.min()) > 0.6
    assert float(singular.max()) < 1.3
    # The directions stay: UᵀXV is diagonal and positive.
    core = u.T @ result.double() @ v
    torch.testing.assert_close(core, torch.diag(core.diagonal()), atol=1e-4, rtol=0)
    assert (core.diagonal() > 0.6).all()


def test_orthogonalize_leaves_zero_alone():
    assert not orthogonalize(torch.zeros(4, 6)).any()


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_part_equals_torchs_adamw(decay):
    torch.manual_seed(0)
    start = torch.randn(7)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    group = {"params": [ours], "lr_scale": 1.0, "weight_decay": decay, "matrix": False}
    muon = Muon([group])
    adamw = torch.optim.AdamW([theirs], lr=0.0, weight_decay=decay)
    for k in range(12):
        rate = 3e-3 * (k + 1)
        set_rate(muon, rate)
        adamw.param_groups[0]["lr"] = rate
        gradient = torch.randn(7) * 10.0 ** (k % 3 - 1)
        step_with(muon, ours, gradient)
        step_with(adamw, theirs, gradient)
        torch.testing.assert_close(ours.detach(), theirs.detach(), atol=1e-6, rtol=0)
    assert (ours - start).abs().min() > 1e-3, "the parameters must have moved"


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "adam"])
def test_biases_of_a_network_take_adamw_steps_without_decay(optimizer):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1))
    bias = nn.Parameter(network[0].bias.detach().clone())
    ours = make_optimizer(network, Configuration(optimizer=optimizer, weight_decay=0.5))
    adamw = torch.optim.AdamW([bias], lr=2e-3, weight_decay=0.0)
    for _ in range(6):
        set_rate(ours, 2e-3)
        gradient = torch.randn(4)
        step_with(ours, network[0].bias, gradient)
        step_with(adamw, bias, gradient)
    torch.testing.assert_close(network[0].bias.detach(), bias.detach(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_weight_decay_is_decoupled_from_the_gradient(optimizer):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3), nn.Flatten(), nn.Linear(3, 1))
    before = [p.detach().clone() for p in network.parameters()]
    made = make_optimizer(network, Configuration(optimizer=optimizer, weight_decay=0.25))
    set_rate(made, 0.1)
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    made.step()
    for old, p in zip(before, network.parameters(), strict=True):
        # The same for matrices, whose learning rate is another, and for the output layer.
        expected = old * (1 - 0.1 * 0.25) if p.ndim > 1 else old
        torch.testing.assert_close(p.detach(), expected)


def test_muon_steps_do_not_depend_on_the_size_of_the_gradient():
    torch.manual_seed(0)
    start, gradient = torch.randn(6, 3, 2, 2, 2), torch.randn(6, 3, 2, 2, 2)
    ends = []
    for size in (1e-3, 1.0, 1e3):
        p = nn.Parameter(start.clone())
        muon = Muon([{"params": [p], "lr_scale": 10.0, "weight_decay": 0.0, "matrix": True}])
        set_rate(muon, 1e-2)
        step_with(muon, p, size * gradient)
        ends.append(p.detach())
    torch.testing.assert_close(ends[0], ends[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(ends[2], ends[1], atol=1e-4, rtol=0)
    singular = torch.linalg.svdvals((start - ends[1]).flatten(1)) / 0.1
    assert ((singular > 0.6) & (singular < 1.3)).all()
    assert ((start - ends[1]) * gradient).sum() > 0


def test_tall_matrices_take_steps_longer_by_the_root_of_their_shape():
    torch.manual_seed(0)
    p = nn.Parameter(torch.zeros(36, 4))
    muon = Muon([{"params": [p], "lr_scale": 1.0, "weight_decay": 0.0, "matrix": True}])
    set_rate(muon, 1.0)
    step_with(muon, p, torch.randn(36, 4))
    singular = torch.linalg.svdvals(p.detach()) / 3.0
    assert ((singular > 0.6) & (singular < 1.3)).all()


def test_momentum_remembers_past_gradients():
    p = nn.Parameter(torch.zeros(2, 2))
    muon = Muon([{"params": [p], "lr_scale": 1.0, "weight_decay": 0.0, "matrix": True}])
    set_rate(muon, 1.0)
    for _ in range(20):
        step_with(muon, p, torch.diag(torch.tensor([1.0, 0.02])))
    before = p.detach().clone()
    step_with(muon, p, torch.diag(torch.tensor([-1.0, -0.02])))
    assert (p.detach() - before).diagonal().max() < 0, "one opposite gradient must not turn it"


def test_groups_of_the_network():
    network = MR3DDenseNet(PRESETS["compact"])
    muon = make_optimizer(network, Configuration(optimizer="muon", weight_decay=1e-3))
    matrices, output, vectors = muon.param_groups
    assert [g["matrix"] for g in muon.param_groups] == [True, False, False]
    assert [g["weight_decay"] for g in muon.param_groups] == [1e-3, 1e-3, 0.0]
    assert output["params"] == [network.head[-1].weight]
    assert {p.ndim for p in matrices["params"]} == {2, 5}
    assert {p.ndim for p in vectors["params"]} == {1}
    adamw = make_optimizer(network, Configuration(optimizer="adamw"))
    assert isinstance(adamw, torch.optim.AdamW)
    total = sum(p.numel() for p in network.parameters())
    for made in (muon, adamw):
        assert sum(p.numel() for g in made.param_groups for p in g["params"]) == total


def test_parameters_without_a_gradient_stay():
    p, q = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    group = {"params": [p, q], "lr_scale": 1.0, "weight_decay": 0.5, "matrix": True}
    muon = Muon([group])
    set_rate(muon, 0.1)
    step_with(muon, p, torch.eye(2))
    assert torch.equal(q.detach(), torch.ones(2, 2))
    assert not torch.equal(p.detach(), torch.ones(2, 2))


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "adam"])
def test_a_small_regression_is_learned(optimizer):
    torch.manual_seed(0)
    x = torch.randn(64, 6)
    y = torch.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3]
    network = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
    network.append(nn.Linear(32, 1))
    made = make_optimizer(network, Configuration(optimizer=optimizer, weight_decay=1e-4))
    losses = []
    for step in range(150):
        set_rate(made, 1e-2 * (1 - step / 150))
        loss = nn.functional.mse_loss(network(x), y)
        made.zero_grad()
        loss.backward()
        made.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "adam"])
def test_stored_state_goes_on_as_if_never_stopped(optimizer):
    def start():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
        return network, make_optimizer(network, Configuration(optimizer=optimizer))

    def run(network, made, steps):
        for k in steps:
            torch.manual_seed(k)
            set_rate(made, 1e-2)
            network(torch.randn(8, 3)).square().sum().backward()
            made.step()
            made.zero_grad()

    straight, made = start()
    run(straight, made, range(6))
    stopped, first = start()
    run(stopped, first, range(3))
    resumed, second = start()
    resumed.load_state_dict(stopped.state_dict())
    second.load_state_dict(first.state_dict())
    run(resumed, second, range(3, 6))
    for p, q in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(p, q)
