from __future__ import annotations

import math
from typing import NamedTuple

import attrs
import pytest
import torch
from torch import Tensor

from ebmkit.core import Position, computing_in
from ebmkit.core.graph.agreement import DisagreementError, check_evaluation, check_stride
from ebmkit.core.graph.stride import Evaluation, Stride
from tests.models import double

X = double(4, 3)


class Known(NamedTuple):
    """A state that remembers its energy."""

    x: Tensor
    energy: Tensor


def energy(x: Tensor) -> Tensor:
    return x.square().sum(1) / 2


EVALUATION = Evaluation(X, energy(X), X.clone())
MOVED = Stride(Position(X + double(4, 3, seed=1)), {"drift": torch.tensor(0.5)}, None, None)


def shares(*off: float) -> Tensor:
    """A factor for each of the four rows."""
    return 1 + torch.tensor(off).double()[:, None]


def test_what_a_graph_saw_of_the_energy_itself_agrees() -> None:
    check_evaluation(EVALUATION, energy)
    check_evaluation(EVALUATION._replace(gradient=None), energy)
    check_evaluation(None, energy)  # it saw nothing


def test_another_energy_of_one_chain_is_told_and_another_gradient_of_most() -> None:
    """Where ReLUs are, the gradient of one may fall either way, but never the energy."""
    higher = EVALUATION._replace(value=EVALUATION.value + torch.tensor([0, 0, 0, 0.1]))
    for found in (higher, higher._replace(gradient=None)):
        with pytest.raises(DisagreementError, match=r"^their graph has another energy$"):
            check_evaluation(found, energy)
    check_evaluation(EVALUATION._replace(gradient=X * shares(0, 0, 1, 1)), energy)
    astray = EVALUATION._replace(gradient=X * shares(0, 1, 1, 1))
    with pytest.raises(DisagreementError, match=r"^their graph has another gradient than autograd$"):
        check_evaluation(astray, energy)
    check_evaluation(astray, energy, gradient=False)


def test_bfloat16_is_allowed_its_rounding() -> None:
    rounded = EVALUATION._replace(value=EVALUATION.value * 1.02, gradient=X * 1.02)
    with pytest.raises(DisagreementError, match="another gradient"):
        check_evaluation(rounded, energy)
    with computing_in("bf16"):
        check_evaluation(rounded, energy)


def test_chains_that_end_elsewhere_are_told_by_how_far_they_went() -> None:
    """From 1,000, where a step of 1 that is 1 % too long ends within a hundred-thousandth of the place."""
    start, step = X + 1000, double(4, 3, seed=1)

    def moved(*off: float) -> Stride:
        return attrs.evolve(MOVED, state=Position(start + step * shares(*off)))

    exact = moved(0, 0, 0, 0)
    check_stride(exact, exact, start)
    check_stride(moved(1e-4, -1e-4, 1, 1), exact, start)  # steps take their roundings along
    with pytest.raises(DisagreementError, match=r"^their graph moves them elsewhere$"):
        check_stride(moved(0, 0.01, 0.01, 0.01), exact, start)


def test_what_comes_along_has_a_name() -> None:
    other = attrs.evolve(MOVED, info={"drift": torch.tensor(0.6)})
    with pytest.raises(DisagreementError, match=r"^their graph watches another drift$"):
        check_stride(other, MOVED, X)
    kept = attrs.evolve(MOVED, state=Known(MOVED.state.x, EVALUATION.value))
    with pytest.raises(DisagreementError, match=r"^their graph gives the state another energy$"):
        check_stride(attrs.evolve(kept, state=Known(MOVED.state.x, -EVALUATION.value)), kept, X)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_chains_that_ran_away_agree_with_each_other_alone(odd: float) -> None:
    x = X.clone()
    x[1] = odd
    check_evaluation(Evaluation(x, energy(x), x), energy)
    with pytest.raises(DisagreementError, match="another energy"):
        check_evaluation(Evaluation(x, EVALUATION.value, None), energy)
