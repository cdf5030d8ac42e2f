"""What the checks of data sources refuse, and what they say of it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from ebmkit.core import (
    Gt,
    Source,
)
from ebmkit.testing import SourceClaims, check
from tests.testing.refusing import assert_all_look, assert_refused, checked, each_of

SHAPE = (1, 4, 4)

CLAIMS = SourceClaims()


class Numbers(Source):
    """Right: ten images of one number each."""

    def __init__(self) -> None:
        self.x = torch.linspace(-1, 1, 10).reshape(-1, 1, 1, 1).expand(-1, *SHAPE).clone()
        self.shape = SHAPE

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index]


class Augments(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return (self.x[index] + 0.01 * torch.rand(len(index), 1, 1, 1)).clamp(-1, 1)


class Bytes(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return (127.5 * (self.x[index] + 1)).byte()


class ZeroToTwo(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index] + 1


class Views(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x if len(index) == len(self.x) else self.x[index]


class Sorts(Numbers):
    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index.sort().values]


class Unpicklable(Numbers):
    def __init__(self) -> None:
        super().__init__()
        self.hook = lambda: None


class OutOfRange(Numbers):
    """Its own default is out of its range.

    Args:
        width: above 0.
    """

    def __init__(self, *, width: Annotated[float, Gt(0)] = 0.0) -> None:
        super().__init__()
        self.width = width


WRONG = [
    (OutOfRange, CLAIMS, "parameters"),
    (Augments, CLAIMS, "fingerprint"),
    (Bytes, CLAIMS, "examples"),
    (ZeroToTwo, CLAIMS, "examples"),
    (Views, CLAIMS, "indexing"),
    (Sorts, CLAIMS, "indexing"),
    (Unpicklable, CLAIMS, "workers"),
]


@each_of(WRONG)
def test_a_wrong_part_is_refused(component: type, claims: Any, killer: str) -> None:
    assert_refused(component, claims, killer)


def test_every_check_refuses_a_wrong_part() -> None:
    assert_all_look(WRONG, "source")


def test_their_right_original_passes() -> None:
    report = check(Numbers, CLAIMS)
    assert report.passed, report


def test_numbers_of_any_size_are_right_where_no_images_are_claimed() -> None:
    assert check(ZeroToTwo, SourceClaims(bounded=False)).passed


SAID = [
    (Numbers, "examples", "10 of shape (1, 4, 4), from -1.00 to 1.00"),
    (ZeroToTwo, "examples", "images reach from 0 to 2"),
    (Bytes, "examples", "examples are torch.uint8 instead of float32"),
    (Sorts, "indexing", "examples depend on the order they are asked for in"),
]


@pytest.mark.parametrize(("component", "name", "said"), SAID)
def test_what_is_wrong_is_told_with_what_was_seen(component: type, name: str, said: str) -> None:
    assert checked(component, CLAIMS, name).detail == said
