"""What is particular to the part; from whole runs it is taken in ``tests/test_composition.py``."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import Energy, Gradient, ValueAndGradient, prepare, value_and_gradient
from ebmkit_algebra.from_run import FromRun
from tests.models import LinearDescriptor, double

WEIGHT = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)


def test_it_is_the_energy_of_the_run_that_is_named() -> None:
    runs = {"one": LinearDescriptor(WEIGHT, 0.5), "two": LinearDescriptor(-WEIGHT, 0.5)}
    x = double(4, 3)
    for name, energy in runs.items():
        taken = FromRun(runs.__getitem__, run=name)
        assert taken.energy is energy
        assert torch.equal(taken(x), energy(x))
        assert torch.equal(value_and_gradient(taken, x).gradient, value_and_gradient(energy, x).gradient)


@pytest.mark.parametrize("learn", [False, True])
def test_its_weights_learn_only_if_they_are_told_to_and_are_saved_with_it(learn: bool) -> None:
    """Also where the other run had left them as the opposite."""
    energy = LinearDescriptor(WEIGHT, 0.5).requires_grad_(not learn)
    taken = FromRun(lambda _: energy, run="one", learn=learn)
    assert [each.requires_grad for each in taken.parameters()] == [learn]
    assert {name: value.tolist() for name, value in taken.state_dict().items()} == {
        "energy.weight": WEIGHT.tolist()
    }
    other = FromRun(lambda _: LinearDescriptor(0 * WEIGHT, 0.5), run="two")
    other.load_state_dict(taken.state_dict())
    assert torch.equal(other(double(4, 3)), energy(double(4, 3)))


def test_it_takes_the_fast_way_of_the_energy_where_that_has_one() -> None:
    calls = []

    class Quick(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return x.square().sum(1) / 2

        def prepare(self, x: Tensor) -> Gradient:
            def gradient(x: Tensor) -> ValueAndGradient:
                calls.append(len(x))
                return ValueAndGradient(self(x), x)

            return gradient

    x = double(4, 3)
    gradient = prepare(FromRun(lambda _: Quick(), run="one"), x).value_and_gradient
    before = len(calls)
    assert torch.equal(gradient(x).gradient, x)
    assert len(calls) == before + 1
