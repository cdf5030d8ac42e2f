"""Laws with exact draws, and the map that turns them into independent standard normals."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Rng, as_rows
from ebmkit.messages.brief import brief

__all__ = ["Banana", "Funnel", "Gaussian", "LogExponential", "Mixture", "Target"]


class Target(ABC):
    """A law $exp(-E) / Z$ of positions ``(n, d)``."""

    @abstractmethod
    def energy(self, x: Tensor) -> Tensor:
        """E(x), ``(n, *S) -> (n,)``."""

    @abstractmethod
    def draw(self, count: int, rng: Rng) -> Tensor:
        """Exact draws, ``(count, 2)`` float64."""

    @abstractmethod
    def to_normal(self, x: Tensor) -> Tensor:
        """Rosenblatt's map: draws become independent N(0, 1) numbers, ``(n, 2) -> (n, 2)``."""


@final
@attrs.frozen(eq=False)
class Gaussian:
    r"""N(mean, covariance) on positions of any shape, flattened: $E = (x - m)^T P (x - m) / 2$.

    Attributes:
        mean: ``(d,)`` float64.
        covariance: ``(d, d)`` float64.
        shape: of one position, d numbers.
        dtype: of the positions.
        precision: P, the inverse of the covariance.
    """

    mean: Tensor
    covariance: Tensor
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float64
    precision: Tensor = attrs.field(init=False)

    def __repr__(self) -> str:
        return brief(self)

    @precision.default
    def _inverse(self) -> Tensor:
        return self.covariance.inverse()

    def energy(self, x: Tensor) -> Tensor:
        """E(x), ``(n, *shape) -> (n,)``."""
        offset = as_rows(x) - self.mean.to(x)
        weighted = (offset @ self.precision.to(x)) * offset
        return weighted @ weighted.new_full((len(self.mean),), 0.5)  # a sum over few columns is slower

    def start(self, count: int) -> Tensor:
        """Three standard deviations away from the mean in every coordinate, ``(count, *shape)``."""
        far = self.mean + 3 * self.covariance.diagonal().sqrt()
        return far.to(self.dtype).expand(count, -1).reshape(count, *self.shape).clone()


def _normal(count: int, rng: Rng) -> Tensor:
    return rng.normal(torch.empty(count, 2, dtype=torch.float64))


@final
class LogExponential(Target):
    """Logarithms of exponential numbers: E = Σ e^x - x. Asymmetric, so that wrong signs show."""

    def energy(self, x: Tensor) -> Tensor:
        """``(n, 2) -> (n,)``."""
        return (x.exp() - x).sum(1)

    def draw(self, count: int, rng: Rng) -> Tensor:
        """By inversion."""
        return (-rng.uniform(torch.empty(count, 2, dtype=torch.float64)).log()).log()

    def to_normal(self, x: Tensor) -> Tensor:
        """Each tail from its own side, where it keeps its digits."""
        below, above = -torch.expm1(-x.exp()), (-x.exp()).exp()
        near = below < above
        return torch.where(near, torch.special.ndtri(below), -torch.special.ndtri(above))


@final
class Mixture(Target):
    """Two Gaussians of unequal weight in the first coordinate, N(0, 1) in the second.

    Args:
        distance: of the modes from 0.
        std: of both modes.
    """

    WEIGHTS = (0.3, 0.7)

    def __init__(self, distance: float = 1.2, std: float = 0.7) -> None:
        self.distance = distance
        self.std = std

    def energy(self, x: Tensor) -> Tensor:
        """``(n, 2) -> (n,)``."""
        logs = [
            math.log(weight) - (x[:, 0] - centre).square() / (2 * self.std**2)
            for weight, centre in zip(self.WEIGHTS, (-self.distance, self.distance), strict=True)
        ]
        return x[:, 1].square() / 2 - torch.logaddexp(*logs)

    def draw(self, count: int, rng: Rng) -> Tensor:
        """Choose a mode, then a place in it."""
        x = _normal(count, rng)
        left = rng.uniform(x[:, 0]) < self.WEIGHTS[0]
        x[:, 0] = self.std * x[:, 0] + torch.where(left, -self.distance, self.distance)
        return x

    def to_normal(self, x: Tensor) -> Tensor:
        """The first coordinate by its distribution function."""
        places = [(x[:, 0] - centre) / self.std for centre in (-self.distance, self.distance)]
        below, above = (
            sum(w * torch.special.ndtr(sign * at) for w, at in zip(self.WEIGHTS, places, strict=True))
            for sign in (1, -1)
        )
        ndtri = torch.special.ndtri
        first = torch.where(below < above, ndtri(below), -ndtri(above))
        return torch.stack([first, x[:, 1]], 1)


@final
class Banana(Target):
    """A bent Gaussian: x0 ~ N(0, 1), x1 ~ N(BEND (x0² - 1), STD²)."""

    BEND, STD = 0.5, 0.7

    def energy(self, x: Tensor) -> Tensor:
        """``(n, 2) -> (n,)``."""
        return self.to_normal(x).square().sum(1) / 2

    def draw(self, count: int, rng: Rng) -> Tensor:
        """Bend normal numbers."""
        x = _normal(count, rng)
        x[:, 1] = self.STD * x[:, 1] + self.BEND * (x[:, 0].square() - 1)
        return x

    def to_normal(self, x: Tensor) -> Tensor:
        """Straighten them."""
        return torch.stack([x[:, 0], (x[:, 1] - self.BEND * (x[:, 0].square() - 1)) / self.STD], 1)


@final
class Funnel(Target):
    """Neal's funnel in two dimensions, narrowed: x0 ~ N(0, 1), x1 ~ N(0, e^x0)."""

    def energy(self, x: Tensor) -> Tensor:
        """``(n, 2) -> (n,)``."""
        return x[:, 0].square() / 2 + x[:, 1].square() * (-x[:, 0]).exp() / 2 + x[:, 0] / 2

    def draw(self, count: int, rng: Rng) -> Tensor:
        """Widen normal numbers."""
        x = _normal(count, rng)
        x[:, 1] *= (x[:, 0] / 2).exp()
        return x

    def to_normal(self, x: Tensor) -> Tensor:
        """Narrow them again."""
        return torch.stack([x[:, 0], x[:, 1] * (-x[:, 0] / 2).exp()], 1)
