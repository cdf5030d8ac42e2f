r"""The learning objectives of cooperative training, each a mean over the batch in nats.

Where several processes train one model, each gets its part: the average of the parts is the mean over all
rows, and the trainer averages.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ebmkit.core.distributed import gather, shared_mean
from ebmkit.core.rows import as_rows

__all__ = [
    "contrastive_divergence",
    "gradient_penalty",
    "pairwise_contrast",
    "reconstruction_loss",
    "squared_error",
]


def contrastive_divergence(observed: Tensor, samples: Tensor) -> Tensor:
    r"""Minus the stochastic log-likelihood whose gradient is the paper's Step D2 (density shifting).

    $$L = \frac{1}{n} \sum_i E(x_i) - \frac{1}{m} \sum_j E(\tilde{x}_j), \qquad
    \nabla_W L = -\nabla_W \log p(x) \text{ in expectation}$$

    n and m are independent of each other. Descending it lowers the energy of data and raises
    that of samples.

    Args:
        observed: energies of data, ``(n,)``, nats.
        samples: energies of revised samples, ``(m,)``, nats. The samples carry no graph.

    Returns:
        a 0-dim tensor, nats.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, Step D2.

    Examples:
        >>> import torch
        >>> contrastive_divergence(torch.tensor([1.0, 3.0]), torch.tensor([5.0]))
        tensor(-3.)
    """
    return shared_mean(observed) - shared_mean(samples)


def pairwise_contrast(observed: Tensor, samples: Tensor, *, width: float) -> Tensor:
    r"""How badly the energy tells examples from samples, over all pairs of them.

    $$L = \frac{T}{nm} \sum_{ij} \log\left(1 + e^{g_{ij} / T}\right), \qquad
    g_{ij} = E(x_i) - E(\tilde x_j), \qquad
    T = w \sqrt{\operatorname{Var} E(x) + \operatorname{Var} E(\tilde x)}$$

    T, a constant to the gradient, is w standard deviations of the gaps, so the loss scales with the energy. A
    pair weighs $\sigma(g_{ij} / T)$: little where the example lies deep enough below the sample, so that what
    is told apart drives the energy no further. For large w the gradient becomes half of that of
    ``contrastive_divergence``. Otherwise it is not the likelihood's: where samples have the law of the data
    it draws their energies together.

    Args:
        observed: energies of data, ``(n,)``, nats.
        samples: energies of revised samples, ``(m,)``, nats. The samples carry no graph.
        width: w > 0.

    Returns:
        a 0-dim tensor, nats.

    Source: Jolicoeur-Martineau, 2018, arXiv 1807.00734, and Huang, Gokaslan, Kuleshov, Tompkin, 2025, arXiv
    2501.05441 (pairs of images and samples, for critics; the latter beside penalties on both gradients);
    Ceylan, Gutmann, 2018, arXiv 1806.03664 (for energies, of data and their noisy copies). T by the spread
    of the gaps is ours.

    Examples:
        >>> import torch
        >>> pairwise_contrast(torch.tensor([-9.0, -7.0]), torch.tensor([9.0, 7.0]), width=1e-3)
        tensor(0.)
    """
    with torch.no_grad():
        of_data, of_samples = gather(observed), gather(samples)
        variance = of_data.var(correction=0) + of_samples.var(correction=0)
        spread = (width * variance.sqrt()).clamp_min(torch.finfo(variance.dtype).tiny)
        of_pairs = (of_data[:, None] - of_samples) / spread
        value = spread * softplus(of_pairs).mean()
        weights = ((observed[:, None] - of_samples) / spread).sigmoid().mean(1)
        of_rows = ((of_data[:, None] - samples) / spread).sigmoid().mean(0)
    loss = shared_mean(weights * observed) - shared_mean(of_rows * samples)
    return loss + (value - loss.detach())


def gradient_penalty(energies: Tensor, x: Tensor) -> Tensor:
    r"""What keeps an energy from becoming ever steeper where the data are, R1 in the language of GANs.

    $$R = \frac{1}{2n} \sum_i \|\nabla_x E(x_i)\|^2$$

    With the factor γ = δ² it is what one step of Langevin dynamics, δ²/2 ∇E, would win on the data, to first
    order: short chains from a generator that lags behind ask for ever larger steps, which this makes dear.

    Args:
        energies: E(x), ``(n,)`` nats, with their graph.
        x: where they were taken, ``(n, *S)``, a leaf that requires a gradient.

    Returns:
        a 0-dim tensor, in nats squared over the units of x squared, with its graph; its own gradient takes
        second derivatives of the energy.

    Raises:
        RuntimeError: energies without a graph to x.

    Source: Mescheder, Geiger, Nowozin, 2018, arXiv 1801.04406 (R1, on a discriminator).
    """
    (slopes,) = torch.autograd.grad(energies.sum(), x, create_graph=True)
    return shared_mean(as_rows(slopes).square().sum(1)) / 2


def squared_error(x: Tensor, y: Tensor, *, mask: Tensor | None = None) -> Tensor:
    r"""$\|m \odot (x - y)\|^2$ of each example, ``(B, *S), (B, *S) -> (B,)``, in units of x squared."""
    difference = x - y if mask is None else mask * (x - y)
    return as_rows(difference).square().sum(1)


def reconstruction_loss(
    x: Tensor, reconstructed: Tensor, *, noise_std: float, mask: Tensor | None = None
) -> Tensor:
    r"""Minus the complete-data log-likelihood of the generator, the paper's Step G2, up to a constant.

    $$L = \frac{1}{B} \sum_i \frac{\|m_i \odot (x_i - g(z_i))\|^2}{2 \sigma^2}$$

    Args:
        x: what g(z) should give, ``(B, *S)``, no graph.
        reconstructed: g(z), ``(B, *S)``.
        noise_std: σ > 0, in the units of x.
        mask: 1 on observed pixels, 0 on hidden ones; all observed by default.

    Returns:
        a 0-dim tensor, nats.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, Step G2.
    """
    return shared_mean(squared_error(x, reconstructed, mask=mask)) / (2 * noise_std**2)
