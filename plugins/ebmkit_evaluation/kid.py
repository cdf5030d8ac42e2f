"""The kernel distance between features: KID."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import attrs
from torch import Tensor

from ebmkit.core import Figure, Material, Metric, Need
from ebmkit_evaluation.two_samples import Estimate, discrepancy

__all__ = ["Kid", "kernel_distance"]


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)


def kernel_distance(x: Tensor, y: Tensor) -> Estimate:
    r"""KID: the unbiased $MMD^2$ under $k(x, y) = (x \cdot y / d + 1)^3$, and its standard error.

    Every pair of the two sets is used, whatever their size, instead of the usual 100 random subsets of
    1,000: the expectation is the same, the variance smaller, and the jackknife's error is that of the
    number stated, which a spread over overlapping subsets is not.

    Args:
        x: features, ``(n, d)``, n >= 3.
        y: features, ``(m, d)``, m >= 3.

    Source: Bińkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", 2018, arXiv 1801.01401.
    """
    return discrepancy(x, y, _cubic)


@final
@attrs.frozen(kw_only=True)
class Kid(Metric):
    """The kernel distance between generated and real images, times 1,000; 0 is best.

    Unbiased, so that it may be below 0, and comparable between numbers of samples. See
    ``kernel_distance``.

    Source: Bińkowski, Sutherland, Arbel, Gretton, 2018, arXiv 1801.01401.
    """

    needs: ClassVar[tuple[Need, ...]] = ("real", "features")

    def measure(self, material: Material) -> Sequence[Figure]:
        """``kid``, times 1,000, with the jackknife's error."""
        generated = material.features_of("generated")
        value, error = kernel_distance(generated, material.features_of("real"))
        return [Figure("kid", 1000 * value, 1000 * error, len(generated), material.label())]
