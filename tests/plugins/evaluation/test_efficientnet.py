from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng
from ebmkit_evaluation.efficientnet import EfficientNetLite0

# Made once with the package efficientnet-lite-pytorch 0.1.0 (torch 2.13) and the tensors of `seeded`, ordered
# as its state_dict(): EfficientNet.from_name("efficientnet-lite0", image_size=48) in eval mode,
# extract_features(x).mean((2, 3)) of `images`: the mean of all 1,280, and every 213th.
MEANS = [0.7565, 0.8076]
EVERY_213TH = [
    [0.0000, 2.3421, 0.0000, 0.9714, 0.5855, 0.2238, 0.3148],
    [0.0000, 2.1306, 0.0000, 0.9550, 0.7656, 0.3958, 0.3101],
]


def images() -> Tensor:
    return Rng(16).fold_in("image").uniform(torch.empty(2, 3, 48, 48)) * 2 - 1


def seeded(net: EfficientNetLite0) -> dict[str, Tensor]:
    """Weights of a seed under the order and the kinds that the published ones have."""
    return {name: tensor(place, name, like) for place, (name, like) in enumerate(net.state_dict().items())}


def tensor(place: int, name: str, like: Tensor) -> Tensor:
    if not like.ndim:
        return torch.tensor(0)
    drawn = Rng(16).fold_in("lite0", place).normal(torch.empty(like.shape))
    if like.ndim == 4:
        return drawn * math.sqrt(2 / like[0].numel())
    if name.endswith("var"):
        return 1 + drawn.square() / 4
    return 1 + drawn / 4 if name.endswith("weight") else drawn / 4


def test_it_computes_what_the_published_architecture_does() -> None:
    net = EfficientNetLite0()
    net.load_published(seeded(net) | {"_fc.weight": torch.zeros(3), "_fc.bias": torch.zeros(3)})
    with torch.no_grad():
        described = net(images())
    assert described.mean(1).tolist() == pytest.approx(MEANS, abs=1e-4)
    for row, expected in zip(described[:, ::213].tolist(), EVERY_213TH, strict=True):
        assert row == pytest.approx(expected, abs=2e-4)


def test_it_has_the_published_number_of_weights_and_none_that_learns() -> None:
    net = EfficientNetLite0()
    classifier = 1280 * 1000 + 1000
    assert sum(each.numel() for each in net.parameters()) == 4_652_008 - classifier
    assert not any(each.requires_grad for each in net.parameters())


def test_other_weights_are_refused() -> None:
    net = EfficientNetLite0()
    weights = seeded(net)
    weights.popitem()
    with pytest.raises(ValueError, match="these are not weights of EfficientNet-Lite0"):
        net.load_published(weights)
