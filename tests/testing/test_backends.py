"""What the checks of gradient backends say of what they saw, and what they leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core.autograd import ValueAndGradient
from ebmkit.testing import BackendClaims, Outcome, Result, check
from tests.testing.wrong.backends import CLAIMS, Quartic, Reads


def result(component: type, name: str, claims: BackendClaims = CLAIMS) -> Result:
    (found,) = check(component, claims, only=[name]).results
    return found


class KnowsNothing(Reads):
    def knows(self, energy: nn.Module) -> bool:
        return False


class OfTheFirstCoordinate(Reads):
    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        return right._replace(gradient=right.gradient[:, :1])


class InDouble(Reads):
    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        return right._replace(value=right.value.double())


class LeavesItsRelu(Reads):
    @contextmanager
    def layers(self, energy: nn.Module) -> Iterator[None]:
        yield
        nn.functional.relu = lambda x: x.clamp(min=0)  # type: ignore[assignment]


class TakesThreads(Reads):
    def __init__(self, *, threads: int = 1) -> None:
        self.threads = threads


@pytest.mark.parametrize(
    ("component", "name", "said"),
    [
        (Reads, "gradient", "1 energies"),
        (KnowsNothing, "gradient", "it claims to know Quartic, and offers nothing for it"),
        (OfTheFirstCoordinate, "gradient", "the gradient of Quartic has shape (5, 1); wanted (5, 6)"),
        (InDouble, "gradient", "the value of Quartic is torch.float64; wanted torch.float32"),
        (TakesThreads, "no-settings", "its constructor takes threads"),
    ],
)
def test_what_was_seen_is_said(component: type, name: str, said: str) -> None:
    assert result(component, name).detail == said


def test_a_backend_that_claims_and_knows_no_energy_is_not_compared() -> None:
    skipped = result(KnowsNothing, "gradient", BackendClaims())
    assert skipped.outcome is Outcome.SKIPPED
    assert "name some in BackendClaims(energies=)" in skipped.detail


def test_a_function_of_torch_that_a_backend_changed_is_named_and_put_back() -> None:
    before = nn.functional.relu
    assert result(LeavesItsRelu, "layers").detail == "after the block torch.nn.functional has another relu"
    assert nn.functional.relu is before


def test_the_right_original_has_the_gradient_of_its_closed_form() -> None:
    """At W = 0 the energy is |x|⁴ / 4: its gradient is |x|² x."""
    energy, x = Quartic(), torch.tensor([[1.0, 2.0, 0.0, 0.0, 0.0, 2.0]])
    with torch.no_grad():
        energy.layer.weight.zero_()
    found = Reads().found(energy, x)
    assert found.value.tolist() == [81 / 4]
    assert torch.equal(found.gradient, 9 * x)
