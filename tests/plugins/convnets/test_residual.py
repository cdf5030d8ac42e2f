from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ebmkit_convnets.residual import ResNetDescriptor
from tests.models import double
from tests.plugins.convnets.networks import interacting, residual


def test_a_residual_descriptor_sees_what_it_says() -> None:
    torch.manual_seed(0)
    energy = ResNetDescriptor((1, 32, 32), channels=(3, 4), spectral_norm=False)
    assert energy.receptive_field == 16
    assert interacting(energy, 32) == 16
    assert [ResNetDescriptor((1, 32, 32), channels=(2,) * n).receptive_field for n in (3, 4)] == [34, 70]


def test_a_sum_head_takes_images_of_any_size() -> None:
    assert residual()(torch.zeros(2, 1, 40, 24)).shape == (2,)
    assert residual(head="linear")(torch.zeros(2, 1, 16, 16)).shape == (2,)


def test_the_residual_energy_written_out() -> None:
    energy = residual(reference_std=0.3, outputs=3, spectral_norm=False).double()
    x = double(2, 1, 16, 16)
    silu = nn.functional.silu
    h = energy.stem(x)
    (_, one, _, two), (_, three, _, four) = (block.branch for block in energy.blocks)  # type: ignore[union-attr, misc]
    h = nn.functional.avg_pool2d(h + two(silu(one(silu(h)))), 2)
    h = energy.blocks[1].shortcut(h) + four(silu(three(silu(h))))  # type: ignore[union-attr, operator]
    score = energy.head(silu(h).sum((2, 3))).sum(1)
    assert torch.allclose(energy(x), x.flatten(1).square().sum(1) / (2 * 0.3**2) - score, rtol=1e-12)


@pytest.mark.parametrize("head", ["sum", "linear"])
def test_the_residual_energy_of_a_sequence_written_out(head: Any) -> None:
    torch.manual_seed(0)
    energy = ResNetDescriptor((2, 21), channels=(4, 6), head=head, outputs=3, spectral_norm=False).double()
    x, silu = double(2, 2, 21), nn.functional.silu
    h = energy.stem(x)
    (_, one, _, two), (_, three, _, four) = (block.branch for block in energy.blocks)  # type: ignore[union-attr, misc]
    h = nn.functional.avg_pool1d(h + two(silu(one(silu(h)))), 2, ceil_mode=True)
    h = energy.blocks[1].shortcut(h) + four(silu(three(silu(h))))  # type: ignore[union-attr, operator]
    responses = silu(h).sum(2) if head == "sum" else silu(h).flatten(1)
    assert torch.allclose(energy(x), -energy.head(responses).sum(1), rtol=1e-12)
