r"""The encoder: a bottom-up map from examples to the law of their latents."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmkit.core.rng import Rng
from ebmkit.core.rows import as_rows
from ebmkit.messages.brief import brief

__all__ = ["Encoder", "Gaussian"]


class Gaussian(NamedTuple):
    r"""A normal law with independent coordinates for each row, $q(z) = N(\mu, \mathrm{diag}(s^2))$.

    Attributes:
        mean: μ, ``(B, *L)`` for latents of shape L, such as ``(B, d)``.
        log_std: log s, of the same shape.
    """

    mean: Tensor
    log_std: Tensor

    def __repr__(self) -> str:
        return brief(self)

    def sample(self, *, rng: Rng) -> Tensor:
        r"""One z of each row, $z = \mu + s \epsilon$ with $\epsilon \sim N(0, I)$, ``(B, *L)``.

        Reparametrised: gradients reach μ and log s (Kingma, Welling, 2014, arXiv 1312.6114).
        """
        return self.mean + self.log_std.exp() * rng.normal(self.mean)

    def log_prob(self, z: Tensor) -> Tensor:
        r"""The log density of each row, ``(B, *L) -> (B,)``, in nats.

        $$\log q(z) = -\sum_j \left( \frac{(z_j - \mu_j)^2}{2 s_j^2} + \log s_j + \frac12 \log 2\pi \right)$$
        """
        standard = (z - self.mean) * (-self.log_std).exp()
        terms = standard.square() / 2 + self.log_std + math.log(2 * math.pi) / 2
        return -as_rows(terms).sum(1)

    def kl(self) -> Tensor:
        r"""The divergence of each row from the standard normal law, ``(B,)``, in nats, >= 0.

        $$KL(q \,\|\, N(0, I)) = \frac12 \sum_j \left( \mu_j^2 + s_j^2 - 1 - 2 \log s_j \right)$$
        """
        # expm1 keeps the digits that s^2 - 1 loses where q is nearly the prior.
        terms = self.mean.square() + torch.expm1(2 * self.log_std) - 2 * self.log_std
        return as_rows(terms).sum(1) / 2


class Encoder(nn.Module, ABC):
    r"""Amortised inference: $q(z | x) = N(\mu(x), \mathrm{diag}(s(x)^2))$, the paper's recognizer.

    One pass stands for what a chain on a generator's posterior finds step by step; a schedule may start that
    chain from it.

    Source: Kingma, Welling, 2014, arXiv 1312.6114; named as an alternative to Langevin inference in Xie, Lu,
    Gao, Zhu, Wu, 2016, arXiv 1609.09408.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> Gaussian:
        """The law of the latents of each example, ``(B, *S) -> (B, *L)`` twice, L the generator's latents."""
