"""Images shifted, brightened and cut at random, so that few of them cannot be learned by heart."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core.rng import Rng
from ebmkit.errors import ConfigError
from ebmkit.parameters.records import LossAugmentation

__all__ = ["augmented"]

_IMAGES = 4


def augmented(x: Tensor, law: LossAugmentation, *, rng: Rng) -> Tensor:
    """Each image brightened, then shifted, then cut; ``(B, C, H, W) -> (B, C, H, W)``.

    A shift is a whole number of pixels along each axis, from -``translation`` to ``translation`` with equal
    probabilities, and what comes in is 0. What is added to all pixels is uniform between -``brightness`` and
    ``brightness``. The centre of the square is uniform over the image, so that part of it may lie outside.
    Row b draws for chain ``first_chain + b``.

    Raises:
        ConfigError: the examples are no images.

    Source: Zhao, Liu, Lin, Zhu, Han, 2020, arXiv 2006.10738.
    """
    if not law:
        return x
    if x.ndim != _IMAGES:
        raise ConfigError(
            f"translation, brightness and cutout are for images (C, H, W), not for examples of shape "
            f"{tuple(x.shape[1:])}"
        )
    luck = rng.uniform(x.new_empty(len(x), 5, dtype=torch.float64))
    if law.brightness:
        x = x + (law.brightness * (2 * luck[:, 0] - 1)).to(x.dtype)[:, None, None, None]
    if law.translation:
        x = _shifted(x, *(_whole(each, 2 * law.translation + 1) - law.translation for each in luck.T[1:3]))
    return _cut(x, law.cutout, luck[:, 3], luck[:, 4]) if law.cutout else x


def _whole(luck: Tensor, count: int) -> Tensor:
    """Whole numbers from 0, ``count`` of them equally likely."""
    return (luck * count).long().clamp_max(count - 1)


def _shifted(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Each image by its own whole numbers of pixels."""
    rows, inside_rows = _sources(down, x.shape[2])
    columns, inside_columns = _sources(right, x.shape[3])
    images = torch.arange(len(x), device=x.device)[:, None, None]
    moved = x.permute(0, 2, 3, 1)[images, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    return moved * (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]


def _sources(shift: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """From where each row of pixels comes, ``(B, side)``, and whether that lies inside."""
    source = torch.arange(side, device=shift.device) - shift[:, None]
    return source.clamp(0, side - 1), (source >= 0) & (source < side)


def _cut(x: Tensor, share: float, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """A square of 0 around a pixel of each image."""
    rows, columns = (
        _covered(place, side, share) for place, side in ((vertical, x.shape[2]), (horizontal, x.shape[3]))
    )
    return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def _covered(place: Tensor, side: int, share: float) -> Tensor:
    """Which rows of pixels the square covers, ``(B, side)``."""
    length = round(share * side)
    first = _whole(place, side) - length // 2
    pixels = torch.arange(side, device=place.device)
    return (pixels >= first[:, None]) & (pixels < first[:, None] + length)
