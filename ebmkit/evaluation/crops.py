"""Squares cut out of images: what is compared of textures, which have no other size of their own."""

from __future__ import annotations

from typing import final

import attrs
import torch
from torch import Tensor

from ebmkit.core import ExampleSet, Rng, brief
from ebmkit.errors import DataError

__all__ = ["Crops", "crops", "tiles"]


@final
@attrs.frozen(eq=False)
class Crops:
    """Squares of images, one at each of the places.

    Attributes:
        whole: the images, ``(C, H, W)`` each.
        side: of a square, in pixels.
        places: ``(n, 3)`` int64: the image, the first row and the first column of each square.
    """

    whole: ExampleSet
    side: int
    places: Tensor

    def __repr__(self) -> str:
        return brief(self)

    def __len__(self) -> int:
        """How many."""
        return len(self.places)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Those at these positions, ``(m, C, side, side)``."""
        places, side = self.places[index], self.side
        images, which = torch.unique(places[:, 0], return_inverse=True)
        x = self.whole[images]
        return torch.stack(
            [
                x[image, :, row : row + side, column : column + side]
                for image, (_, row, column) in zip(which.tolist(), places.tolist(), strict=True)
            ]
        )


def crops(
    images: ExampleSet, side: int, count: int, *, rng: Rng, columns: tuple[float, float] = (0, 1)
) -> Crops:
    """Squares at uniformly random places, from as many of the images as there are squares, in turn.

    Args:
        images: to cut them from.
        side: of a square, in pixels.
        count: of squares.
        rng: of the places.
        columns: the part of the width that is cut from: ``(0, 0.5)`` is the left half.

    Raises:
        DataError: a square does not fit, or these are no images.
    """
    height, width = _size(images)
    first, last = round(columns[0] * width), round(columns[1] * width)
    if side > min(height, last - first):
        raise DataError(f"crops of {side} pixels do not fit into {height}x{last - first} pixels")
    room = torch.tensor([height - side + 1, last - first - side + 1])
    corner = (rng.uniform(torch.empty(count, 2, dtype=torch.float64)) * room).long()
    corner[:, 1] += first
    image = rng.permutation(len(images))[torch.arange(count) % len(images)]
    return Crops(images, side, torch.cat([image[:, None], corner], 1))


def tiles(images: ExampleSet, side: int) -> int:
    """How many such squares lie beside each other in one of the images, at least one.

    Raises:
        DataError: these are no images.
    """
    height, width = _size(images)
    return max(height // side, 1) * max(width // side, 1)


def _size(images: ExampleSet) -> tuple[int, int]:
    """Height and width of the first."""
    shape = tuple(images[torch.tensor([0])].shape[1:])
    try:
        _, height, width = shape
    except ValueError:
        message = f"crops are cut out of images (C, H, W), not out of examples of shape {shape}"
        raise DataError(message) from None
    return height, width
