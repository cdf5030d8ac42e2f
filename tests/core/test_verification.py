"""EBMKIT_VERIFY and [run] verify: a wrong gradient ends the run at its place; a right one changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import Energy, Gradient, Rng, ValueAndGradient, run_chain, verifying
from ebmkit.core.verification import current_verification
from ebmkit.errors import WrongGradientError
from ebmkit_langevin.langevin import Langevin

SAMPLER = Langevin(step_size=0.1, noise=False)


class Turning(Energy):
    """|x|^2 / 2 with a gradient of its own that is right until it was asked some times."""

    def __init__(self, right: int) -> None:
        super().__init__()
        self.right, self.asked = right, 0

    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1) / 2

    def prepare(self, x: Tensor) -> Gradient:
        def gradient(x: Tensor) -> ValueAndGradient:
            self.asked += 1
            return ValueAndGradient(self(x), x if self.asked <= self.right else 2 * x)

        return gradient


@pytest.fixture(autouse=True)
def _trusted() -> None:
    """The class was found right before."""
    run_chain(SAMPLER, Turning(100), torch.ones(3, 2), steps=1, rng=Rng(0))


@pytest.mark.parametrize("word", ["1", "always", "yes"])
def test_every_gradient_is_compared(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_VERIFY", word)
    energy = Turning(4)
    with pytest.raises(WrongGradientError, match=r"Turning\.prepare.*test_verification\.py:\d+.*\(3, 2\)"):
        run_chain(SAMPLER, energy, torch.ones(3, 2), steps=10, rng=Rng(0))
    assert energy.asked == 5


def test_the_first_and_the_last_gradient_of_each_chain_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_VERIFY", "first")
    run_chain(SAMPLER, Turning(1000), torch.ones(3, 2), steps=60, rng=Rng(0))
    for right, asked in ((0, 1), (4, 61)):  # at the end once more, where the chain came to
        energy = Turning(right)
        with pytest.raises(WrongGradientError):
            run_chain(SAMPLER, energy, torch.ones(3, 2), steps=60, rng=Rng(0))
        assert energy.asked == asked


def test_a_run_file_asks_for_more_than_the_environment_not_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_VERIFY", "first")
    for asked, expected in (("off", "first"), ("always", "always")):
        with verifying(asked):  # type: ignore[arg-type]
            assert current_verification() == expected
    monkeypatch.setenv("EBMKIT_VERIFY", "0")
    assert current_verification() == "off"
