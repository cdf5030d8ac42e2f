"""What all modules have to respect, on functions of which it is plain how they break it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ebmkit.testing.modules import (
    check_derivative,
    check_deterministic,
    check_learning,
    check_rows,
    check_state_dict,
    check_unchanged,
)
from ebmkit.testing.report import CheckFailedError
from tests.models import double


@pytest.mark.parametrize(
    ("mixes", "said"),
    [
        (lambda x: x + x[2], "an example of 0.7 changes other rows by 0.7"),
        (lambda x: x + 0 * x[2], "an example of nan changes other rows by nan"),
        (lambda x: x + 1e-4 * x.sum(), "an example of 0.7 changes other rows by 7e-05"),
    ],
)
def test_a_row_that_reaches_others_is_told_with_how_far(mixes: Callable[[Tensor], Tensor], said: str) -> None:
    with pytest.raises(CheckFailedError, match=f"^{said}$"):
        check_rows(mixes, torch.zeros(5))


def test_rounding_is_no_mixing() -> None:
    check_rows(lambda x: x + 1e-7 * x[2].nan_to_num(), torch.zeros(5))
    check_rows(torch.exp, double(5, 3))


def test_the_derivative_of_a_quadratic_is_exact_and_half_of_it_is_not() -> None:
    x = double(20, 3)
    assert check_derivative(lambda x: x.square().sum(1) / 2, x, x).startswith("within ")
    with pytest.raises(CheckFailedError, match="away from the finite difference"):
        check_derivative(lambda x: x.square().sum(1) / 2, x, x / 2)
    with pytest.raises(CheckFailedError, match="away from the finite difference"):
        check_derivative(lambda x: x.square().sum(1) / 2, x, -x)


def test_what_draws_and_what_counts_is_not_deterministic() -> None:
    count = iter(range(9))
    check_deterministic(torch.sin, torch.ones(3))
    with pytest.raises(CheckFailedError, match="gives other bits the second time"):
        check_deterministic(lambda x: x + next(count), torch.ones(3))
    with pytest.raises(CheckFailedError, match="in eval mode it moved the global generator of torch"):
        check_deterministic(lambda x: x + 0 * torch.rand(1), torch.ones(3))


def test_a_clamp_in_place_is_seen_on_values_beyond_one() -> None:
    """Of examples inside [-1, 1] it would change no bit."""
    x = torch.linspace(-1, 1, 9)
    check_unchanged(torch.exp, x)
    with pytest.raises(CheckFailedError, match="modified in place"):
        check_unchanged(lambda x: x.clamp_(-1, 1), x)


def test_parameters_that_no_loss_reaches_or_that_get_no_number_are_named() -> None:
    module = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in ("used", "spare", "root")})
    with pytest.raises(CheckFailedError, match=r"^these parameters never learn: spare$"):
        check_learning(module, module["used"] + module["root"])
    with pytest.raises(
        CheckFailedError, match=r"^these parameters have gradients that are not finite: root$"
    ):
        check_learning(module, module["used"] + module["spare"] + module["root"].sqrt())
    module["root"].requires_grad_(False)
    assert check_learning(module, module["used"] + module["spare"]) == "2 parameters"


def test_weights_that_the_function_does_not_take_from_its_state_are_seen() -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    x = torch.ones(1, 3)
    assert check_state_dict(one, other, lambda each: each(x)) == "2 tensors"
    assert torch.equal(one.weight, other.weight)
    with pytest.raises(CheckFailedError, match="the loaded instance gives other values"):
        check_state_dict(one, other, lambda each: torch.tensor(float(each is one)))


def test_a_state_that_loading_does_not_keep_is_named() -> None:
    class Halves(nn.Linear):
        def _load_from_state_dict(self, state: dict[str, Tensor], *rest: object) -> None:
            super()._load_from_state_dict({name: each / 2 for name, each in state.items()}, *rest)  # type: ignore[arg-type]

    with pytest.raises(CheckFailedError, match=r"^loading changed: weight, bias$"):
        check_state_dict(Halves(3, 2), Halves(3, 2), lambda each: each(torch.ones(1, 3)))
