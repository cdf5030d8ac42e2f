from __future__ import annotations

import pytest
import torch

from ebmkit.core import TensorSource


def test_it_gives_the_rows_of_the_tensor_as_float32() -> None:
    x = torch.arange(24).reshape(4, 2, 3)
    source = TensorSource(x)
    index = torch.tensor([3, 0, 3])
    assert (len(source), source.shape) == (4, (2, 3))
    assert torch.equal(source[index], x[index].float())
    assert source[index].dtype == torch.float32
    assert source.condition(index) is None


def test_what_is_done_to_what_was_read_or_learned_from_does_not_reach_it() -> None:
    x = torch.ones(3, 2, requires_grad=True)
    source = TensorSource(x)
    read = source[torch.tensor([0, 1, 2])]
    read.zero_()
    assert not source[torch.tensor([0])].requires_grad
    assert torch.equal(source[torch.tensor([0, 1, 2])], torch.ones(3, 2))


def test_conditions_go_with_their_examples() -> None:
    condition = torch.tensor([[0.1, 1.0], [0.2, 2.0], [0.3, 3.0]])
    source = TensorSource(torch.zeros(3), condition)
    index = torch.tensor([2, 0])
    found = source.condition(index)
    assert found is not None
    assert torch.equal(found, condition[index])


@pytest.mark.parametrize(
    ("x", "condition", "classes", "message"),
    [
        (torch.tensor(1.0), None, (), r"a tensor of shape \(\) holds no example"),
        (torch.zeros(0, 3), None, (), r"a tensor of shape \(0, 3\) holds no example"),
        (torch.tensor([1.0, torch.nan]), None, (), "not finite"),
        (torch.zeros(3), torch.zeros(2), (), "2 conditions for 3 examples"),
        (torch.zeros(2), None, ("a", "b"), "number of each example's class"),
        (torch.zeros(2), torch.tensor([0.0, 1.0]), ("a", "b"), "number of each example's class"),
        (torch.zeros(2), torch.tensor([0, 2]), ("a", "b"), "there are 2 classes"),
        (torch.zeros(2), torch.tensor([-1, 0]), ("a", "b"), "there are 2 classes"),
    ],
)
def test_what_is_no_data_is_refused(
    x: torch.Tensor, condition: torch.Tensor | None, classes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TensorSource(x, condition, classes=classes)
