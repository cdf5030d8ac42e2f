"""Whether a generator repeats what it was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Figure, Material, Metric, Need, as_rows, brief
from ebmkit.errors import DataError
from ebmkit_evaluation.definition import eight_bits
from ebmkit_evaluation.neighbours import nearest

__all__ = ["Memorisation", "Nearest", "nearest_training"]

_QUANTILE = 0.05
_LEAST = 20
"""Held-out examples that a quantile of 5 % needs."""


class Nearest(NamedTuple):
    """Of each generated and held-out example the nearest of training.

    Attributes:
        generated: the distances, ``(n,)``.
        training: which training example it is, ``(n,)``: what a picture shows beside the generated one.
        held_out: the distances of the held-out examples, ``(m,)``.
    """

    generated: Tensor
    training: Tensor
    held_out: Tensor

    def __repr__(self) -> str:
        return brief(self)


def nearest_training(material: Material, *, features: bool) -> Nearest:
    """The nearest training example of each generated and held-out one.

    Args:
        material: with training and held-out examples.
        features: take Euclidean distances of features; otherwise of pixels, clamped and rounded to 8 bits,
            as root mean square per pixel.
    """
    names = ("generated", "training", "held_out")
    if features:
        generated, training, held_out = map(material.features_of, names)
        return Nearest(*nearest(generated, training), nearest(held_out, training)[0])
    sets = [material.examples(name) for name in names]
    scale = math.sqrt(sets[1][torch.zeros(1, dtype=torch.int64)].numel())
    distance, index = nearest(sets[0], sets[1], rows=_pixels)
    return Nearest(distance / scale, index, nearest(sets[2], sets[1], rows=_pixels)[0] / scale)


def _pixels(x: Tensor) -> Tensor:
    return as_rows(eight_bits(x))


@final
@attrs.frozen(kw_only=True)
class Memorisation(Metric):
    """Whether generated images lie nearer to training images than images that nobody trained on do.

    - ``memorised``: the share of generated images nearer to a training image than all but 5 % of the
      held-out ones; 0.05 is expected of a generator that has not memorised, 1 of copies.
    - ``nearest_ratio``: the median distance of generated images from the nearest training image, over that
      of held-out images. Below 1 they are nearer; blurred images can be nearer to everything.
    - ``memorised_pixels`` and ``nearest_ratio_pixels``: the same distances in pixels.

    Errors take the held-out quantile as it is; at least 20 held-out images are needed.

    Source: the comparison with held-out images follows Meehan, Chaudhuri, Dasgupta, "A non-parametric test
    to detect data-copying in generative models", 2020, arXiv 2004.05675.
    """

    needs: ClassVar[tuple[Need, ...]] = ("training", "held_out", "features")

    def measure(self, material: Material) -> Sequence[Figure]:
        """``memorised``, ``nearest_ratio``, and both in pixels."""
        in_features = _figures(nearest_training(material, features=True), "", material.label())
        in_pixels = _figures(nearest_training(material, features=False), "_pixels", None)
        return [*in_features, *in_pixels]


def _figures(found: Nearest, suffix: str, features: str | None) -> Iterator[Figure]:
    if len(found.held_out) < _LEAST:
        raise DataError(
            f"memorisation needs at least {_LEAST} held-out images, and there are {len(found.held_out)}"
        )
    count = len(found.generated)
    share = float((found.generated < found.held_out.quantile(_QUANTILE)).double().mean())
    share_error = math.sqrt(share * (1 - share) / count)
    yield Figure(f"memorised{suffix}", share, share_error, count, features)
    medians = [float(each.median()) for each in (found.generated, found.held_out)]
    errors = [_median_error(each) for each in (found.generated, found.held_out)]
    ratio = medians[0] / medians[1]
    error = math.hypot(errors[0], ratio * errors[1]) / medians[1]
    yield Figure(f"nearest_ratio{suffix}", ratio, error, count, features)


def _median_error(values: Tensor) -> float:
    """Half the distance between the values that bracket the median with the probability of one deviation."""
    half = 0.5 / math.sqrt(len(values))
    low, high = values.quantile(max(0.5 - half, 0.0)), values.quantile(min(0.5 + half, 1.0))
    return float(high - low) / 2
