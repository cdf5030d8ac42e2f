from __future__ import annotations

import copy

import torch
from torch import nn

from ebmkit.config.keys import keys_of
from ebmkit.registry.discovery import Registry
from ebmkit_optim.adam import Adam, AdamW
from ebmkit_optim.sgd import SGD


def test_clipping_rescales_each_tensor_to_its_largest_entry() -> None:
    large, small, zero = torch.tensor([3.0, -6.0]), torch.tensor([0.5, 0.1]), torch.zeros(2)
    SGD(gradient_clip=2.0).clip([large, small, zero])
    assert torch.allclose(large, torch.tensor([1.0, -2.0]))
    assert torch.equal(small, torch.tensor([0.5, 0.1]))
    assert torch.equal(zero, torch.zeros(2))


def test_no_clip_leaves_gradients_alone() -> None:
    gradient = torch.tensor([1e9])
    SGD().clip([gradient])
    assert gradient == 1e9


def test_momentum_and_weight_decay_reach_torch() -> None:
    optimizer = SGD(lr=0.1, momentum=0.5, weight_decay=1e-4).build([nn.Parameter(torch.zeros(1))])
    assert optimizer.param_groups[0]["momentum"] == 0.5
    assert optimizer.param_groups[0]["weight_decay"] == 1e-4


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


def test_each_optimizer_has_keys_of_its_own_that_are_completed() -> None:
    data = {
        "schedule": {"use": "descriptor-only"},
        "energy": {"use": "descriptor", "optimizer": {"use": "sgd"}},
    }
    registry = Registry.discover()
    keys = keys_of(data, registry)
    assert keys["energy.optimizer.use"] == "optimizer"
    assert "energy.optimizer.momentum" in keys
    assert "energy.optimizer.betas" not in keys
    data["energy"]["optimizer"] = {}
    assert "energy.optimizer.betas" in keys_of(data, registry)


def test_the_norm_of_a_whole_part_is_clipped_and_smaller_ones_are_left_alone() -> None:
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])]
    Adam(gradient_norm=2.0).clip(gradients)
    assert torch.allclose(gradients[0], torch.tensor([1.2, 0.0]))
    assert torch.allclose(gradients[1], torch.tensor([[1.6]]))
    before = [each.clone() for each in gradients]
    Adam(gradient_norm=2.5).clip(gradients)
    assert all(map(torch.equal, gradients, before))
