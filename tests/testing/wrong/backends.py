"""Wrong gradient backends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.core import Energy, GradientBackend, Offer, as_rows
from ebmkit.core.autograd import ValueAndGradient
from ebmkit.testing import BackendClaims
from tests.testing.wrong import wrong


class Quartic(Energy):
    """E(x) = |W x|² / 2 + |x|⁴ / 4."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.layer = nn.Linear(6, 4, bias=False)
        self.active = nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        squared = x.square().sum(1)
        value: Tensor = self.layer(self.active(x)).square().sum(1) / 2 + squared.square() / 4
        return value


def _energies() -> list[tuple[nn.Module, Tensor]]:
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    return [(Quartic().eval(), x)]


CLAIMS = BackendClaims(energies=_energies)


class Reads(GradientBackend):
    """Right: ∇E = WᵀW x + |x|² x."""

    def __call__(self, energy: nn.Module, x: Tensor, precision: Any) -> Any:
        del precision
        if not self.knows(energy):
            return None
        self.prepare(energy, x)
        return Offer(lambda state: self.found(energy, state))

    def knows(self, energy: nn.Module) -> bool:
        return isinstance(energy, Quartic)

    def prepare(self, energy: Any, x: Tensor) -> None:
        """Look at the energy."""

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        hidden, squared = x @ energy.layer.weight.T, x.square().sum(1, keepdim=True)
        value = hidden.square().sum(1) / 2 + squared[:, 0].square() / 4
        return ValueAndGradient(value.detach(), (hidden @ energy.layer.weight + squared * x).detach())


@wrong(CLAIMS, "gradient")
class OfTheLogDensity(Reads):
    """The gradient of -E."""

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        return ValueAndGradient(right.value, -right.gradient)


@wrong(CLAIMS, "gradient")
class OneTermForgotten(Reads):
    """The value whole, the gradient without the second term."""

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        return ValueAndGradient(right.value, right.gradient - x.square().sum(1, keepdim=True) * x)


@wrong(CLAIMS, "gradient")
class SumsTheBatch(Reads):
    """One value for the batch."""

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        return ValueAndGradient(right.value.sum(), right.gradient)


@wrong(CLAIMS, "gradient")
class LinearisesAtTheStart(Reads):
    """|x|² of the state it was made for, at every state."""

    def prepare(self, energy: Any, x: Tensor) -> None:
        self.squared = x.square().sum(1, keepdim=True)

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        moved = (self.squared - x.square().sum(1, keepdim=True)) * x
        return ValueAndGradient(right.value, right.gradient + moved)


@wrong(CLAIMS, "gradient")
class KnowsEverything(Reads):
    """Takes every energy with a linear layer for the one that it knows."""

    def knows(self, energy: nn.Module) -> bool:
        return isinstance(getattr(energy, "layer", None), nn.Linear)

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, as_rows(x))
        return ValueAndGradient(right.value, right.gradient.reshape(x.shape))


@wrong(CLAIMS, "gradient")
class KnowsNothing(Reads):
    """Looks for a class that was renamed: offers nothing for what it claims to know."""

    def knows(self, energy: nn.Module) -> bool:
        return type(energy).__name__ == "Quadric"


@wrong(CLAIMS, "gradient")
class Doubles(Reads):
    """Computes in float64 and does not go back."""

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        return ValueAndGradient(right.value.double(), right.gradient.double())


@wrong(CLAIMS, "gradient")
class OneBufferForAll(Reads):
    """Writes every gradient into the same tensor."""

    def prepare(self, energy: Any, x: Tensor) -> None:
        self.buffer = torch.empty_like(x)

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        right = super().found(energy, x)
        return ValueAndGradient(right.value, self.buffer.copy_(right.gradient))


@wrong(CLAIMS, "gradient")
class ClampsTheState(Reads):
    """Clamps the state that it is given, in place."""

    def found(self, energy: Any, x: Tensor) -> ValueAndGradient:
        return super().found(energy, x.clamp_(-1, 1))


@wrong(CLAIMS, "energy-untouched")
class SwitchesMode(Reads):
    """Puts the energy into train mode and leaves it there."""

    def prepare(self, energy: Any, x: Tensor) -> None:
        energy.train()


@wrong(CLAIMS, "energy-untouched")
class FoldsWeights(Reads):
    """Normalises the weights in place, as for a deployment."""

    def prepare(self, energy: Any, x: Tensor) -> None:
        energy.layer.weight.mul_(1.0001)


@wrong(CLAIMS, "energy-untouched")
class ProbesAtRandom(Reads):
    """Tries the energy at states from torch's global generator."""

    def prepare(self, energy: Any, x: Tensor) -> None:
        energy(torch.randn_like(x))


@wrong(CLAIMS, "energy-untouched")
class ProbesInPlace(Reads):
    """Moves the state that it is shown, to see what the energy does."""

    def prepare(self, energy: Any, x: Tensor) -> None:
        energy(x.add_(1e-3))


@wrong(CLAIMS, "no-settings")
class TakesSettings(Reads):
    """Has a setting, which no run file can give.

    Args:
        threads: of its own.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self.threads = threads


@contextmanager
def _linear(replacement: Any) -> Iterator[None]:
    plain = nn.functional.linear
    nn.functional.linear = replacement(plain)
    try:
        yield
    finally:
        nn.functional.linear = plain


@wrong(CLAIMS, "layers")
class CoarseLayers(Reads):
    """Linear layers in bfloat16 inside the block."""

    def layers(self, module: nn.Module) -> Any:
        del module
        return _linear(
            lambda plain: lambda x, w, b=None: plain(x.bfloat16().float(), w.bfloat16().float(), b)
        )


@wrong(CLAIMS, "layers")
class LayersThatDoNotLearn(Reads):
    """Linear layers whose weights get no gradient inside the block."""

    def layers(self, module: nn.Module) -> Any:
        del module
        return _linear(lambda plain: lambda x, w, b=None: plain(x, w.detach(), b))


@wrong(CLAIMS, "layers")
class StaysInTorch(Reads):
    """Puts its own linear map into torch and never takes it out."""

    @contextmanager
    def layers(self, module: nn.Module) -> Iterator[None]:
        del module
        plain = nn.functional.linear
        nn.functional.linear = partial(plain)  # type: ignore[assignment]
        yield


@wrong(CLAIMS, "status")
class TalksTooMuch(Reads):
    """A status of several lines."""

    def status(self) -> str:
        return "ready\ncompiled 3 kernels"
