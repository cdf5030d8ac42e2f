"""Precision, recall, density and coverage: whether samples are real-like, and whether all kinds occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Figure, Ge, Material, Metric, Need, brief, standard_error
from ebmkit.errors import DataError
from ebmkit_evaluation.neighbours import BLOCK, squared_distances, squared_radii

__all__ = ["Manifold", "Memberships", "memberships"]


class Memberships(NamedTuple):
    """Which examples lie in whose neighbourhoods; the means are the four figures.

    Attributes:
        precision: of each generated example, whether a real neighbourhood holds it, ``(n,)`` 0 or 1.
        recall: of each real example, whether a generated neighbourhood holds it, ``(m,)``.
        density: of each generated example, how many real neighbourhoods hold it, over k, ``(n,)``.
        coverage: of each real example, whether its neighbourhood holds a generated one, ``(m,)``.
    """

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor

    def __repr__(self) -> str:
        return brief(self)


def memberships(generated: Tensor, real: Tensor, *, k: int = 5) -> Memberships:
    """Whose neighbourhoods hold whom, a neighbourhood being the closed ball to the k-th nearest of the set.

    Args:
        generated: features, ``(n, d)``, n > k.
        real: features, ``(m, d)``, m > k.
        k: which neighbour gives the radius.

    Raises:
        DataError: a set has no k-th neighbour, or the features differ in number.

    Source: Kynkäänniemi, Karras, Laine, Lehtinen, Aila, 2019, arXiv 1904.06991 (precision, recall);
    Naeem, Oh, Uh, Choi, Yoo, 2020, arXiv 2002.09797 (density, coverage; there with open balls, which
    makes two equal sets of points score 0).
    """
    if min(len(generated), len(real)) <= k or generated.shape[1:] != real.shape[1:]:
        raise DataError(
            f"two sets of more than k = {k} examples each with the same number of features are compared, "
            f"not {tuple(generated.shape)} and {tuple(real.shape)}"
        )
    around_generated, around_real = squared_radii(generated, k), squared_radii(real, k)
    holders = torch.zeros(len(generated), dtype=torch.float64)
    recall, coverage = (torch.zeros(len(real), dtype=torch.bool) for _ in range(2))
    for these in torch.split(torch.arange(len(real)), BLOCK):
        for those in torch.split(torch.arange(len(generated)), BLOCK):
            apart = squared_distances(real[these], generated[those])
            inside = apart <= around_real[these, None]
            holders[those] += inside.sum(0)
            coverage[these] |= inside.any(1)
            recall[these] |= (apart <= around_generated[those]).any(1)
    return Memberships((holders > 0).double(), recall.double(), holders / k, coverage.double())


@final
@attrs.frozen(kw_only=True)
class Manifold(Metric):
    """Precision, recall, density and coverage: all near 1 for images like real ones.

    The errors are those of means over the set that is counted, the other set being what it is.

    Args:
        k: the neighbour that gives a neighbourhood its radius.
    """

    needs: ClassVar[tuple[Need, ...]] = ("real", "features")
    better: ClassVar[Literal["lower", "higher"]] = "higher"

    k: Annotated[int, Ge(1)] = 5

    def measure(self, material: Material) -> Sequence[Figure]:
        """The four, each with the error of its mean."""
        generated, real = material.features_of("generated"), material.features_of("real")
        found = memberships(generated, real, k=self.k)
        return [
            Figure(name, float(each.mean()), standard_error(each), len(generated), material.label())
            for name, each in found._asdict().items()
        ]
