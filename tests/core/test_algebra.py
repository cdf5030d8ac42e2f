"""Composed energies against the densities they stand for."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import (
    Energy,
    EnergyFn,
    Gradient,
    Mixture,
    Negated,
    Rng,
    Sum,
    Tempered,
    ValueAndGradient,
    Weighted,
    prepare,
    run_chain,
    value_and_gradient,
)
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, double

FIRST, SECOND = (1.0, 0.5), (-2.0, 0.8)
"""Mean and standard deviation of the two experts."""


def gaussian(mean: float, std: float, x: Tensor) -> Tensor:
    return ((x - mean) ** 2).sum(1) / (2 * std**2)


def first(x: Tensor) -> Tensor:
    return gaussian(*FIRST, x)


def second(x: Tensor) -> Tensor:
    return gaussian(*SECOND, x)


PAIR = {"first": Weighted(first, 0.7), "second": Weighted(second, 0.3)}


def test_values_are_those_of_the_equations() -> None:
    x = double(20, 3)
    assert torch.allclose(Sum(PAIR)(x), 0.7 * first(x) + 0.3 * second(x))
    mixed = -torch.log(0.7 * torch.exp(-first(x)) + 0.3 * torch.exp(-second(x)))
    assert torch.allclose(Mixture(PAIR)(x), mixed)
    assert torch.allclose(Tempered(first, temperature=4.0)(x), first(x) / 4)
    assert torch.equal(Negated(first)(x), -first(x))


def test_a_mixture_of_far_away_energies_neither_overflows_nor_forgets_the_nearest() -> None:
    """Energies of images are near a million nats, where exp(-E) is 0 for every part."""
    x = double(5, 2)
    far = {
        "far": Weighted(lambda y: first(y) + 2e6, 1.0),
        "near": Weighted(lambda y: second(y) + 1e6, 1.0),
    }
    value, gradient = value_and_gradient(Mixture(far), x)
    assert torch.allclose(value, second(x) + 1e6, rtol=0, atol=1e-6)
    assert torch.allclose(gradient, value_and_gradient(second, x).gradient)


def test_a_mixture_of_one_part_is_that_part_but_for_its_weight() -> None:
    x = double(5, 2)
    assert torch.allclose(Mixture({"one": Weighted(first, 0.25)})(x), first(x) + math.log(4))


def test_experts_of_another_precision_are_added_in_the_better_one() -> None:
    x = double(4, 2).float()
    mixed = Sum({"single": Weighted(first), "double": Weighted(lambda y: first(y.double()))})
    assert mixed(x).dtype == torch.float64
    assert (
        Mixture({"single": Weighted(first), "double": Weighted(lambda y: first(y.double()))})(x)
        .isfinite()
        .all()
    )


def test_a_sampler_draws_from_the_product_of_two_experts() -> None:
    """Precisions add: N(1, 0.5²) times N(-2, 0.8²). The chain's own bias is known and part of the law."""
    precision = FIRST[1] ** -2 + SECOND[1] ** -2
    mean = (FIRST[0] / FIRST[1] ** 2 + SECOND[0] / SECOND[1] ** 2) / precision
    step, chains = 0.3, 20_000
    product = Sum({"first": Weighted(first), "second": Weighted(second)})
    start = torch.zeros(chains, 1, dtype=torch.float64)
    x = run_chain(Langevin(step_size=step), product, start, steps=60, rng=Rng(1)).x
    variance = 1 / precision / (1 - step**2 * precision / 4)
    # 5 standard errors each: a false alarm in one of 870,000 seeds.
    assert abs(x.mean() - mean) < 5 * math.sqrt(variance / chains)
    assert abs(x.var() / variance - 1) < 5 * math.sqrt(2 / chains)


class Quick(Energy):
    """A Gaussian that knows its gradient; autograd through it can be refused."""

    refusing = False

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, x: Tensor) -> Tensor:
        if self.refusing and torch.is_grad_enabled():
            raise AssertionError("the fast way was not taken")
        return (x - self.mean).square().flatten(1).sum(1) / 2

    def prepare(self, x: Tensor) -> Gradient:
        return lambda y: ValueAndGradient((y - self.mean).square().flatten(1).sum(1) / 2, y - self.mean)


def composed(zero: EnergyFn, one: EnergyFn) -> dict[str, Energy]:
    pair = {"zero": Weighted(zero, 0.5), "one": Weighted(one, 2.0)}
    return {
        "sum": Sum(pair),
        "mixture": Mixture(pair),
        "tempered": Tempered(zero, temperature=3.0),
        "negated": Negated(one),
        "nested": Tempered(Sum({"mixture": Weighted(Mixture(pair)), "one": Weighted(one)}), temperature=0.5),
    }


@pytest.mark.parametrize("name", ["sum", "mixture", "tempered", "negated", "nested"])
@pytest.mark.parametrize("shape", [(3,), (1, 2, 2)])
def test_prepared_they_take_the_fast_way_of_every_part_to_the_same_gradient(
    name: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = double(6, *shape)
    prepare(composed(Quick(0.0), Quick(1.0))[name], x)  # compares the fast ways with autograd, once
    monkeypatch.setattr(Quick, "refusing", True)
    slow = composed(*(lambda y, m=m: (y - m).square().flatten(1).sum(1) / 2 for m in (0.0, 1.0)))[name]
    fast = prepare(composed(Quick(0.0), Quick(1.0))[name], x)
    expected, found = value_and_gradient(slow, x), fast.value_and_gradient(x)
    assert torch.allclose(found.value, expected.value)
    assert torch.allclose(found.gradient, expected.gradient)


def test_weights_of_the_parts_are_parameters_of_the_whole() -> None:
    part = LinearDescriptor(torch.ones(2), 1.0)
    for whole in (
        Sum({"a": Weighted(part)}),
        Mixture({"a": Weighted(part)}),
        Tempered(part, temperature=2.0),
    ):
        assert [each is part.weight for each in whole.parameters()] == [True]


def test_composed_energies_refuse_what_is_no_law() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        Sum({})
    with pytest.raises(ValueError, match="'b' has -1"):
        Mixture({"a": Weighted(first), "b": Weighted(second, -1.0)})
    with pytest.raises(ValueError, match="> 0"):
        Tempered(first, temperature=0.0)
