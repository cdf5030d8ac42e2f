"""What the checks of generators refuse, and what they say of it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Gt
from ebmkit.testing import GeneratorClaims, check
from ebmkit.testing.parts import TinyGenerator
from tests.testing.refusing import assert_all_look, assert_refused, checked, each_of

CLAIMS = GeneratorClaims(shape=(1, 4, 4))


class Cut(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z.detach())


class Noiseless(TinyGenerator):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.noise_std = 0.0


class WrongShape(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z).flatten(1)


class Unflattens(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z).flatten(1).unflatten(1, self.shape)


class BatchCentred(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        made = super().forward(z)
        return made - made.mean(0)


class OutOfRange(TinyGenerator):
    """Its own default is out of its range.

    Args:
        width: above 0.
    """

    def __init__(self, shape: tuple[int, ...], *, width: Annotated[float, Gt(0)] = 0.0) -> None:
        super().__init__(shape)
        self.width = width


class InPlace(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        z.data.mul_(0.5)
        return super().forward(z)


class Random(TinyGenerator):
    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z + 0.01 * torch.randn_like(z))


class NeverLearns(TinyGenerator):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.forgotten = nn.Parameter(torch.zeros(2))


class Unsaved(TinyGenerator):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.offset = torch.rand(1)

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z) + self.offset


WRONG = [
    (OutOfRange, CLAIMS, "parameters"),
    (Cut, CLAIMS, "posterior-gradient"),
    (Noiseless, CLAIMS, "noise-std"),
    (WrongShape, CLAIMS, "shape"),
    (WrongShape, CLAIMS, "other-shapes"),
    (Unflattens, CLAIMS, "other-shapes"),
    (InPlace, CLAIMS, "input-unchanged"),
    (BatchCentred, CLAIMS, "independent-rows"),
    (Random, CLAIMS, "deterministic"),
    (NeverLearns, CLAIMS, "learns"),
    (Unsaved, CLAIMS, "state-dict"),
]


@each_of(WRONG)
def test_a_wrong_part_is_refused(component: type, claims: Any, killer: str) -> None:
    assert_refused(component, claims, killer)


def test_every_check_refuses_a_wrong_part() -> None:
    assert_all_look(WRONG, "generator")


def test_their_right_original_passes() -> None:
    report = check(TinyGenerator, CLAIMS)
    assert report.passed, report


SAID = [
    (WrongShape, "shape", "1 latents became (1, 16) instead of (1, 1, 4, 4)"),
    (Noiseless, "noise-std", "noise_std is 0.0"),
    (TinyGenerator, "noise-std", "0.5"),
    (TinyGenerator, "shape", "(3,) to (1, 4, 4)"),
    (TinyGenerator, "other-shapes", "makes (), (6,), (2, 16), (3, 16, 16), (2, 3, 8, 8) of 5 others"),
]


@pytest.mark.parametrize(("component", "name", "said"), SAID)
def test_what_is_wrong_is_told_with_what_was_seen(component: type, name: str, said: str) -> None:
    assert checked(component, CLAIMS, name).detail == said
