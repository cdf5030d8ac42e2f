"""Distances between sets of examples that are no images: MMD and energy distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import ExampleSet, Figure, Gt, Material, Metric, Need, Rng, as_rows
from ebmkit_evaluation.two_samples import Kernel, discrepancy

__all__ = ["EnergyDistance", "Mmd", "gaussian_kernel", "median_distance", "negative_distance"]

_SOME = 1000


def _apart(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def negative_distance(x: Tensor, y: Tensor) -> Tensor:
    r"""$k(x, y) = -\|x - y\|$, ``(n, d), (m, d) -> (n, m)``: its $MMD^2$ is the energy distance."""
    return -_apart(x, y)


def gaussian_kernel(bandwidth: float) -> Kernel:
    r"""$k(x, y) = \exp(-\|x - y\|^2 / 2 b^2)$ for blocks of rows.

    Args:
        bandwidth: b, in the units of x.
    """

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return _apart(x, y).square_().div_(-2 * bandwidth**2).exp_()

    return kernel


def median_distance(x: ExampleSet, rng: Rng) -> float:
    """The median distance between examples, of up to 1,000 of them: the usual bandwidth.

    Args:
        x: ``(n, *S)``, n >= 2.
        rng: chooses them.
    """
    some = as_rows(x[rng.permutation(len(x))[:_SOME]]).double()
    between: Tensor = torch.nn.functional.pdist(some)
    return float(between.median())


def _figure(name: str, material: Material, kernel_of: Callable[[ExampleSet], Kernel]) -> Figure:
    generated, real = material.generated, material.examples("real")
    return Figure(name, *discrepancy(generated, real, kernel_of(real)), len(generated))


@final
@attrs.frozen(kw_only=True)
class Mmd(Metric):
    r"""How far apart two laws are under a Gaussian kernel, from 0 to 2.

    ``mmd`` is the unbiased $MMD^2$: where the laws are equal it may be below 0.

    Args:
        bandwidth: of the kernel, in the units of x; None takes the median distance between real examples.

    Source: Gretton, Borgwardt, Rasch, Schölkopf, Smola, 2012, JMLR 13.
    """

    needs: ClassVar[tuple[Need, ...]] = ("real",)

    bandwidth: Annotated[float, Gt(0)] | None = None

    def measure(self, material: Material) -> Sequence[Figure]:
        """``mmd``, with the jackknife's error."""
        rng = material.rng.fold_in("mmd")
        return [
            _figure(
                "mmd", material, lambda real: gaussian_kernel(self.bandwidth or median_distance(real, rng))
            )
        ]


@final
@attrs.frozen(kw_only=True)
class EnergyDistance(Metric):
    r"""The energy distance of two laws, in the units of x.

    ``energy_distance`` is $2 E\|X - Y\| - E\|X - X'\| - E\|Y - Y'\|$, unbiased.

    0 exactly when the laws are equal; the estimate may then be below. It sees shifts and scales of every
    size without a bandwidth.

    Source: Székely, Rizzo, "Energy statistics: a class of statistics based on distances", 2013.
    """

    needs: ClassVar[tuple[Need, ...]] = ("real",)

    def measure(self, material: Material) -> Sequence[Figure]:
        """``energy_distance``, with the jackknife's error."""
        return [_figure("energy_distance", material, lambda _: negative_distance)]
