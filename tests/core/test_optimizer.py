from __future__ import annotations

import torch

from ebmkit.config.keys import keys_of
from ebmkit.registry.discovery import Registry
from ebmkit_optim.adam import Adam
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
