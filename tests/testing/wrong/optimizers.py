"""Wrong optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core import Ge, Lt, Optimizer
from ebmkit.testing import OptimizerClaims
from tests.testing.wrong import wrong

CLAIMS = OptimizerClaims(settings={"lr": 0.05})


class Descent(torch.optim.Optimizer):
    """Heavy ball: v ← μ v + g, w ← w - rate v; v is kept in the state."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self.move(weight, weight.grad, group)

    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        velocity = self.velocity(weight)
        velocity.mul_(group["momentum"]).add_(gradient)
        weight.sub_(group["lr"] * velocity)

    def velocity(self, weight: nn.Parameter) -> Tensor:
        slots = self.state[weight]
        if "velocity" not in slots:
            slots["velocity"] = torch.zeros_like(weight)
        velocity: Tensor = slots["velocity"]
        return velocity


@attrs.frozen(kw_only=True)
class Momentum(Optimizer):
    """Right: heavy ball.

    Args:
        momentum: of the velocity.
    """

    momentum: Annotated[float, Ge(0), Lt(1)] = 0.5
    algorithm = Descent

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return self.algorithm(parameters, self.lr, self.momentum)


@wrong(CLAIMS, "rate")
@attrs.frozen(kw_only=True)
class RateOfItsOwn(Momentum):
    """Built at the rate that its author likes."""

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return Descent(parameters, 1e-3, self.momentum)


class _Fixed(Descent):
    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        super().move(weight, gradient, {**group, "lr": self.defaults["lr"]})


@wrong(CLAIMS, "rate")
@attrs.frozen(kw_only=True)
class RateOfTheBeginning(Momentum):
    """Steps at the rate it was built with, whatever its groups say."""

    algorithm = _Fixed


class _Decays(Descent):
    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        weight.mul_(1 - 1e-3)
        super().move(weight, gradient, group)


@wrong(CLAIMS, "rate")
@attrs.frozen(kw_only=True)
class DecayWithoutTheRate(Momentum):
    """Weight decay that is not multiplied by the rate."""

    algorithm = _Decays


class _Uphill(Descent):
    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        super().move(weight, -gradient, group)


@wrong(CLAIMS, "descends")
@attrs.frozen(kw_only=True)
class Ascends(Momentum):
    """The sign of whoever maximises a likelihood."""

    algorithm = _Uphill


@wrong(CLAIMS, "descends")
@attrs.frozen(kw_only=True)
class MovesCopies(Momentum):
    """Optimizes copies of the weights."""

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return Descent([nn.Parameter(each.detach().clone()) for each in parameters], self.lr, self.momentum)


@wrong(CLAIMS, "descends")
@attrs.frozen(kw_only=True)
class MatricesAlone(Momentum):
    """Leaves out everything but matrices: biases and scales never learn."""

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return Descent([each for each in parameters if each.ndim > 1], self.lr, self.momentum)


class _Outside(Descent):
    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.velocities: dict[nn.Parameter, Tensor] = {}

    def velocity(self, weight: nn.Parameter) -> Tensor:
        return self.velocities.setdefault(weight, torch.zeros_like(weight))


@wrong(CLAIMS, "resume")
@attrs.frozen(kw_only=True)
class VelocityOutsideTheState(Momentum):
    """Keeps its velocities in an attribute, which no checkpoint holds."""

    algorithm = _Outside


class _Counting(Descent):
    count = 0

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        self.count += 1
        super().step(closure)

    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        super().move(weight, gradient * min(1, self.count / 5), group)


@wrong(CLAIMS, "resume")
@attrs.frozen(kw_only=True)
class CountsOutsideTheState(Momentum):
    """Warms up by a counter of its own, which begins anew in a resumed run."""

    algorithm = _Counting


class _Noisy(Descent):
    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        super().move(weight, gradient + 0.01 * torch.randn_like(gradient), group)


@wrong(CLAIMS, "deterministic")
@attrs.frozen(kw_only=True)
class GlobalNoise(Momentum):
    """Noise on the gradients from torch's global generator."""

    algorithm = _Noisy


class _Unasked(Descent):
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                self.move(weight, weight.grad, group)


@wrong(CLAIMS, "unused")
@attrs.frozen(kw_only=True)
class ExpectsEveryGradient(Momentum):
    """Fails at a weight that no loss uses, whose gradient is None."""

    algorithm = _Unasked


class _Drifting(Descent):
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        super().step(closure)
        for group in self.param_groups:
            for weight in group["params"]:
                weight.mul_(1 - 0.1 * group["lr"])


@wrong(CLAIMS, "unused")
@attrs.frozen(kw_only=True)
class DecaysTheUnused(Momentum):
    """Weight decay of weights that no loss uses."""

    algorithm = _Drifting


@wrong(CLAIMS, "parameters")
@attrs.frozen(kw_only=True)
class Undocumented(Momentum):
    """A key without a line.

    Args:
        momentum: of the velocity.
    """

    power: float = 0.5
