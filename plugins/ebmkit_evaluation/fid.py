"""The Fréchet distance between features: FID."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Figure, Material, Metric, Need
from ebmkit.errors import DataError
from ebmkit_evaluation.two_samples import Estimate

__all__ = ["Fid", "frechet_distance"]

_LEAST = 2


def frechet_distance(x: Tensor, y: Tensor) -> Estimate:
    r"""The squared Wasserstein distance between Gaussians fitted to two sets, and its standard error.

    $$\|\mu_1 - \mu_2\|^2 + \mathrm{tr}\left(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\right)$$

    With centred rows $X = Q_1 R_1$, $Y = Q_2 R_2$ the last trace is the sum of the singular values of
    $R_1 R_2^T$ over $\sqrt{(n-1)(m-1)}$: no covariance is formed and no root of a singular matrix taken,
    so that fewer examples than features are no trouble of arithmetic.

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
    x, y = x.double(), y.double()
    shift = x.mean(0) - y.mean(0)
    x, y = x - x.mean(0), y - y.mean(0)
    common_x, common_y, common = _common(x, y)
    influence_x = 2 * x @ shift + x.square().sum(1) - common_x
    influence_y = -2 * y @ shift + y.square().sum(1) - common_y
    spread = x.square().sum() / (len(x) - 1) + y.square().sum() / (len(y) - 1)
    variance = influence_x.var() / len(x) + influence_y.var() / len(y)
    return Estimate(float(shift.square().sum() + spread - 2 * common), math.sqrt(variance))


def _common(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Each row's quadratic form $x^T A x$, with A the linear map that carries one Gaussian to the other.

    Args:
        x: centred, ``(n, d)``.
        y: centred, ``(m, d)``.

    Returns:
        the forms of x, ``(n,)``, those of y, ``(m,)``, and $\mathrm{tr} (\Sigma_1 \Sigma_2)^{1/2}$.
    """
    (base_x, rows_x), (base_y, rows_y) = torch.linalg.qr(x), torch.linalg.qr(y)
    left, values, right = torch.linalg.svd(rows_x @ rows_y.T, full_matrices=False)
    ratio = math.sqrt((len(x) - 1) / (len(y) - 1))
    forms_x = ratio * (base_x @ left).square() @ values
    forms_y = (base_y @ right.T).square() @ values / ratio
    return forms_x, forms_y, values.sum() / math.sqrt((len(x) - 1) * (len(y) - 1))


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
