r"""Energies made of energies: any sampler moves examples under them as under any other.

In probabilities: a sum of energies is a product of experts, E/T a tempered law, a mixture a sum of laws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple, final

import torch
from torch import Tensor, nn

from ebmkit.core.autograd import Gradient, ValueAndGradient
from ebmkit.core.energy import Energy, EnergyFn
from ebmkit.core.gradient import prepare
from ebmkit.core.rows import per_row
from ebmkit.messages.brief import brief
from ebmkit.parameters.ranges import Gt

__all__ = ["Mixture", "Negated", "Sum", "Tempered", "Weighted"]


class Weighted(NamedTuple):
    """An energy and its weight in a sum or mixture; in a run file the key ``weight`` of its table."""

    energy: EnergyFn
    weight: float = 1.0

    def __repr__(self) -> str:
        return brief(self)


@final
class Sum(Energy):
    r"""A product of experts, each to the power of its weight.

    $$E(x) = \sum_k w_k E_k(x), \qquad p(x) \propto \prod_k p_k(x)^{w_k}$$

    A negative weight takes an expert away ("and not"). Whether the result can be normalised is the
    caller's to see: a weight of -1 on the only energy that grows at infinity lets chains run away.

    In a run file each expert is a table ``[energy.parts.NAME]`` with ``use``, its own keys and
    ``weight``.

    Args:
        parts: the experts by name, at least one.

    Raises:
        ValueError: no part.

    Source: Hinton, "Training products of experts by minimizing contrastive divergence", 2002; Du, Li,
    Mordatch, "Compositional visual generation with energy based models", 2020, arXiv 2004.06030.

    Examples:
        >>> import torch
        >>> zero, two = (lambda x: x.square().sum(1) / 2), (lambda x: (x - 2).abs().sum(1))
        >>> Sum({"zero": Weighted(zero), "two": Weighted(two, 3.0)})(torch.tensor([[1.0]]))
        tensor([3.5000])
    """

    def __init__(self, parts: Mapping[str, Weighted]) -> None:
        super().__init__()
        self.energies = _modules(parts)
        self.weights = tuple(part.weight for part in parts.values())

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats, ``(B, *S) -> (B,)``."""
        return _weigh(self.weights, (energy(x) for energy in self.energies))

    def prepare(self, x: Tensor) -> Gradient:
        """The weighted sum of the parts' gradients, each by its own fastest way."""
        parts = [prepare(energy, x).value_and_gradient for energy in self.energies]

        def summed(x: Tensor) -> ValueAndGradient:
            values, gradients = zip(*(part(x) for part in parts), strict=True)
            return ValueAndGradient(_weigh(self.weights, values), _weigh(self.weights, gradients))

        return summed


@final
class Mixture(Energy):
    r"""A mixture: examples that are likely under any one of the parts ("or").

    $$E(x) = -\log \sum_k w_k\, e^{-E_k(x)}$$

    The share of part k is $w_k Z_k / \sum_j w_j Z_j$, not $w_k$ alone: learned energies are known up to a
    constant each, and these constants decide. Where one part's law is far from the others', chains
    rarely cross: see parallel tempering.

    In a run file each part is a table ``[energy.parts.NAME]`` with ``use``, its own keys and ``weight``.

    Args:
        parts: by name, at least one; weights > 0.

    Raises:
        ValueError: no part, or a weight that is not positive.

    Source: Du, Li, Mordatch, "Compositional visual generation with energy based models", 2020,
    arXiv 2004.06030 (disjunction).
    """

    def __init__(self, parts: Mapping[str, Weighted]) -> None:
        super().__init__()
        self.energies = _modules(parts)
        for name, part in parts.items():
            if not part.weight > 0:
                raise ValueError(f"the weights of a mixture are > 0, but {name!r} has {part.weight!r}")
        self.log_weights = tuple(math.log(part.weight) for part in parts.values())

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats, ``(B, *S) -> (B,)``."""
        return -torch.logsumexp(self._scores([energy(x) for energy in self.energies]), 0)

    def prepare(self, x: Tensor) -> Gradient:
        """The parts' gradients weighted by how much of the density at x each part is."""
        parts = [prepare(energy, x).value_and_gradient for energy in self.energies]

        def mixed(x: Tensor) -> ValueAndGradient:
            values, gradients = zip(*(part(x) for part in parts), strict=True)
            scores = self._scores(list(values))
            shares = scores.softmax(0).to(x.dtype)
            weights = (per_row(share, x) for share in shares)
            return ValueAndGradient(-torch.logsumexp(scores, 0), _weigh(weights, gradients))

        return mixed

    def _scores(self, values: list[Tensor]) -> Tensor:
        """Log w_k - E_k, ``(K, B)``."""
        return torch.stack([log - value for log, value in zip(self.log_weights, values, strict=True)])


@final
class Tempered(Energy):
    r"""The energy at another temperature: E(x) / T.

    That is $p(x)^{1/T}$: T > 1 flattens, T < 1 sharpens. In a run file the energy is the table
    ``[energy.part]``.

    Args:
        part: the energy at T = 1.
        temperature: T > 0, no unit.

    Raises:
        ValueError: T is not positive.
    """

    def __init__(self, part: EnergyFn, *, temperature: Annotated[float, Gt(0)]) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature!r}")
        self.part = part
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        """E(x) / T in nats, ``(B, *S) -> (B,)``."""
        return 1 / self.temperature * self.part(x)

    def prepare(self, x: Tensor) -> Gradient:
        """The part's gradient over T."""
        return _scaled(self.part, x, 1 / self.temperature)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check energies/tempered`` builds."""
        return {"temperature": 2.0}


@final
class Negated(Energy):
    """-E(x): likely where the part is not.

    Alone it is rarely a law, because most energies grow at infinity; in a ``sum`` it takes a part away.
    In a run file the energy is the table ``[energy.part]``.

    Args:
        part: the energy.
    """

    def __init__(self, part: EnergyFn) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """-E(x) in nats, ``(B, *S) -> (B,)``."""
        return -self.part(x)

    def prepare(self, x: Tensor) -> Gradient:
        """Minus the part's gradient."""
        return _scaled(self.part, x, -1.0)


@final
class _Function(Energy):
    """A plain callable among modules."""

    def __init__(self, function: EnergyFn) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _modules(parts: Mapping[str, Weighted]) -> nn.ModuleList:
    if not parts:
        raise ValueError("it needs at least one part")
    energies = (part.energy for part in parts.values())
    return nn.ModuleList(each if isinstance(each, nn.Module) else _Function(each) for each in energies)


def _weigh(weights: Iterable[float | Tensor], terms: Iterable[Tensor]) -> Tensor:
    first, *others = (weight * term for weight, term in zip(weights, terms, strict=True))
    return sum(others, start=first)


def _scaled(part: EnergyFn, x: Tensor, factor: float) -> Gradient:
    """Value and gradient of factor * part."""
    whole = prepare(part, x).value_and_gradient

    def scaled(x: Tensor) -> ValueAndGradient:
        value, gradient = whole(x)
        return ValueAndGradient(factor * value, factor * gradient)

    return scaled
