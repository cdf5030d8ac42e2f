"""The Fréchet distance between features: FID."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Figure, Material, Metric, Need
from ebmkit.errors import DataError
from ebmkit_evaluation.two_samples import Estimate

__all__ = ["Fid", "frechet_distance"]

_LEAST = 2
_BLOCK = 500
"""Rows at a time, at least."""


def frechet_distance(x: Tensor, y: Tensor) -> Estimate:
    r"""The squared Wasserstein distance between Gaussians fitted to two sets, and its standard error.

    $$\|\mu_1 - \mu_2\|^2 + \mathrm{tr}\left(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\right)$$

    Of each set the mean and the triangular factor R of its centred rows are gathered, a block of rows at a
    time. The last trace is the sum of the singular values of $R_1 R_2^T$ over $\sqrt{(n-1)(m-1)}$: no
    covariance is formed and no root of a singular matrix taken, so that fewer examples than features are no
    trouble of arithmetic. Beside the features themselves the memory is that of some d x d numbers, whatever
    n is.

    They are one of statistics: the number is biased upwards, the more the fewer the examples. The error is
    the infinitesimal jackknife's, the spread of each example's influence; it says nothing about the bias.

    Args:
        x: features, ``(n, d)``, n >= 2.
        y: features, ``(m, d)``, m >= 2.

    Raises:
        DataError: fewer than two examples, or different numbers of features.

    Source: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, 2017, arXiv 1706.08500; Dowson, Landau,
    1982; for the bias Bińkowski et al., 2018, arXiv 1801.01401, and Chong, Forsyth, 2020, arXiv 1911.07023.
    """
    if min(len(x), len(y)) < _LEAST or x.shape[1:] != y.shape[1:]:
        raise DataError(
            f"two sets of at least {_LEAST} examples each with the same number of features are compared, "
            f"not {tuple(x.shape)} and {tuple(y.shape)}"
        )
    of_x, of_y = _gathered(x), _gathered(y)
    shift = of_x.mean - of_y.mean
    map_x, map_y, common = _carried(of_x, of_y)
    ratio = math.sqrt((len(x) - 1) / (len(y) - 1))
    influence_x = _influence(x, of_x, 2 * shift, map_x * math.sqrt(ratio))
    influence_y = _influence(y, of_y, -2 * shift, map_y / math.sqrt(ratio))
    spread = of_x.root.square().sum() / (len(x) - 1) + of_y.root.square().sum() / (len(y) - 1)
    common = common / math.sqrt((len(x) - 1) * (len(y) - 1))
    variance = influence_x.var() / len(x) + influence_y.var() / len(y)
    return Estimate(float(shift.square().sum() + spread - 2 * common), math.sqrt(variance))


class _Moments(NamedTuple):
    r"""Of rows their mean, ``(d,)``, and R, ``(min(n, d), d)``: $R^T R = \sum_i (x_i - \mu)(x_i - \mu)^T$."""

    mean: Tensor
    root: Tensor


def _gathered(x: Tensor) -> _Moments:
    r"""The moments of all rows, ``(n, d)``, of which one block after the other is looked at.

    Of two sets of a and b rows with the means $\mu$ and $\nu$, R of both is that of the rows of their Rs and
    $\sqrt{ab / (a + b)} (\nu - \mu)$. Only orthogonal transforms touch the rows: R is as exact as that of all
    rows at once, which sums of squares, whose root would have to be taken, are not.

    Source: Chan, Golub, LeVeque, 1983, for the means; Demmel, Grigori, Hoemmen, Langou, 2012, for R.
    """
    count, mean = 0, x.new_zeros(x.shape[1], dtype=torch.float64)
    root = mean.new_empty(0, len(mean))
    for some in _blocks(x):
        step = some.mean(0) - mean
        total = count + len(some)
        between = math.sqrt(count * len(some) / total) * step
        rows = torch.cat([root, some - some.mean(0), between[None]])
        root = torch.linalg.qr(rows, mode="r").R
        mean = mean + step * (len(some) / total)
        count = total
    return _Moments(mean, root)


def _blocks(x: Tensor) -> Iterator[Tensor]:
    """Rows of float64, at least as many as there are features: less would cost more triangular factors."""
    return (some.double() for some in torch.split(x, max(_BLOCK, x.shape[1])))


def _carried(x: _Moments, y: _Moments) -> tuple[Tensor, Tensor, Tensor]:
    r"""The linear maps that carry one Gaussian to the other, A and its inverse, and what both have in common.

    With $R_1 R_2^T = L \, \mathrm{diag}(s) \, V^T$ and $W = R_2^T V \, \mathrm{diag}(s)^{-1/2}$ the map A is
    $\sqrt{(n-1)/(m-1)} \, W W^T$, so that $x^T A x$ is a sum of squares. Of singular values that are 0 to
    rounding nothing is carried.

    Returns:
        W of x and that of y, ``(d, k)`` each, and the sum of the singular values.
    """
    left, values, right = torch.linalg.svd(x.root @ y.root.T, full_matrices=False)
    kept = values > torch.finfo(torch.float64).eps * len(values) * values.amax()
    widths = values[kept].sqrt()
    return y.root.T @ right.T[:, kept] / widths, x.root.T @ left[:, kept] / widths, values.sum()


def _influence(x: Tensor, moments: _Moments, shift: Tensor, carried: Tensor) -> Tensor:
    """How much each row moves the distance, ``(n,)``: by the mean, by its own spread, by what is common."""
    centred = (some - moments.mean for some in _blocks(x))
    return torch.cat(
        [rows @ shift + rows.square().sum(1) - (rows @ carried).square().sum(1) for rows in centred]
    )


@final
@attrs.frozen(kw_only=True)
class Fid(Metric):
    """The Fréchet distance between generated and real images, beside that of real from real.

    ``fid_real`` compares two sets of real images of as many examples: what the number is made of without
    any fault of the samples. Where there is no second real set the real one is halved, and ``count`` tells.
    Only distances of the same features and the same n compare; they are published figures only with the
    features ``inception`` and 50,000 images.

    Source: Heusel et al., 2017, arXiv 1706.08500.
    """

    needs: ClassVar[tuple[Need, ...]] = ("real", "features")

    def measure(self, material: Material) -> Sequence[Figure]:
        """``fid`` and ``fid_real``."""
        generated, real = material.features_of("generated"), material.features_of("real")
        pairs = {"fid": (generated, real), "fid_real": _two_real(material, len(generated))}
        return [
            Figure(name, *frechet_distance(*pair), len(pair[0]), material.label())
            for name, pair in pairs.items()
        ]


def _two_real(material: Material, count: int) -> tuple[Tensor, Tensor]:
    """Features of two sets of real images, the first as large as the generated one if there are as many."""
    real = material.features_of("real")
    if material.second is None:
        half = len(real) // 2
        return real[:half], real[half:]
    return material.features_of("second")[:count], real
