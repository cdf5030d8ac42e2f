r"""Parts that depend on a condition: of every condition one energy, one generator.

Samplers, gradient backends and posteriors know nothing of conditions: ``given`` makes the plain part that
they take.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar, final

import torch
from torch import Tensor, nn

from ebmkit.core.energy import Energy, EnergyFn
from ebmkit.core.generator import LatentGenerator

__all__ = [
    "ConditionalEnergy",
    "ConditionalGenerator",
    "classes_in_turn",
    "given",
    "of_rows",
    "takes_conditions",
]

PartT = TypeVar("PartT")


class ConditionalEnergy(Energy, ABC):
    r"""An energy of examples and their conditions, $p(x, c) \propto \exp(-E(x, c))$.

    As an energy of x alone it is the marginal one, where the conditions are classes:
    $E(x) = -\log \sum_c \exp(-E(x, c))$ (Grathwohl et al., 2020, arXiv 1912.03263). So whatever takes an
    energy takes this one too.

    Attributes:
        classes: how many there are, where a condition is the number of a class; None for other conditions.
    """

    classes: int | None = None

    @abstractmethod
    def conditional(self, x: Tensor, condition: Tensor) -> Tensor:
        """E(x, c) of each example with its own condition, ``(B, *S), (B, *K) -> (B,)``, nats."""

    @final
    def given(self, condition: Tensor) -> Energy:
        """The energy of x with this condition, which shares all weights.

        Args:
            condition: one for each example, ``(B, *K)``, or one for all of them, ``(1, *K)``.
        """
        return _GivenEnergy(self, condition)

    def forward(self, x: Tensor) -> Tensor:
        """The marginal energy of each example, ``(B, *S) -> (B,)``, nats.

        Raises:
            ValueError: the conditions are not classes, so that there is no sum over them.
        """
        if self.classes is None:
            raise ValueError(f"{type(self).__name__} needs a condition: given(condition)")
        rows = torch.full((self.classes, len(x)), 0, device=x.device)
        rows += torch.arange(self.classes, device=x.device)[:, None]
        return -torch.stack([-self.conditional(x, each) for each in rows]).logsumexp(0)


class ConditionalGenerator(LatentGenerator, ABC):
    r"""A generator of examples of a condition, $x = g(z, c) + \sigma \epsilon$.

    Attributes:
        classes: how many there are, where a condition is the number of a class; None for other conditions.
    """

    classes: int | None = None

    @abstractmethod
    def conditional(self, z: Tensor, condition: Tensor) -> Tensor:
        """g(z, c), each row with its own condition: ``(B, *latent_shape), (B, *K) -> (B, *S)``."""

    @final
    def given(self, condition: Tensor) -> LatentGenerator:
        """The generator of examples with this condition, which shares all weights.

        Args:
            condition: one for each example, ``(B, *K)``, or one for all of them, ``(1, *K)``.
        """
        return _GivenGenerator(self, condition)

    def forward(self, z: Tensor) -> Tensor:
        """Refuse: what is made of z alone has no law.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"{type(self).__name__} needs a condition for each of {len(z)} rows: given(condition)"
        )


@final
class _GivenEnergy(Energy):
    """E(x, c) of x alone."""

    condition: Tensor

    def __init__(self, energy: ConditionalEnergy, condition: Tensor) -> None:
        super().__init__()
        self.energy = energy
        self.register_buffer("condition", _beside(self, condition), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.energy.conditional(x, _one_for_each(self.condition, len(x)))

    def of_rows(self, rows: Tensor) -> Energy:
        return self if len(self.condition) == 1 else _GivenEnergy(self.energy, self.condition[rows])


@final
class _GivenGenerator(LatentGenerator):
    """g(z, c) of z alone."""

    condition: Tensor

    def __init__(self, generator: ConditionalGenerator, condition: Tensor) -> None:
        super().__init__()
        self.generator = generator
        self.latent_shape = generator.latent_shape
        self.noise_std = generator.noise_std
        self.register_buffer("condition", _beside(self, condition), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator.conditional(z, _one_for_each(self.condition, len(z)))


def given(part: PartT, condition: Tensor | None) -> PartT:
    """A part with a condition; one that takes none, and every part without a condition, as it is.

    So a schedule that calls this for each of its parts serves conditional ones and others alike.

    Args:
        part: an energy or a generator.
        condition: ``(B, *K)``, or ``(1, *K)`` for all rows; None for none.
    """
    if condition is None or not isinstance(part, ConditionalEnergy | ConditionalGenerator):
        return part
    return part.given(condition)  # type: ignore[return-value]


def of_rows(energy: EnergyFn, rows: Tensor) -> EnergyFn:
    """The energy of some rows of a batch alone, with their own conditions where each row has one.

    Args:
        energy: of the whole batch; ``given`` made it, or it is the same for all rows.
        rows: which, ``(b,)`` int64.
    """
    return energy.of_rows(rows) if isinstance(energy, _GivenEnergy) else energy


def takes_conditions(schedule: nn.Module) -> bool:
    """Whether a part of a schedule is a conditional one."""
    return any(isinstance(each, ConditionalEnergy | ConditionalGenerator) for each in schedule.children())


def classes_in_turn(classes: int, *, first: int, count: int) -> Tensor | None:
    """The classes of the rows ``first`` .. ``first + count`` - 1, all in turn, ``(count,)`` int64.

    Args:
        classes: how many there are; without any the answer is None.
        first: row.
        count: how many rows.
    """
    return torch.arange(first, first + count) % classes if classes else None


def _beside(part: nn.Module, condition: Tensor) -> Tensor:
    """The condition on the device of the part."""
    weight = next(part.parameters(), None)
    return condition.detach() if weight is None else condition.detach().to(weight.device)


def _one_for_each(condition: Tensor, count: int) -> Tensor:
    """A condition for each of ``count`` rows.

    Raises:
        ValueError: there are others than one or ``count``.
    """
    if condition.ndim == 0 or len(condition) not in (1, count):
        raise ValueError(
            f"conditions of shape {tuple(condition.shape)} for {count} rows: one for each, or one"
        )
    return condition.expand(count, *condition.shape[1:])
