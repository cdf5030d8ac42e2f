"""What every gradient backend must respect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ebmkit.config import signature_of
from ebmkit.core import Energy, GradientBackend, Offer, as_rows, value_and_gradient
from ebmkit.core.autograd import ValueAndGradient
from ebmkit.core.backends import layers_are_plain
from ebmkit.testing.claims import BackendClaims
from ebmkit.testing.modules import TOLERANCE
from ebmkit.testing.parts import OTHER_SHAPES, TinyEnergy
from ebmkit.testing.randomness import unmoved
from ebmkit.testing.report import CheckSkippedError
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, demand_same, same_bits, snapshot

__all__ = ["CHECKS"]

BackendSubject: TypeAlias = Subject[BackendClaims]

_ROWS = 5


class _Branching(Energy):
    """What no backend can read off two rows: which way it goes depends on the values."""

    def forward(self, x: Tensor) -> Tensor:
        rows = as_rows(x)
        return rows.square().sum(1) if float(x.detach().sum()) > 0 else rows.abs().sum(1)


def _build(subject: BackendSubject) -> GradientBackend:
    backend = subject.make()
    demand(
        isinstance(backend, GradientBackend),
        f"{type(backend).__name__} does not inherit from GradientBackend",
    )
    return backend  # type: ignore[no-any-return]


def _cases(subject: BackendSubject) -> Iterator[tuple[nn.Module, Tensor]]:
    """The energies that it claims to know, then some that anybody may have."""
    yield from subject.claims.energies()
    generator = torch.Generator().manual_seed(1)
    for shape in OTHER_SHAPES:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield TinyEnergy(shape).eval(), torch.randn(_ROWS, *shape, generator=generator)
    yield _Branching().eval(), torch.randn(_ROWS, 6, generator=generator)


def _asked(backend: GradientBackend, energy: nn.Module, x: Tensor) -> Offer | None:
    with torch.no_grad():
        offer = backend(energy, x, "fp32")
    return offer if isinstance(offer, Offer) or offer is None else Offer(offer)


def no_settings(subject: BackendSubject) -> str:
    """It is made without arguments: no run file names it."""
    signature = signature_of(subject.component)
    names = [each.name for each in signature.parts] + [each.name for each in signature.parameters]
    demand(not names, f"its constructor takes {', '.join(names)}")
    return ""


def gradient(subject: BackendSubject) -> str:
    """What it offers is autograd's value and gradient, in their type, at any state, and stays as it was."""
    backend, offered, known = _build(subject), 0, len(list(subject.claims.energies()))
    for number, (energy, x) in enumerate(_cases(subject)):
        offer = _asked(backend, energy, x)
        if offer is None:
            demand(number >= known, f"it claims to know {type(energy).__name__}, and offers nothing for it")
            continue
        offered += 1
        first = _compare(offer, energy, x)
        kept = first.gradient.clone()
        _compare(offer, energy, x.flip(0) * 0.5 + 0.1)
        same = same_bits(kept, first.gradient)
        demand(same, f"a gradient of {type(energy).__name__} changes when the next one is asked for")
    if not offered:
        raise CheckSkippedError("it knows none of the kit's energies: name some in BackendClaims(energies=)")
    return f"{offered} energies"


def _compare(offer: Offer, energy: nn.Module, x: Tensor) -> ValueAndGradient:
    """What is offered at a state, after it was held against autograd's."""
    exact, before, name = value_and_gradient(energy, x), x.clone(), type(energy).__name__
    with torch.no_grad():
        found = offer.gradient(x)
    demand(same_bits(before, x), f"the gradient of {name} changes the state it is asked for")
    for what, one, other in (
        ("value", found.value, exact.value),
        ("gradient", found.gradient, exact.gradient),
    ):
        demand(
            one.shape == other.shape,
            f"the {what} of {name} has shape {tuple(one.shape)}; wanted {tuple(other.shape)}",
        )
        demand(one.dtype == other.dtype, f"the {what} of {name} is {one.dtype}; wanted {other.dtype}")
        error = float((one - other).norm() / (1 + other.norm()))
        demand(error < TOLERANCE, f"the {what} of {name} differs from autograd's by {error:.2g} (relative)")
    return found


def energy_untouched(subject: BackendSubject) -> str:
    """Asking changes no weight, no mode, no state and no global generator."""
    backend = _build(subject)
    for energy, x in _cases(subject):
        weights, before = snapshot(energy.state_dict()), x.clone()
        modes = [each.training for each in energy.modules()]
        with unmoved():
            _asked(backend, energy, x)
        demand_same(weights, energy.state_dict(), "asking it changed")
        demand(modes == [each.training for each in energy.modules()], "it changed the energy's mode")
        demand(same_bits(before, x), "it changed the state that it was shown")
    return ""


def layers(subject: BackendSubject) -> str:
    """In its block of layers energies and gradients of weights are torch's to rounding, after it torch's."""
    backend, before = _build(subject), _functions()
    for energy, x in _cases(subject):
        plain = _losses(energy, x)
        with backend.layers(energy):
            fast = _losses(energy, x)
        for one, other in zip(fast, plain, strict=True):
            error = float((one - other).norm() / (1 + other.norm()))
            demand(error < TOLERANCE, f"{type(energy).__name__} differs by {error:.2g} inside the block")
    demand(not layers_are_plain(), "it leaves torch's layers plain after the block")
    changed = [name for name, each in _functions().items() if each is not before[name]]
    for name in changed:  # what the part left there ends with its check
        setattr(nn.functional, name, before[name])
    demand(not changed, f"after the block torch.nn.functional has another {', '.join(changed)}")
    return ""


def _functions() -> dict[str, Any]:
    return {name: each for name, each in vars(nn.functional).items() if callable(each)}


def _losses(energy: nn.Module, x: Tensor) -> list[Tensor]:
    weights = [each for each in energy.parameters() if each.requires_grad]
    value = energy(x)
    found = torch.autograd.grad(value.sum(), weights, allow_unused=True) if weights else ()
    return [value.detach(), *(each for each in found if each is not None)]


def status(subject: BackendSubject) -> str:
    """``status()`` is one line of text."""
    said = _build(subject).status()
    demand(isinstance(said, str) and len(said.splitlines()) == 1, f"status() is {said!r}, not one line")
    return said


CHECKS = {
    "no-settings": no_settings,
    "gradient": gradient,
    "energy-untouched": energy_untouched,
    "layers": layers,
    "status": status,
}
