"""Small parts to build others with, and the building itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.config import signature_of
from ebmkit.core import Chain, ConditionalGenerator, Energy, LatentGenerator, Weighted, as_rows
from ebmkit.parameters.signature import PartSlot
from ebmkit.registry.kinds import kind_of_slot
from ebmkit.testing.euler import Euler
from ebmkit.testing.report import CheckFailedError
from ebmkit.testing.subject import Subject

__all__ = ["EXAMPLES", "OTHER_SHAPES", "TinyEnergy", "TinyGenerator", "build_part"]

EXAMPLES = 12
"""How many examples there are in the data that schedules are checked with."""

OTHER_SHAPES = ((), (6,), (2, 16), (3, 16, 16), (2, 3, 8, 8))
"""Of an example: a number, a vector, a sequence, an image of colours, a video."""

_HIDDEN = 4
_CLASSES = 3


class TinyEnergy(Energy):
    """E(x) = |x|²/2 - Σ tanh(W x): a smooth descriptor of any shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layer = nn.Linear(math.prod(shape), _HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, *S) -> (B,)``."""
        rows = as_rows(x)
        energy: Tensor = rows.square().sum(1) / 2 - self.layer(rows).tanh().sum(1)
        return energy


class TinyGenerator(LatentGenerator):
    """g(z) = tanh(W z + b) in any shape, three latents, σ = 0.5."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_shape = (3,)
        self.noise_std = 0.5
        self.shape = shape
        self.layer = nn.Linear(3, math.prod(shape))

    def forward(self, z: Tensor) -> Tensor:
        """``(B, 3) -> (B, *S)``."""
        x: Tensor = self.layer(z).tanh()
        return x.reshape(len(z), *self.shape)


def build_part(subject: Subject[Any], shape: tuple[int, ...], *, seed: int = 0) -> Any:
    """The component with its claimed settings and the small parts that it asks for, by name or by kind.

    Initial weights come from ``seed``; torch's global generator is given back.

    Raises:
        CheckFailedError: it needs an unknown part.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        known = _known(shape)
        slots = signature_of(subject.component).parts
        for slot in slots:
            if slot.required and (slot.many or slot.name not in known) and (kind := kind_of_slot(slot)):
                known[slot.name] = _by_kind(subject, slot, kind.name, shape)
        unknown = [slot.name for slot in slots if slot.required and slot.name not in known]
        if unknown:
            raise CheckFailedError(
                f"nobody hands in a part called {', '.join(unknown)}; there are {', '.join(known)}"
            )
        given = {slot.name: known[slot.name] for slot in slots if slot.name in known}
        built = subject.component(**given, **subject.claims.settings)
        if isinstance(built, ConditionalGenerator):
            return built.given(torch.zeros(1, dtype=torch.int64))
        return built


def _known(shape: tuple[int, ...]) -> dict[str, Any]:
    """The parts that components ask for by name."""
    return {
        "shape": shape,
        "examples": EXAMPLES,
        "classes": _CLASSES,
        "energy": TinyEnergy(shape),
        "generator": TinyGenerator(shape),
        "revision": Chain(Euler(step_size=0.1), 3),
        "inference": Chain(Euler(step_size=0.1), 2),
        "part": TinyEnergy(shape),
        "parts": {name: Weighted(TinyEnergy(shape), 0.5) for name in ("one", "other")},
        "trained": lambda _: TinyEnergy(shape),
    }


def _by_kind(subject: Subject[Any], slot: PartSlot, kind: str, shape: tuple[int, ...]) -> Any:
    """What fits a slot of a schedule's own, or several of it, each of the shape that the schedule says."""
    names = subject.claims.parts.get(slot.name, ("one", "other")) if slot.many else ()
    full = [f"{slot.name}.{name}" for name in names] or [slot.name]
    shapes = subject.component.shapes(shape, full)  # type: ignore[attr-defined]
    made = [_SMALL[kind](shapes.get(name, shape)) for name in full]
    return dict(zip(names, made, strict=True)) if slot.many else made[0]


_SMALL: Mapping[str, Callable[[tuple[int, ...]], Any]] = {
    "energy": TinyEnergy,
    "generator": TinyGenerator,
    "sampler": lambda _: Chain(Euler(step_size=0.1), 3),
}
