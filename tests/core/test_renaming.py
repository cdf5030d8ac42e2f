from __future__ import annotations

import copy
import gc

import pytest
import torch
from torch import nn

from ebmkit.core import renamed


class Part(nn.Module):
    """A child that was ``_inner`` and a buffer that was ``count`` of the module itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.inner.register_buffer("count", torch.zeros(()))
        renamed(self, {"_inner": "inner", "count": "inner.count"})


def former(prefix: str = "") -> dict[str, torch.Tensor]:
    state = {"_inner.weight": torch.ones(2, 2), "_inner.bias": torch.ones(2), "count": torch.tensor(3.0)}
    return {prefix + name: value for name, value in state.items()}


def holds(part: Part) -> bool:
    return bool((part.inner.weight == 1).all()) and int(part.inner.get_buffer("count")) == 3


def test_a_state_of_former_names_is_loaded_alone_and_as_a_part() -> None:
    part, whole = Part(), nn.ModuleDict({"a": Part(), "b": Part()})
    part.load_state_dict(former())
    whole.load_state_dict(former("a.") | former("b."))
    assert holds(part)
    assert all(holds(each) for each in whole.values())  # type: ignore[arg-type]


def test_the_state_that_was_given_is_left_as_it_was() -> None:
    state = former()
    Part().load_state_dict(state)
    assert state.keys() == former().keys()


def test_present_names_are_loaded_as_ever_and_strange_ones_are_refused() -> None:
    part = Part()
    part.load_state_dict(former())
    again = Part()
    again.load_state_dict(part.state_dict())
    assert holds(again)
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "_innermost.weight"'):
        part.load_state_dict(former() | {"_innermost.weight": torch.ones(1)})
    incomplete = {name: value for name, value in former().items() if name != "_inner.bias"}
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "inner.bias"'):
        part.load_state_dict(incomplete)


def test_a_copy_converts_after_its_original_is_gone() -> None:
    part = Part()
    made = copy.deepcopy(part)
    del part
    gc.collect()
    made.load_state_dict(former())
    assert holds(made)
