from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from ebmkit.testing.report import CheckFailedError
from ebmkit.testing.tensors import demand, demand_same, fields, same_bits, snapshot, through_safetensors


class State(NamedTuple):
    x: Tensor
    count: Tensor


def test_bits_are_compared_not_values() -> None:
    nan = torch.tensor([math.nan, 1.0])
    assert same_bits(nan, nan.clone())
    assert not same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not same_bits(torch.zeros(2), torch.zeros(2, dtype=torch.int32))
    assert not same_bits(torch.ones(2, 1), torch.ones(1, 2))
    next_one = torch.tensor([1.0]).nextafter(torch.tensor([2.0]))
    assert not same_bits(torch.tensor([1.0]), next_one)


def test_views_and_numbers_of_every_type_are_compared() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    assert same_bits(x.T, x.T.contiguous())
    for dtype in (torch.bool, torch.int64, torch.bfloat16, torch.complex64):
        assert same_bits(torch.ones((), dtype=dtype), torch.ones((), dtype=dtype))
        assert not same_bits(torch.ones((), dtype=dtype), torch.zeros((), dtype=dtype))
    assert same_bits(torch.ones(2, requires_grad=True), torch.ones(2))


def test_a_snapshot_does_not_follow_and_differences_are_named() -> None:
    state = {"weight": torch.ones(2), "bias": torch.zeros(1)}
    before = snapshot(state)
    demand_same(before, state, "it changed")
    state["bias"].add_(1)
    with pytest.raises(CheckFailedError, match=r"^it changed: bias$"):
        demand_same(before, state, "it changed")
    with pytest.raises(CheckFailedError, match=r"^it lost: weight, bias$"):
        demand_same(before, {}, "it lost")


def test_only_named_tuples_of_tensors_with_an_x_are_states() -> None:
    state = State(torch.ones(2), torch.tensor(3))
    assert list(fields(state)) == ["x", "count"]
    for wrong, message in (
        ((torch.ones(2),), "not tuple"),
        (State(torch.ones(2), 3), "count is a int"),  # type: ignore[arg-type]
        (NamedTuple("Other", [("y", Tensor)])(torch.ones(2)), "this one has y"),
    ):
        with pytest.raises(CheckFailedError, match=message):
            fields(wrong)


def test_a_checkpoint_gives_a_state_back_bit_for_bit() -> None:
    state = State(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).T, torch.tensor(7))
    again = through_safetensors(state)
    assert type(again) is State
    assert all(same_bits(*each) for each in zip(state, again, strict=True))


def test_what_does_not_hold_is_told() -> None:
    demand(True, "never")
    with pytest.raises(CheckFailedError, match="always"):
        demand(False, "always")
