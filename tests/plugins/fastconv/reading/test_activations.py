from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit_fastconv.reading.activations import IDENTITY, activation_named
from tests.models import double

NAMED = [("relu", 0.0), ("leaky_relu", 0.2), ("tanh", 0.0), ("silu", 0.0), ("softplus", 0.0)]


def by_torch(name: str, slope: float, a: Tensor) -> Tensor:
    result: Tensor = (
        getattr(torch.nn.functional, name)(a, slope) if slope else getattr(torch.nn.functional, name)(a)
    )
    return result


@pytest.mark.parametrize(("name", "slope"), NAMED)
def test_it_is_torchs_function_and_its_derivative(name: str, slope: float) -> None:
    """Where the derivative is read off the result, the input may be gone."""
    a, above = double(300).requires_grad_(), double(300, seed=1)
    exact = by_torch(name, slope, a)
    (expected,) = torch.autograd.grad(exact, a, above)
    activation, input_ = activation_named(name, slope), a.detach().clone()
    kept = input_.clone()
    result = activation(input_)
    assert torch.allclose(result, exact, rtol=1e-12)
    memory = result if activation.remembers_result else input_
    assert activation.remembers_result or torch.equal(input_, kept)
    assert torch.allclose(activation.backward(above, memory), expected, rtol=1e-12)


def test_the_identity_hands_everything_on() -> None:
    a = double(5)
    assert IDENTITY(a) is a
    assert IDENTITY.backward(a, double(5, seed=1)) is a
    assert IDENTITY.remembers_result


def test_a_rectifier_that_folds_is_refused() -> None:
    """The sign of what it gives does not tell that of what it was given."""
    with pytest.raises(ValueError, match=r"^leaky_relu with the slope -0\.1 below zero$"):
        activation_named("leaky_relu", -0.1)
