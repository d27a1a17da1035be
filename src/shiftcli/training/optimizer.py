"""The optimisers: Adam, AdamW, and Muon for the weights of the layers with AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from shiftcli.training.config import Configuration

#: Muon's learning rate as a multiple of AdamW's; its steps have unit spectral norm.
_MUON_SCALE = 10.0

#: Momentum of Muon.
_MOMENTUM = 0.95

#: Coefficients of the quintic Newton–Schulz iteration (Jordan et al., 2024).
_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalize(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Bring all singular values of a matrix near 1, by Newton–Schulz iteration.

    X ← aX + (bA + cA²)X with A = XXᵀ; with five steps singular values end within about 0.7 and 1.2.
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
    """
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, for matrices and convolutions; AdamW for what is flagged.

    Each of the parameter groups has ``lr_scale``, ``weight_decay`` and ``matrix``: whether its
    parameters take orthogonalised steps.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(groups, {"lr": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step with the groups' present learning rates."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.mul_(1.0 - group["lr"] / group["lr_scale"] * group["weight_decay"])
                take = self._matrix_step if group["matrix"] else self._adam_step
                step = take(p, p.grad)
                p.add_(step, alpha=-group["lr"])

    def _matrix_step(self, p: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        momentum = state["momentum"].lerp_(gradient, 1.0 - _MOMENTUM)
        nesterov = gradient.lerp(momentum, _MOMENTUM)
        matrix = orthogonalize(nesterov.flatten(1))
        rows, columns = matrix.shape
        return (matrix * max(1.0, rows / columns) ** 0.5).view_as(p)

    def _adam_step(self, p: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        state = self.state[p]
        if not state:
            state["first"] = torch.zeros_like(p)
            state["second"] = torch.zeros_like(p)
            state["count"] = torch.zeros((), device=p.device)
        state["count"] += 1
        first = state["first"].lerp_(gradient, 0.1)
        second = state["second"].lerp_(gradient.square(), 0.001)
        first_hat = first / (1.0 - 0.9 ** state["count"])
        second_hat = second / (1.0 - 0.999 ** state["count"])
        return first_hat / (second_hat.sqrt() + 1e-8)


def make_optimizer(network: nn.Module, configuration: Configuration) -> torch.optim.Optimizer:
    """The optimiser of a run, by ``optimizer``, ``weight_decay`` and ``l2`` of the configuration.

    With ``lr_scale`` in each group; the loop sets ``lr``. Weights decay; offsets and normalisation
    do not.
    """
    weights = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    decay = configuration.weight_decay
    if configuration.optimizer != "muon":
        is_adam = configuration.optimizer == "adam"
        # The gradient of λ·Σw² is 2λ·w; Adam's own weight decay adds it to the loss's.
        own = 2.0 * configuration.l2 if is_adam else decay
        groups = [
            {"params": weights, "weight_decay": own, "lr_scale": 1.0},
            {"params": vectors, "weight_decay": 0.0, "lr_scale": 1.0},
        ]
        return (torch.optim.Adam if is_adam else torch.optim.AdamW)(groups, lr=0.0)
    # The output layer has one row: orthogonalising it would only normalise it.
    matrices = [p for p in weights if p.shape[0] > 1]
    output = [p for p in weights if p.shape[0] == 1]
    return Muon(
        [
            {"params": matrices, "weight_decay": decay, "lr_scale": _MUON_SCALE, "matrix": True},
            {"params": output, "weight_decay": decay, "lr_scale": 1.0, "matrix": False},
            {"params": vectors, "weight_decay": 0.0, "lr_scale": 1.0, "matrix": False},
        ]
    )
