from __future__ import annotations

import pytest
import torch

from ebmkit.core import value_and_gradient
from ebmkit.testing.probes import Probe, bowl, walled
from tests.models import double


@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 2)])
def test_the_bowl_and_its_probe_have_the_gradient_of_their_equation(shape: tuple[int, ...]) -> None:
    """|x|²/2 + Σ cos(x)/2: its gradient is x - sin(x)/2."""
    x = double(5, *shape)
    for energy in (bowl, Probe().double()):
        value, gradient = value_and_gradient(energy, x)
        assert torch.allclose(gradient, x - x.sin() / 2)
        assert torch.equal(value, bowl(x))
    assert bowl(torch.zeros(2, *shape)).tolist() == [max(torch.zeros(shape).numel(), 1) / 2] * 2


def test_a_probe_counts_its_calls() -> None:
    energy = Probe()
    for _ in range(3):
        energy(torch.zeros(2, 3))
    assert energy.calls == 3


def test_a_probe_shows_whatever_a_sampler_might_change() -> None:
    energy = Probe()
    assert energy.tensors().keys() == {"scale", "frozen", "offset", "scale.grad"}
    assert [each.requires_grad for each in (energy.scale, energy.frozen)] == [True, False]
    assert sorted(energy.modes()) == [False, True, True]  # its own, and one part in each mode
    energy.eval()
    assert energy.modes() == [False] * 3
    energy.frozen.grad = torch.zeros(())
    assert "frozen.grad" in energy.tensors()


def test_inside_the_wall_one_is_pushed_out_and_beyond_there_is_no_number() -> None:
    x = torch.tensor([[1.0, -1.4], [0.0, 1.6], [-1.5, 0.0]])
    value, gradient = value_and_gradient(walled, x)
    assert torch.equal(gradient[0], -x[0])
    assert value[0] == pytest.approx(-(1 + 1.96) / 2)
    assert value[1:].isnan().all()
    assert gradient[1:].isnan().any(1).all()
