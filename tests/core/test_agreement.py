"""What counts as rounding between two gradients, and what does not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import Energy, ValueAndGradient
from ebmkit.core.agreement import (
    TOLERANCE,
    described,
    difference,
    difference_from_autograd,
    energies_agree,
    plainly,
    straying,
)
from ebmkit.core.backends import Offer
from ebmkit.core.precision import Precision
from tests.models import double

X = double(4, 50)
EXACT = ValueAndGradient(double(4, seed=1) + 3, double(4, 50, seed=2))


def with_errors(*shares: float) -> ValueAndGradient:
    """The exact result, but for these shares of the size of each row's gradient."""
    return EXACT._replace(gradient=EXACT.gradient * (1 + torch.tensor(shares).double())[:, None])


@pytest.mark.parametrize("precision", TOLERANCE)
def test_half_of_the_rows_are_held_to_the_tolerance_and_all_to_a_hundred_times_it(precision: str) -> None:
    """A unit of a ReLU whose input is nearly 0 may fall on either side."""
    t = TOLERANCE[precision]  # type: ignore[index]
    for shares, right in (
        ((0, 0, 0, 0), True),
        ((0.9 * t, 0.9 * t, 0.9 * t, 0.9 * t), True),
        ((0, 0, 90 * t, 90 * t), True),
        ((0, 2 * t, 2 * t, 2 * t), False),
        ((0, 0, 0, 110 * t), False),
    ):
        found = difference(with_errors(*shares), EXACT, X, precision=precision)  # type: ignore[arg-type]
        assert (found == "") is right, shares


def test_what_is_off_is_told_as_a_share_of_its_size() -> None:
    assert (
        difference(with_errors(0.25, 0.25, 0.25, 0.25), EXACT, X) == "its gradient is off by 0.25 of its size"
    )


def test_the_share_of_a_quadratic_term_hides_no_error_of_the_network() -> None:
    """a |x|² has a gradient a million times the network's, which is judged by its own size."""
    a = 1e6
    exact = ValueAndGradient(EXACT.value + a * X.square().sum(1), EXACT.gradient + 2 * a * X)
    found = exact._replace(gradient=exact.gradient + 100 * EXACT.gradient)
    assert difference(found, exact, X) == ""
    assert difference(found, exact, X, quadratic=a).startswith("its gradient is off by ")
    rounded = exact._replace(gradient=exact.gradient * (1 + 1e-7))
    assert difference(rounded, exact, X, quadratic=a) == ""


def test_other_shapes_and_other_energies_are_told_before_any_gradient() -> None:
    short = ValueAndGradient(EXACT.value[:3], EXACT.gradient)
    assert difference(short, EXACT, X) == "it has the shapes (3,) and (4, 50)"
    higher = EXACT._replace(value=EXACT.value + torch.tensor([0, 0, 0.5, 0]))
    for compare in (difference, straying):
        assert compare(higher, EXACT, X) == "its energies differ by 0.5"


def test_along_a_chain_a_tenth_of_one_row_is_beyond_doubt() -> None:
    assert straying(with_errors(0.09, 0.09, 0.09, 0.09), EXACT, X) == ""
    assert straying(with_errors(0, 0, 0, 0.12), EXACT, X).startswith("its gradient is off by ")
    assert difference(with_errors(0.09, 0.09, 0.09, 0.09), EXACT, X) != ""


def ran_away(result: ValueAndGradient, to: float) -> ValueAndGradient:
    """With this number everywhere in its second row."""
    value, gradient = (each.clone() for each in result)
    value[1], gradient[1] = to, to
    return ValueAndGradient(value, gradient)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_rows_that_ran_away_agree_with_one_another_and_hide_no_other(odd: float) -> None:
    off = with_errors(0.25, 0, 0.25, 0.25)
    assert difference(ran_away(EXACT, odd), ran_away(EXACT, odd), X) == ""
    assert difference(ran_away(off, odd), ran_away(EXACT, odd), X) != ""
    assert difference(ran_away(EXACT, odd), EXACT, X) != ""
    assert straying(ran_away(EXACT, odd), EXACT, X) != ""
    assert difference(EXACT._replace(value=ran_away(EXACT, odd).value), EXACT, X) != ""


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_row_that_is_finite_in_one_result_alone_is_a_fault_and_excuses_no_other(odd: float) -> None:
    """An infinite size of autograd's would make every error rounding."""
    off = with_errors(7, 0, 7, 7)
    for found in (EXACT, off):
        for compare in (difference, straying):
            assert compare(found, ran_away(EXACT, odd), X).startswith("its energies differ by ")
            lost = EXACT._replace(gradient=ran_away(EXACT, odd).gradient)
            assert compare(found, lost, X) == "its gradient is finite in other rows"
    assert not energies_agree(EXACT, ran_away(EXACT, odd).value, X)


