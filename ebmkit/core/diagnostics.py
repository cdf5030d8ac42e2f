r"""Whether chains have mixed, and what their draws are worth: R-hat and effective sample sizes.

Everything takes draws of one number, ``(chains, draws)``, and ranks them first, so that heavy tails and
infinite variances do no harm.

Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner, "Rank-normalization, folding, and localization: an
improved R-hat for assessing convergence of MCMC", 2021, arXiv 1903.08008; Geyer, 1992 (the truncated sum).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["bulk_ess", "r_hat", "tail_ess"]

_LEAST = 4
"""Draws of each half chain below which nothing can be said."""


def r_hat(draws: Tensor) -> float:
    r"""Rank-normalised split R-hat: 1 when the chains are alike in place and in spread.

    The square root of the pooled variance over the variance within half chains, of the ranks made normal,
    and of those of $|x - \mathrm{median}|$; the larger of the two. Above 1.01 the chains have not
    mixed. Infinite where every chain stands still at another place, NaN where all stand still at one.

    Args:
        draws: ``(chains, draws)``, at least 8 draws.

    Raises:
        ValueError: another shape, or too few draws.

    Examples:
        >>> draws = torch.arange(400.0).remainder(7).view(4, 100)
        >>> r_hat(draws + 100 * torch.arange(4.0)[:, None]) > 1.5
        True
    """
    halves = _split(draws)
    folded = (halves - halves.flatten().quantile(0.5)).abs()
    plain, fold = (_r_hat(_rank_normalised(each)) for each in (halves, folded))
    return fold if math.isnan(plain) else max(plain, fold) if not math.isnan(fold) else plain


def bulk_ess(draws: Tensor) -> float:
    """How many independent draws would tell the centre of the law as well, of ranks made normal.

    Args:
        draws: ``(chains, draws)``, at least 8 draws.

    Raises:
        ValueError: another shape, or too few draws.
    """
    return _ess(_rank_normalised(_split(draws)))


def tail_ess(draws: Tensor) -> float:
    """The same for the 5 % and 95 % quantiles: the smaller of the two.

    Args:
        draws: ``(chains, draws)``, at least 8 draws.

    Raises:
        ValueError: another shape, or too few draws.
    """
    halves = _split(draws)
    quantiles = torch.quantile(draws.double().flatten(), torch.tensor([0.05, 0.95], dtype=torch.float64))
    return min(_ess((halves <= quantile).double()) for quantile in quantiles)


def _split(draws: Tensor) -> Tensor:
    """Half chains in float64 on the CPU, ``(2 chains, draws / 2)``; a middle draw is left out."""
    if draws.ndim != 2:  # noqa: PLR2004
        raise ValueError(f"draws have shape (chains, draws), not {tuple(draws.shape)}")
    half = draws.shape[1] // 2
    if half < _LEAST:
        raise ValueError(f"{draws.shape[1]} draws per chain are too few: at least {2 * _LEAST}")
    draws = draws.detach().double().cpu()
    return torch.cat([draws[:, :half], draws[:, -half:]])


def _rank_normalised(x: Tensor) -> Tensor:
    """Φ⁻¹ of the ranks among all numbers, ties sharing their mean rank."""
    place: Tensor
    _, place, counts = torch.unique(x.flatten(), return_inverse=True, return_counts=True)
    ranks = counts.cumsum(0) - (counts.double() - 1) / 2
    z: Tensor = torch.special.ndtri((ranks - 3 / 8) / (x.numel() + 1 / 4))
    return z[place].view(x.shape)


def _variances(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean variance within chains, and the pooled one: within and between."""
    draws = x.shape[1]
    within = x.var(1).mean()
    return within, (draws - 1) / draws * within + x.mean(1).var()


def _r_hat(x: Tensor) -> float:
    within, pooled = _variances(x)
    return float((pooled / within).sqrt())


def _ess(x: Tensor) -> float:
    """Draws over the integrated autocorrelation time, truncated by Geyer's initial monotone sequence."""
    chains, draws = x.shape
    if x.max() == x.min():
        return float(chains * draws)
    within, pooled = _variances(x)
    correlation = 1 - (within - _autocovariance(x).mean(0)) / pooled
    correlation[0] = 1
    last = (draws - 3) // 2
    pairs = correlation[: 2 * last + 2].view(-1, 2).sum(1)
    negative = (pairs < 0).nonzero()
    kept = int(negative[0]) if len(negative) else last
    time = 2 * pairs[:kept].cummin(0).values.sum() - 1 + correlation[2 * kept].clamp(min=0)
    return float(chains * draws / time.clamp(min=1 / math.log10(chains * draws)))


def _autocovariance(x: Tensor) -> Tensor:
    """Of each chain at lags 0, 1, …, ``(chains, draws)``, divided by the number of draws."""
    draws = x.shape[1]
    centred = x - x.mean(1, keepdim=True)
    spectrum = torch.fft.rfft(centred, n=2 * draws)
    products: Tensor = torch.fft.irfft(spectrum.abs().square(), n=2 * draws)
    return products[:, :draws] / draws
