"""A rule does to symbols what torch's operation does to the numbers that they stand for."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ebmkit_fastconv.reading.activations import Activation
from ebmkit_fastconv.reading.rules import RULES
from ebmkit_fastconv.reading.stack import Dense, Features, Squares, Stack, UnknownOperationError
from tests.plugins.fastconv.reading.symbols import ENERGY, HIDDEN, IMAGES, MAPS, X, numbers, weights

ROWS = 7
ALL = 2**63 - 1
SQUARES, REFERENCE = Squares(1.5, (6,)), Stack(quadratic=0.3, offset=1.0)
COLUMN = X.then(Dense(weights(1, 6), None), (1,))
MATRIX, VECTOR, KERNEL, BIAS = (weights(*shape, seed=3) for shape in ((6, 4), (5,), (4, 2, 2, 2), (4,)))
PLACE = ([2, 2], [1, 1], [1, 1], False, [0, 0])

Case = tuple[str, tuple[Any, ...], dict[str, Any]]

FOLLOWED: list[Case] = [
    ("convolution", (IMAGES, KERNEL, BIAS, *PLACE, 1), {}),
    ("linear", (X, MATRIX.T, BIAS), {}),
    ("addmm", (BIAS, X, MATRIX), {}),
    ("mm", (X, MATRIX), {}),
    ("mv", (HIDDEN, VECTOR), {}),
    ("relu", (HIDDEN,), {}),
    ("leaky_relu", (MAPS, 0.1), {}),
    ("tanh", (HIDDEN,), {}),
    ("silu", (HIDDEN,), {}),
    ("softplus", (HIDDEN,), {}),
    ("view", (MAPS, [ROWS, 48]), {}),
    ("view", (COLUMN, [ROWS]), {}),
    ("view", (SQUARES, [ROWS, 6]), {}),
    ("_unsafe_view", (MAPS, [ROWS, 48]), {}),
    ("squeeze", (COLUMN, 1), {}),
    ("select", (HIDDEN, 1, 3), {}),
    ("slice", (HIDDEN, 1, 0, ALL), {}),
    ("pow", (X, 2), {}),
    ("square", (IMAGES,), {}),
    ("sum", (MAPS, [1, 2, 3]), {}),
    ("sum", (SQUARES, [-1]), {}),
    ("mean", (MAPS, [3, 1, 2]), {}),
    ("add", (ENERGY, REFERENCE), {"alpha": 3.0}),
    ("add", (ENERGY, torch.tensor(2.0)), {}),
    ("sub", (REFERENCE, ENERGY), {}),
    ("rsub", (ENERGY, 1.5), {"alpha": 2.0}),
    ("mul", (X, X), {}),
    ("mul", (SQUARES, 0.5), {}),
    ("mul", (torch.tensor(2.0), ENERGY), {}),
    ("div", (ENERGY, 4.0), {}),
    ("neg", (ENERGY,), {}),
    ("_to_copy", (ENERGY,), {"dtype": torch.float64}),
    ("clone", (MAPS,), {}),
    ("alias", (ENERGY,), {}),
]

LEFT: list[tuple[Case, str]] = [
    (("convolution", (X, KERNEL, BIAS, *PLACE, 1), {}), "a convolution of other than images"),
    (("convolution", (IMAGES, KERNEL, BIAS, *PLACE, 2), {}), "groups, dilation or an oblong kernel"),
    (("convolution", (IMAGES, KERNEL, BIAS, [1, 2], *PLACE[1:], 1), {}), "unequal sides"),
    (("linear", (MAPS, MATRIX), {}), "a linear layer on images"),
    (("linear", (X, MATRIX.T, BIAS[:1]), {}), "a bias that is repeated"),
    (("linear", (X, MATRIX.T.double()), {}), "a float32 tensor of 2 dimensions is expected"),
    (("addmm", (BIAS, X, MATRIX), {"beta": 2}), "a weighted sum with a product"),
    (("mv", (HIDDEN, VECTOR.double() / 3), {}), "weights that float32 cannot hold"),
    (("mv", (X, VECTOR), {}), "a linear function of x itself"),
    (("tanh", (X,), {}), "a linear function of x itself"),
    (("silu", (HIDDEN.then(Activation("tanh"), (5,)),), {}), "an activation that follows no layer"),
    (("softplus", (HIDDEN, 2.0), {}), "softplus with other than the default parameters"),
    (("view", (MAPS, [ROWS, 3, 16]), {}), "a reshaping that does not flatten"),
    (("squeeze", (HIDDEN, 1), {}), "a squeeze of more than one number"),
    (("select", (MAPS, 1, 0), {}), "an index"),
    (("slice", (HIDDEN, 1, 0, 3), {}), "a part of a side"),
    (("pow", (X, 3), {}), "another power than the square"),
    (("square", (HIDDEN,), {}), "the square of features"),
    (("sum", (MAPS, [2, 3]), {}), "a sum over other than everything but the rows"),
    (("mean", (HIDDEN, [1], True), {}), "a sum over other than everything but the rows"),
    (("add", (ENERGY, ENERGY), {}), "the sum of two networks"),
    (("add", (ENERGY, BIAS), {}), "arithmetic with tensors"),
    (("mul", (HIDDEN, 2.0), {}), "a product with features"),
    (("_to_copy", (ENERGY,), {"dtype": torch.bfloat16}), "a cast that loses digits, or a move"),
]


def called(case: Case) -> str:
    name, given, _ = case
    return f"{name} of {type(given[0]).__name__}"


@pytest.mark.parametrize("case", FOLLOWED, ids=called)
def test_a_rule_gives_the_symbol_of_what_the_operation_gives(case: Case) -> None:
    name, given, kwargs = case
    of_images = any(each is IMAGES or each is MAPS for each in given)
    x = weights(ROWS, *(IMAGES if of_images else X).shape, seed=9)
    actual = [numbers(each, x) if isinstance(each, (Features, Squares, Stack)) else each for each in given]
    expected = getattr(torch.ops.aten, name)(*actual, **kwargs)
    symbol = RULES[name](*given, **kwargs)
    assert expected.shape == (ROWS, *symbol.shape)
    assert torch.allclose(numbers(symbol, x).to(expected), expected, rtol=1e-5, atol=1e-5)


def test_every_rule_is_of_an_operation_of_torchs_and_was_held_against_it() -> None:
    assert {name for name, *_ in FOLLOWED} == RULES.keys()


@pytest.mark.parametrize(("case", "why"), LEFT, ids=lambda each: each if isinstance(each, str) else "")
def test_what_no_rule_covers_is_told(case: Case, why: str) -> None:
    name, given, kwargs = case
    with pytest.raises(UnknownOperationError, match=why):
        RULES[name](*given, **kwargs)
