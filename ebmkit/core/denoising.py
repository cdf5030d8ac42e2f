"""An energy as a denoiser: what it makes of noisy data, and how it learns from that."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ebmkit.core.distributed import shared_mean
from ebmkit.core.energy import EnergyFn
from ebmkit.core.gradient import value_and_gradient
from ebmkit.core.modes import evaluating
from ebmkit.core.rows import as_rows, per_row
from ebmkit.messages.brief import brief

__all__ = ["ScoreMatch", "denoised", "score_matching"]


class ScoreMatch(NamedTuple):
    r"""What an energy makes of noisy data.

    Attributes:
        loss: 0-dim, with its graph; half the squared error of the noise in units of its level, summed over an
            example and averaged over examples.
        noisy: the data with the noise, ``(n, *S)``, detached.
        denoised: $x - \sigma^2 \nabla E(x)$ of the noisy data, ``(n, *S)``, detached.
    """

    loss: Tensor
    noisy: Tensor
    denoised: Tensor

    def __repr__(self) -> str:
        return brief(self)


def score_matching(
    energy: EnergyFn, x: Tensor, noise: Tensor, *, levels: Tensor, noise_std: float
) -> ScoreMatch:
    r"""Denoising score matching at one level of noise or at several.

    $$L = \frac{1}{2n} \sum_i \Big\| \frac{\sigma^2}{\sigma_i} \nabla E(x_i + \sigma_i \epsilon_i)
    - \epsilon_i \Big\|^2$$

    With all $\sigma_i = \sigma$ this is σ² times the Fisher divergence of exp(-E) from the data blurred by
    N(0, σ² I), up to a constant; at its minimum exp(-E) is that density.

    Args:
        energy: that learns, differentiable twice.
        x: the data, ``(n, *S)``.
        noise: ε, standard normal, ``(n, *S)``.
        levels: σ_i > 0 of each example, ``(n,)``, in the units of x.
        noise_std: σ > 0, in the units of x.

    Source: Vincent, 2011; Li, Chen, Sommer, 2019, arXiv 1910.07762 (several levels).

    Examples:
        >>> import torch
        >>> x, noise = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
        >>> learned = score_matching(lambda x: (x**2).sum(1), x, noise, levels=torch.ones(1), noise_std=1.0)
        >>> float(learned.loss.detach()), learned.denoised
        (12.5, tensor([[-3., -4.]]))
    """
    noisy = (x.detach() + per_row(levels, x) * noise).requires_grad_()
    (slopes,) = torch.autograd.grad(energy(noisy).sum(), noisy, create_graph=True)
    errors = as_rows(noise_std**2 / per_row(levels, x) * slopes - noise)
    loss, noisy = shared_mean(errors.square().sum(1)) / 2, noisy.detach()
    return ScoreMatch(loss, noisy, noisy - noise_std**2 * slopes.detach())


@torch.no_grad()
def denoised(energy: EnergyFn, x: Tensor, *, noise_std: float) -> Tensor:
    r"""The mean of the data given noisy ones, $x - \sigma^2 \nabla E(x)$, ``(B, *S) -> (B, *S)``.

    Exact where exp(-E) is the density of the data blurred by N(0, σ² I) (Tweedie's formula, after Robbins,
    1956); an energy that learned by ``score_matching`` at several levels removes noise of each of them by it.

    Args:
        energy: a module is evaluated in eval mode.
        x: noisy data, in the units of x.
        noise_std: σ, that the energy was learned with.
    """
    with evaluating(energy):
        return x - noise_std**2 * value_and_gradient(energy, x).gradient
