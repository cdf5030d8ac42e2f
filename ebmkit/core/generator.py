r"""The latent generator: a top-down map from latent factors to examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from ebmkit.core.energy import Energy
from ebmkit.core.losses import squared_error
from ebmkit.core.rng import Rng
from ebmkit.core.rows import as_rows
from ebmkit.parameters.ranges import Checked

__all__ = ["LatentGenerator", "Posterior"]


class LatentGenerator(Checked, nn.Module, ABC):
    r"""Non-linear factor analysis: $z \sim N(0, I)$, $x = g(z) + \sigma \epsilon$.

    Attributes:
        latent_shape: shape of one z, ``(100,)`` or ``(1, 7, 7)`` for spatial latents.
        noise_std: σ of $p(x | z) = N(g(z), \sigma^2 I)$, in the units of x, > 0.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408; Han, Lu, Zhu, Wu, 2016, arXiv 1606.08571.
    """

    latent_shape: tuple[int, ...]
    noise_std: float

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """g(z), the mean of p(x | z): ``(B, *latent_shape) -> (B, *S)``."""

    @final
    def prior(self, count: int, *, rng: Rng) -> Tensor:
        """``count`` latents from N(0, I), ``(count, *latent_shape)``, on the generator's device."""
        parameter = next(self.parameters(), torch.empty(0))
        shape = (count, *self.latent_shape)
        return rng.normal(torch.empty(shape, dtype=parameter.dtype, device=parameter.device))

    @final
    def posterior(self, x: Tensor, *, mask: Tensor | None = None) -> Posterior:
        """The energy of the latents of ``x``; any sampler of examples samples it too."""
        return Posterior(self, x, mask=mask)


@final
class Posterior(Energy):
    r"""The latents' posterior given x, as an energy over z up to a constant.

    $$E(z | x) = \frac{\|m \odot (x - g(z))\|^2}{2 \sigma^2} + \frac{\|z\|^2}{2}$$

    A Langevin step on it is the paper's Step G1 (arXiv 1609.09408). The mask m is 1 on
    observed pixels and 0 on hidden ones.

    Args:
        generator: g and σ.
        x: the examples to explain, ``(B, *S)``.
        mask: observed pixels, broadcastable to ``(B, *S)``; all of them by default.
    """

    x: Tensor
    mask: Tensor | None

    def __init__(self, generator: LatentGenerator, x: Tensor, *, mask: Tensor | None = None) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("x", x.detach(), persistent=False)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """E(z | x) in nats, ``(B, *latent_shape) -> (B,)``."""
        error = squared_error(self.x, self.generator(z), mask=self.mask)
        return error / (2 * self.generator.noise_std**2) + as_rows(z).square().sum(1) / 2
