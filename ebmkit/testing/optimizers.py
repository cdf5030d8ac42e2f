"""What every optimizer must respect."""

from __future__ import annotations

from typing import TypeAlias

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ebmkit.core import Optimizer
from ebmkit.testing.claims import OptimizerClaims
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.randomness import unmoved
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, same_bits

__all__ = ["CHECKS"]

OptimizerSubject: TypeAlias = Subject[OptimizerClaims]

_SHAPES = ((4, 3), (3,), ())
_BEFORE, _AFTER = 3, 4


def _build(subject: OptimizerSubject) -> Optimizer:
    settings = subject.make()
    demand(isinstance(settings, Optimizer), f"{type(settings).__name__} does not inherit from Optimizer")
    return settings  # type: ignore[no-any-return]


def _weights() -> nn.ParameterList:
    generator = torch.Generator().manual_seed(0)
    return nn.ParameterList(torch.randn(shape, generator=generator) + 2 for shape in _SHAPES)


def _loss(weights: nn.ParameterList) -> Tensor:
    """A bowl with its bottom at 0, a little steeper in each tensor."""
    return torch.stack([(i + 1) * each.square().sum() / 2 for i, each in enumerate(weights)]).sum()


def _walk(optimizer: torch.optim.Optimizer, weights: nn.ParameterList, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        _loss(weights).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _bits(weights: nn.ParameterList) -> list[Tensor]:
    return [each.detach().clone() for each in weights]


def parameters(subject: OptimizerSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def descends(subject: OptimizerSubject) -> str:
    """On a quadratic bowl some steps at its rate lower the loss, and every weight moves."""
    weights, begun = _weights(), _bits(_weights())
    optimizer = _build(subject).build(weights.parameters())
    before = float(_loss(weights).detach())
    _walk(optimizer, weights, subject.claims.steps)
    after = float(_loss(weights).detach())
    demand(after < before, f"{subject.claims.steps} steps change the loss from {before:.4g} to {after:.4g}")
    still = [str(tuple(x.shape)) for x, was in zip(weights, begun, strict=True) if same_bits(x, was)]
    demand(not still, f"weights of shape {', '.join(still)} never move")
    return f"{before:.4g} to {after:.4g}"


def unused(subject: OptimizerSubject) -> str:
    """A weight without a gradient, which no loss uses, stays as it is."""
    weights = _weights()
    optimizer, last = _build(subject).build(weights.parameters()), weights[-1].detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        _loss(nn.ParameterList(list(weights)[:-1])).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    demand(same_bits(weights[-1], last), "it moves a weight that has no gradient")
    return ""


def rate(subject: OptimizerSubject) -> str:
    """It begins at ``lr`` and takes the rate of its parameter groups: at 0 no weight moves."""
    settings, weights = _build(subject), _weights()
    optimizer = settings.build(weights.parameters())
    rates = [group["lr"] for group in optimizer.param_groups]
    demand(all(each == settings.lr for each in rates), f"its groups begin at {rates}; wanted {settings.lr}")
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = _bits(weights)
    _walk(optimizer, weights, 2)
    moved = max(float((now - then).abs().max()) for now, then in zip(_bits(weights), before, strict=True))
    demand(moved == 0, f"at the rate 0 a weight moves by {moved:.3g}")
    return ""


def deterministic(subject: OptimizerSubject) -> str:
    """The same gradients give the same weights, bit for bit, and no global generator moves."""
    ends = []
    with unmoved():
        for _ in range(2):
            weights = _weights()
            _walk(_build(subject).build(weights.parameters()), weights, _AFTER)
            ends.append(_bits(weights))
    demand(all(map(same_bits, *ends)), "the same gradients give other weights the second time")
    return ""


def resume(subject: OptimizerSubject) -> str:
    """Its state is tensors; saved and loaded into a new one, it goes on bit for bit."""
    weights = _weights()
    optimizer = _build(subject).build(weights.parameters())
    _walk(optimizer, weights, _BEFORE)
    state = optimizer.state_dict()["state"]
    saved = save(
        {
            f"{index}/{name}": torch.as_tensor(value).detach().clone()
            for index, slots in state.items()
            for name, value in slots.items()
            if value is not None
        }
    )
    again = nn.ParameterList(_bits(weights))
    other = _build(subject).build(again.parameters())
    loaded: dict[int, dict[str, Tensor]] = {}
    for key, value in load(saved).items():
        index, name = key.split("/")
        loaded.setdefault(int(index), {})[name] = value
    other.load_state_dict({"state": loaded, "param_groups": other.state_dict()["param_groups"]})
    _walk(optimizer, weights, _AFTER)
    _walk(other, again, _AFTER)
    demand(all(map(same_bits, _bits(weights), _bits(again))), "a resumed one ends at other weights")
    return f"{len({name for slots in state.values() for name in slots})} tensors a weight"


CHECKS = {
    "parameters": parameters,
    "descends": descends,
    "unused": unused,
    "rate": rate,
    "deterministic": deterministic,
    "resume": resume,
}
