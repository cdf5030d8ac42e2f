r"""The way from a Gaussian to an energy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import attrs
import torch
from torch import Tensor

from ebmkit.core.autograd import Gradient, ValueAndGradient
from ebmkit.core.backends import fast_layers
from ebmkit.core.energy import Energy, EnergyFn
from ebmkit.core.gradient import prepare
from ebmkit.core.modes import evaluating
from ebmkit.core.reference import reference_std, std_of_coordinates
from ebmkit.core.rng import Rng
from ebmkit.core.rows import as_rows
from ebmkit.messages.brief import brief

__all__ = ["Bridge", "Reference", "excess", "in_use"]

_NARROWEST = 0.01
"""Of the spread of all coordinates: one that never varies in the data has no density."""


@final
@attrs.frozen(eq=False)
class Reference:
    r"""A Gaussian with independent coordinates, $E_0(x) = \sum_j (x_j - \mu_j)^2 / 2 \sigma_j^2$.

    Its constant is exact, $\log Z_0 = \frac{D}{2} \log 2\pi + \sum_j \log \sigma_j$, and so are its draws.
    All is summed in float64.

    Attributes:
        mean: μ, ``(*S)`` float64, in the units of x.
        std: σ, ``(*S)`` float64, > 0.

    Examples:
        >>> Reference.isotropic(2.0, torch.zeros(3)).log_z  # 3/2 log 2π + 3 log 2
        4.836257...
    """

    mean: Tensor
    std: Tensor

    def __repr__(self) -> str:
        return brief(self)

    @classmethod
    def isotropic(cls, std: float, like: Tensor) -> Reference:
        """N(0, std² I) on examples of the shape and device of ``like``, ``(*S)``."""
        zero = torch.zeros_like(like, dtype=torch.float64)
        return cls(zero, zero + std)

    @classmethod
    def of(cls, energy: object, like: Tensor) -> Reference | None:
        r"""The Gaussian that a descriptor tilts, $E(x) = \|x\|^2 / 2 s^2 - f(x)$; None where s is not finite.

        With it the energies between are $\|x\|^2 / 2 s^2 - \beta f(x)$.

        Args:
            energy: its attribute ``reference_std`` is s, of all coordinates or of each.
            like: one example, ``(*S)``.

        Raises:
            PluginError: s has a shape that examples do not broadcast with.
        """
        std = reference_std(energy)
        if std is None:
            return None
        return cls(torch.zeros_like(like, dtype=torch.float64), std_of_coordinates(std, like))

    @classmethod
    def fitted(cls, x: Tensor) -> Reference:
        """The Gaussian with the mean and spread of each coordinate of these examples, ``(n, *S)``.

        No spread is less than a hundredth of the root mean square of all: coordinates that stand still in a
        few examples have a density all the same.

        Raises:
            ValueError: fewer than two examples, or all are the same.
        """
        x = x.detach().double()
        overall = float(x.var(0).mean().sqrt()) if len(x) > 1 else 0.0
        if not overall > 0:
            raise ValueError(
                f"a Gaussian is fitted to two different examples at least, not to these {len(x)}"
            )
        return cls(x.mean(0), x.std(0).clamp(min=_NARROWEST * overall))

    @property
    def log_z(self) -> float:
        """The logarithm of its normalising constant."""
        return self.std.numel() / 2 * math.log(2 * math.pi) + float(self.std.log().sum())

    def energy(self, x: Tensor) -> Tensor:
        """E₀(x) in nats and float64, ``(B, *S) -> (B,)``."""
        return as_rows((x.double() - self.mean) / self.std).square().sum(1) / 2

    def gradient(self, x: Tensor) -> Tensor:
        """Of E₀, ``(B, *S)`` in the precision of x."""
        return ((x.double() - self.mean) / self.std.square()).to(x.dtype)

    def draw(self, count: int, *, rng: Rng, dtype: torch.dtype = torch.float32) -> Tensor:
        """Exact draws, ``(count, *S)``: row i is that of chain ``rng.first_chain`` + i."""
        noise = rng.normal(self.mean.new_empty(count, *self.mean.shape, dtype=dtype))
        return (self.mean + self.std * noise.double()).to(dtype)


@final
class Bridge(Energy):
    r"""An energy between the Gaussian and the one that is asked about.

    $$E_\beta(x) = (1 - \beta) E_0(x) + \beta E(x)$$

    Args:
        reference: E₀.
        energy: E.
        beta: β in (0, 1].
    """

    def __init__(self, reference: Reference, energy: EnergyFn, beta: float) -> None:
        super().__init__()
        self.reference = reference
        self.energy = energy
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        """``(B, *S) -> (B,)``, nats, float64."""
        return self._between(self.reference.energy(x), self.energy(x).double())

    def prepare(self, x: Tensor) -> Gradient:
        """The gradients of both, weighted likewise."""
        whole = prepare(self.energy, x).value_and_gradient

        def between(x: Tensor) -> ValueAndGradient:
            value, gradient = whole(x)
            return ValueAndGradient(
                self._between(self.reference.energy(x), value.double()),
                self._between(self.reference.gradient(x), gradient),
            )

        return between

    def _between(self, start: Tensor, end: Tensor) -> Tensor:
        return (1 - self.beta) * start + self.beta * end


@contextmanager
def in_use(energy: EnergyFn) -> Iterator[None]:
    """Evaluate an energy as chains do: eval mode, no graph, no autocast, fast layers."""
    with torch.no_grad(), evaluating(energy), fast_layers(energy):
        yield


def excess(reference: Reference, energy: EnergyFn, x: Tensor) -> Tensor:
    """E(x) - E₀(x), ``(B,)`` float64: what a chain pays for a step of β."""
    return energy(x).double() - reference.energy(x)