def test_an_energy_near_0_is_judged_by_the_sums_it_is_the_difference_of() -> None:
    exact, x = torch.tensor([1e-3, 4e4]), torch.ones(2, 3)
    result = ValueAndGradient(exact + torch.tensor([2e-2, 0.0]), torch.zeros(2, 3))
    assert energies_agree(result, exact, x)
    assert not energies_agree(result, exact[:1], x)  # nothing large beside it
    assert energies_agree(result._replace(gradient=torch.full((2, 3), 1e3)), exact[:1], x)


@pytest.mark.parametrize(("precision", "rounding"), [("fp32", 0.04), ("mixed", 0.04), ("bf16", 40.0)])
def test_sums_round_as_the_forward_pass_does(precision: Precision, rounding: float) -> None:
    """The descriptor of faces: energies of 4e5 rounded by 8e2 in bfloat16, while others pass 0."""
    exact, x = torch.tensor([1e-3, 4e4]), torch.ones(2, 3)
    for error, right in ((0.9 * rounding, True), (1.1 * rounding, False)):
        found = ValueAndGradient(exact + torch.tensor([error, 0.0]), torch.zeros(2, 3))
        assert energies_agree(found, exact, x, precision=precision) is right


def test_a_reference_is_float32_in_every_precision() -> None:
    """Its size and its gradient excuse no error of a network that computes in bfloat16."""
    a, x = 200.0, torch.full((2, 100), 3.0)
    exact = a * x.square().sum(1) + 1
    result = ValueAndGradient(exact, 2 * a * x)
    assert energies_agree(result, exact, x, a, "bf16")
    assert not energies_agree(result._replace(value=exact + 1), exact, x, a, "bf16")


def cubic(x: Tensor) -> Tensor:
    return x.pow(3).sum(1)


def test_a_gradient_that_is_right_at_the_start_alone_is_found_out() -> None:
    """At 1, and nowhere else, 3x² is 3x."""
    x = torch.ones(3, 2)
    right = Offer(lambda x: ValueAndGradient(cubic(x), 3 * x.square()))
    wrong = Offer(lambda x: ValueAndGradient(cubic(x), 3 * x))
    assert difference_from_autograd(right, cubic, x) == ""
    assert difference(wrong.gradient(x), plainly(cubic, x), x) == ""
    assert difference_from_autograd(wrong, cubic, x).startswith("its gradient is off by ")


def test_an_energy_of_a_bounded_region_is_asked_between_its_states() -> None:
    """Random states are outside of the unit ball, blends of states inside it."""

    def walled(x: Tensor) -> Tensor:
        return torch.where(x.square().sum(1) < 1, cubic(x), torch.inf)

    x = torch.eye(5) * 0.95
    right = Offer(lambda x: ValueAndGradient(walled(x), 3 * x.square()))
    wrong = Offer(
        lambda x: ValueAndGradient(walled(x), torch.where((x > 0.89) | (x == 0), 3 * x.square(), x))
    )
    assert difference_from_autograd(right, walled, x) == ""
    assert difference_from_autograd(wrong, walled, x) != ""

    def pinned(x: Tensor) -> Tensor:
        return torch.where((x == 0.95).any(1), cubic(x), torch.inf)

    alone = Offer(lambda x: ValueAndGradient(pinned(x), 3 * x.square()))
    expected = "the energy is finite at no other state than the chain's start"
    assert difference_from_autograd(alone, pinned, x) == expected


def test_an_energy_is_described_with_the_place_of_its_class_or_function() -> None:
    class Flat(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return 0 * x.sum(1)

    assert described(cubic).startswith("cubic (")
    for each in (cubic, Flat()):
        assert "test_agreement.py:" in described(each)
    assert "Flat" in described(Flat())
    assert described(len) == "len"
