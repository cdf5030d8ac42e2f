from __future__ import annotations

import torch
from torch import nn

from ebmkit_optim.sgd import SGD


def test_momentum_and_weight_decay_reach_torch() -> None:
    optimizer = SGD(lr=0.1, momentum=0.5, weight_decay=1e-4).build([nn.Parameter(torch.zeros(1))])
    assert optimizer.param_groups[0]["momentum"] == 0.5
    assert optimizer.param_groups[0]["weight_decay"] == 1e-4


def test_steps_are_those_of_the_heavy_ball_with_decayed_weights() -> None:
    """u <- 0.5 u + (g + λ w), w <- w - lr u, for gradients of w²: g = 2 w."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = SGD(lr=0.1, momentum=0.5, weight_decay=0.2).build([weight])
    expected, speed = weight.detach().clone(), torch.zeros(2, dtype=torch.float64)
    for _ in range(5):
        weight.grad = 2 * weight.detach()
        optimizer.step()
        speed = 0.5 * speed + (2 + 0.2) * expected
        expected = expected - 0.1 * speed
        assert torch.allclose(weight, expected)


def test_by_default_every_step_is_the_rate_times_the_gradient() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD(lr=0.25).build([weight])
    for _ in range(2):
        weight.grad = torch.tensor([1.0, -4.0, 0.0])
        optimizer.step()
    assert torch.equal(weight, torch.tensor([0.5, 3.0, 1.0]))
