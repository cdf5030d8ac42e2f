"""Zeros between convolutions: other shapes, the same energy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Energy, Rng, computing_in, run_chain, value_and_gradient
from ebmkit.core import graph as graphs
from ebmkit.core.graph import capturing, making
from ebmkit.core.graph.alignment import aligned
from ebmkit.core.graph.compiling import Function
from ebmkit.core.graph.stride import Strides
from ebmkit_langevin.langevin import Langevin
from tests.core.graph.chains import rerun


class Scored(Energy):
    """A network's score beside a Gaussian reference."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.score = nn.Sequential(*layers)
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters()):
                parameter.copy_(Rng(number).normal(parameter) / parameter[0].numel() ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(1) / 2 + self.score(x).flatten(1).sum(1)


class Shared(Energy):
    """The same kernel twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(30, 30, 3)
        self.score = Scored(nn.Conv2d(3, 30, 3), nn.ReLU(), self.inner, nn.ReLU(), self.inner)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(x)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(30, 30, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x).relu()


def stack(activation: nn.Module) -> Scored:
    """3-100-50-9-1."""
    return Scored(
        nn.Conv2d(3, 100, 5, 2, 2),
        activation,
        nn.Conv2d(100, 50, 3, bias=False),
        activation,
        nn.Conv2d(50, 9, 3),
        activation,
        nn.Flatten(),
        nn.Linear(9 * 4 * 4, 1),
    )


def images() -> Tensor:
    return Rng(1).normal(torch.empty(4, 3, 16, 16))


def weights_of(energy: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in energy.named_parameters()}


ACTIVATIONS = [nn.ReLU(inplace=True), nn.LeakyReLU(0.2), nn.Tanh(), nn.SiLU(), nn.Softplus(), nn.Sigmoid()]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_channels_between_convolutions_become_multiples_of_eight(activation: nn.Module) -> None:
    """Softplus and the sigmoid of nothing are something: the zeros behind them have to swallow that."""
    energy, x = stack(activation).double(), images().double()
    grown = aligned(energy, x, weights_of(energy))
    assert [tuple(grown[f"score.{place}.weight"].shape) for place in (0, 2, 4, 7)] == [
        (104, 3, 5, 5),
        (56, 104, 3, 3),
        (9, 56, 3, 3),
        (1, 144),
    ]
    found = value_and_gradient(lambda x: torch.func.functional_call(energy, grown, (x,)), x)
    exact = value_and_gradient(energy, x)
    assert torch.allclose(found.value, exact.value, rtol=1e-12)
    assert torch.allclose(found.gradient, exact.gradient, rtol=1e-10, atol=1e-13)


LEFT_ALONE: dict[str, Callable[[], nn.Module]] = {
    "few channels": lambda: Scored(nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 8, 3)),
    "multiples of eight": lambda: Scored(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 8, 3)),
    "groups": lambda: Scored(nn.Conv2d(3, 30, 3), nn.ReLU(), nn.Conv2d(30, 30, 3, groups=2)),
    "a transposed convolution": lambda: Scored(nn.Conv2d(3, 30, 3), nn.ReLU(), nn.ConvTranspose2d(30, 8, 3)),
    "a sum over channels": lambda: Scored(nn.Conv2d(3, 30, 3), nn.Softmax(1), nn.Conv2d(30, 8, 3)),
    "two readers": lambda: Scored(nn.Conv2d(3, 30, 3), Residual()),
    "a kernel used twice": Shared,
    "a linear layer": lambda: Scored(nn.Conv2d(3, 30, 3), nn.Flatten(), nn.Linear(30 * 14 * 14, 1)),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_channels_that_anything_else_sees_stay(name: str) -> None:
    energy = LEFT_ALONE[name]()
    weights = weights_of(energy)
    grown = aligned(energy, images(), weights)
    assert {name: value.shape for name, value in grown.items()} == {
        name: value.shape for name, value in weights.items()
    }


def test_a_captured_chain_walks_on_aligned_channels_under_the_weights_of_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of a GPU's way but the recording; ``mixed`` is float32 for energies without a closed form."""
    recorded: list[tuple[Tensor, ...]] = []

    def captured(function: Strides, inputs: tuple[Tensor, ...]) -> Function:
        held = capturing.captured(function, inputs)
        assert isinstance(held, capturing.Held)
        recorded.append(held._inputs)
        return held

    monkeypatch.setattr(capturing, "_capture", lambda device, run: rerun(run))
    monkeypatch.setattr(making, "compiled", captured)
    graphs.forget()
    energy, x, sampler = stack(nn.GELU()), images(), Langevin(step_size=0.1)
    with computing_in("mixed"):
        for key in (1, 2):
            exact = run_chain(sampler, energy, x, steps=4, rng=Rng(key)).x
            found = run_chain(sampler, energy, x, steps=4, rng=Rng(key), graph=True).x
            assert float((found - exact).norm()) < 1e-5 * float((exact - x).norm())
            with torch.no_grad():
                energy.score[2].weight.mul_(1.5)
    (inputs,) = recorded
    kernels = [each for each in inputs if each.ndim == 4 and each.shape[-1] in (3, 5)]
    assert [len(each) for each in kernels] == [104, 56, 9]
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in kernels)
    graphs.forget()
