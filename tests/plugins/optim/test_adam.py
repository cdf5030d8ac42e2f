from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ebmkit_optim.adam import Adam, AdamW


def test_the_fused_kernel_goes_on_where_the_plain_one_was_saved() -> None:
    """Checkpoints of trainings under torch's unfused Adam, or from before, resume."""
    gradients = torch.randn(6, 2, 50, generator=torch.Generator().manual_seed(0))
    weights = [nn.Parameter(torch.ones(50)), nn.Parameter(torch.ones(50))]

    def learn(optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            for weight, gradient in zip(weights, gradients[step], strict=True):
                weight.grad = gradient.clone()
            optimizer.step()

    plain = torch.optim.Adam(weights, 0.1, betas=(0.5, 0.999), foreach=False)
    learn(plain, range(3))
    saved = copy.deepcopy(plain.state_dict()["state"])
    at_three = [weight.detach().clone() for weight in weights]
    learn(plain, range(3, 6))
    expected = [weight.detach().clone() for weight in weights]

    with torch.no_grad():
        for weight, value in zip(weights, at_three, strict=True):
            weight.copy_(value)
    fused = Adam(lr=0.1).build(weights)
    groups = fused.state_dict()["param_groups"]
    fused.load_state_dict({"state": saved, "param_groups": groups})
    assert fused.param_groups[0]["fused"]
    learn(fused, range(3, 6))
    for weight, value in zip(weights, expected, strict=True):
        assert torch.allclose(weight, value, atol=1e-6)


def test_decoupled_decay_shrinks_weights_by_the_rate_whatever_the_gradient() -> None:
    """Loshchilov and Hutter: w <- (1 - lr decay) w, then Adam's step, which the gradient 0 makes 0."""
    weight = nn.Parameter(torch.full((3,), 2.0))
    optimizer = AdamW(lr=0.1, weight_decay=0.5).build([weight])
    weight.grad = torch.zeros(3)
    optimizer.step()
    assert torch.allclose(weight, torch.full((3,), 2.0 * (1 - 0.1 * 0.5)))


@pytest.mark.parametrize("optimizer", [Adam, AdamW])
def test_the_first_step_is_the_rate_whatever_the_size_of_the_gradient(
    optimizer: type[Adam | AdamW],
) -> None:
    """Both moments are corrected for their start: g / √(g²)."""
    weight = nn.Parameter(torch.zeros(4, dtype=torch.float64))
    weight.grad = torch.tensor([1e-3, -1e3, 5.0, 0.0], dtype=torch.float64)
    optimizer(lr=0.1).build([weight]).step()
    expected = torch.tensor([-0.1, 0.1, -0.1, 0.0], dtype=torch.float64)
    assert torch.allclose(weight, expected, rtol=1e-4)


def test_the_decay_of_adam_is_a_part_of_its_gradient() -> None:
    """Unlike AdamW's: at the gradient 0 the first step is the whole rate, however small the decay."""
    weight = nn.Parameter(torch.tensor([3.0, -0.5], dtype=torch.float64))
    weight.grad = torch.zeros(2, dtype=torch.float64)
    Adam(lr=0.1, weight_decay=1e-3).build([weight]).step()
    assert torch.allclose(weight, torch.tensor([2.9, -0.4], dtype=torch.float64), atol=1e-5)
