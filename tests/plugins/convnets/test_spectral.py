from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ebmkit.core import Rng, run_chain
from ebmkit_langevin.langevin import Langevin
from tests.models import double
from tests.plugins.convnets.networks import residual


def convolutions(energy: nn.Module) -> list[nn.Conv2d]:
    return [module for module in energy.modules() if isinstance(module, nn.Conv2d)]


def test_spectral_normalisation_gives_a_largest_singular_value_of_one() -> None:
    energy = residual()
    assert len(convolutions(energy)) == 6
    for layer in convolutions(energy):
        original = layer.parametrizations.weight.original  # type: ignore[union-attr]
        assert abs(float(torch.linalg.matrix_norm(original.detach().flatten(1), 2)) - 1) > 0.05
        layer.parametrizations.weight[0].advance(original, steps=200)  # type: ignore[union-attr, operator, index]
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(
            1, abs=1e-4
        )
    assert not [name for name in residual(spectral_norm=False).state_dict() if "parametrizations" in name]


def test_the_power_iteration_moves_once_an_update_and_never_in_a_chain() -> None:
    energy = residual().train()
    before = copy.deepcopy(energy.state_dict())
    x = double(3, 1, 16, 16).float()
    energy(x)
    with torch.no_grad():
        energy(x)
    run_chain(Langevin(step_size=0.01), energy, x, steps=2, rng=Rng(0))
    assert all(torch.equal(value, before[key]) for key, value in energy.state_dict().items())
    with torch.no_grad():  # as an optimizer would, so that the iteration has not converged
        for parameter in energy.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    loss = energy(x).mean() - energy(-x).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    layer = convolutions(energy)[0]
    norm = layer.parametrizations.weight[0]  # type: ignore[union-attr, index]
    matrix = layer.parametrizations.weight.original.detach().flatten(1)  # type: ignore[union-attr]
    right = nn.functional.normalize(matrix.T @ before["stem.parametrizations.weight.0.left"], dim=0)
    assert not torch.equal(right, before["stem.parametrizations.weight.0.right"])
    assert torch.equal(norm.right, right)
    assert torch.equal(norm.left, nn.functional.normalize(matrix @ right, dim=0))
