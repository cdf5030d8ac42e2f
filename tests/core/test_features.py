from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Features, describe
from ebmkit.errors import DataError


class Corner(Features):
    """The first pixels, times a weight; dropout shows the mode it is used in."""

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.name = "corner"
        self.weight = nn.Parameter(torch.tensor(weight))
        self.dropout = nn.Dropout(0.5)
        self.largest = 0

    def forward(self, x: Tensor) -> Tensor:
        self.largest = max(self.largest, len(x))
        return self.weight * self.dropout(x[:, 0, 0, :2])


class OnDemand:
    """Examples that are made when they are asked for."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: Tensor) -> Tensor:
        return index.float().view(-1, 1, 1, 1).expand(-1, 1, 3, 3)


def test_a_set_is_described_a_block_at_a_time_in_its_order_and_in_eval_mode() -> None:
    features = Corner(weight=2.0)
    described = describe(features, OnDemand(), block=3)
    assert torch.equal(described, 2 * torch.arange(7.0)[:, None].expand(7, 2))
    assert features.largest == 3
    assert features.training
    assert not described.requires_grad


def test_the_fingerprint_is_of_the_name_and_the_weights() -> None:
    features = Corner()
    before = features.fingerprint()
    assert before == Corner().fingerprint()
    assert before != Corner(weight=1.5).fingerprint()
    features.name = "edge"
    assert before != features.fingerprint()


def test_examples_without_a_place_in_feature_space_are_told() -> None:
    x = torch.zeros(5, 1, 3, 3)
    x[3:] = torch.nan
    with pytest.raises(
        DataError, match=r"2 of 5 examples have corner features .* at position 3: look for NaN"
    ):
        describe(Corner(), x)
    with pytest.raises(DataError, match="the set is empty"):
        describe(Corner(), x[:0])
