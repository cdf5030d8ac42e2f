from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.core.leaks import Leaks, leaves_torch, reads_numbers


def told(
    look: Callable[[Tensor], object], leaks: Callable[[Callable[..., Any], Any], bool] = leaves_torch
) -> list[str]:
    """The calls that are told of while somebody looks at the one tensor that is followed."""
    names: list[str] = []
    followed = torch.ones(2, 3, requires_grad=True)
    with Leaks(lambda tensor: tensor is followed, names.append, leaks):
        look(followed)
    return names


@pytest.mark.parametrize(
    ("look", "name"),
    [
        (lambda x: x.tolist(), "tolist"),
        (lambda x: x.data_ptr(), "data_ptr"),
        (lambda x: x.untyped_storage(), "untyped_storage"),
        (lambda x: x.register_hook(lambda gradient: None), "register_hook"),
        (lambda x: x.grad_fn, "__get__"),
        (lambda x: torch.equal(torch.ones(2, 3), x), "equal"),
    ],
)
def test_what_leaves_torch_of_a_followed_tensor_is_told_by_name(
    look: Callable[[Tensor], object], name: str
) -> None:
    assert told(look) == [name]


@pytest.mark.parametrize(
    "look",
    [
        lambda x: (x.shape, x.ndim, x.dtype, x.device, x.requires_grad, x.is_leaf),
        lambda x: (len(x), x.size(), x.size(0), x.dim(), x.numel(), x.stride(), x.is_contiguous()),
        lambda x: (hash(x), x.is_floating_point(), torch.is_complex(x), x.element_size()),
        lambda x: (x * 2, x.unbind(), torch.split(x, 1), x.max(1), x @ x.T),
    ],
)
def test_metadata_and_other_tensors_are_no_leak(look: Callable[[Tensor], object]) -> None:
    assert told(look) == []


def test_ways_to_the_numbers_are_told_and_questions_that_a_kernel_answers_are_not() -> None:
    assert told(lambda x: (x.tolist(), x.data_ptr()), reads_numbers) == ["tolist", "data_ptr"]
    assert told(lambda x: (torch.equal(x, x), x.grad_fn), reads_numbers) == []


def test_what_a_call_gives_stays_what_it_is_and_others_may_look_at_theirs() -> None:
    other, names = torch.ones(2), list[str]()
    with Leaks(lambda tensor: False, names.append, leaves_torch):
        assert other.tolist() == [1.0, 1.0]
        assert torch.equal(other + 1, torch.tensor([2.0, 2.0]))
    assert names == []
