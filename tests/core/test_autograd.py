from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Energy, value_and_gradient
from ebmkit.core.autograd import by_autograd
from tests.models import double


@pytest.mark.parametrize(
    "x", [torch.ones(3, 2), torch.ones(3, 2, dtype=torch.complex64)], ids=["real", "complex"]
)
def test_complex_energies_have_no_gradient(x: Tensor) -> None:
    with pytest.raises(RuntimeError, match="only for real scalar outputs"):
        value_and_gradient(lambda x: x.square().sum(1) * (1 + 1j), x)


def test_sparse_energies_have_the_gradient_that_autograd_gives() -> None:
    found = value_and_gradient(lambda x: x.square().sum(1).to_sparse(), torch.ones(3, 2))
    assert torch.equal(found.gradient, torch.full((3, 2), 2.0))


@pytest.mark.parametrize("wrong", [lambda x: x.sum(), lambda x: x.square(), lambda x: x.sum(1, keepdim=True)])
def test_an_energy_of_another_shape_is_refused(wrong: object) -> None:
    def energy(x: Tensor) -> Tensor:
        return wrong(x)  # type: ignore[operator, no-any-return]

    with pytest.raises(ValueError, match=r"\(B, \*S\) to \(B,\)"):
        value_and_gradient(energy, double(4, 2))


class Scored(Energy):
    """E(x) = |x|² / 2 + a score of a layer, whose dtype is written down."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.dtypes = nn.Linear(4, 3), list[torch.dtype]()

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x)
        self.dtypes.append(h.dtype)
        return x.square().sum(1) / 2 + h.float().tanh().sum(1)


def test_it_has_the_bits_of_torch_autograd_grad_and_forms_no_other_gradient() -> None:
    energy, x = Scored(), double(5, 4).float()
    found = by_autograd(energy, x)
    at = x.clone().requires_grad_()
    value = energy(at)
    assert torch.equal(found.value, value)
    assert torch.equal(found.gradient, torch.autograd.grad(value.sum(), at)[0])
    assert not found.value.requires_grad
    assert not found.gradient.requires_grad
    assert not x.requires_grad
    assert energy.layer.weight.grad is None


def test_bf16_evaluates_the_energy_under_autocast_and_returns_what_the_state_is() -> None:
    energy, x = Scored(), double(5, 4).float()
    exact, found = by_autograd(energy, x, "mixed"), by_autograd(energy, x, "bf16")
    assert energy.dtypes == [torch.float32, torch.bfloat16]
    assert torch.equal(exact.gradient, by_autograd(energy, x).gradient)
    assert found.gradient.dtype == torch.float32
    assert 1e-5 < float((found.gradient - exact.gradient).norm() / exact.gradient.norm()) < 0.05


def test_a_gradient_is_had_where_none_is_recorded_and_an_energy_without_one_is_refused() -> None:
    with torch.no_grad():
        assert by_autograd(Scored(), double(5, 4).float()).gradient.shape == (5, 4)
    with pytest.raises(RuntimeError, match="does not require grad"):
        by_autograd(lambda x: torch.ones(len(x)), double(5, 4))
