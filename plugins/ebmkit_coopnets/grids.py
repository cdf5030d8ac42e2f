"""The grids of a multigrid schedule: names, sizes of images, chains, and what fits together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from ebmkit.core import Chain
from ebmkit_coopnets.resizing import Size

__all__ = ["chain_of_each", "sizes_of"]

_IMAGE = 3
"""Dimensions of an image, (C, H, W)."""


def sizes_of(names: Iterable[str], shape: tuple[int, ...], *, finest: bool = True) -> Mapping[str, Size]:
    """Height and width of the images on each grid, coarse to fine; a grid's name is the height.

    Args:
        names: as in ``[grids.4]`` and ``[grids.16]``.
        shape: (C, H, W) of the data.
        finest: ask that one of the grids is that of the data.

    Raises:
        ValueError: the examples are no images, a name is no height, a cell is no whole number of pixels, two
            grids do not fit into each other, or none has the data's size.

    Examples:
        >>> sizes_of(["32", "8"], (3, 32, 64))
        {'8': (8, 16), '32': (32, 64)}
    """
    if len(shape) != _IMAGE:
        raise ValueError(f"grids need images (C, H, W), and examples have the shape {tuple(shape)}")
    height, width = shape[1:]
    sizes: dict[str, Size] = {}
    for name in sorted(names, key=_height):
        side = _height(name)
        if height % side or width * side % height:
            raise ValueError(f"images of {height}x{width} pixels have no whole cells on the grid {name!r}")
        sizes[name] = (side, width * side // height)
    _refuse_misfits(sizes)
    if finest and (not sizes or max(sizes.values()) != (height, width)):
        raise ValueError(f"one grid has to be that of the data: add a table [grids.{height}]")
    return sizes


def chain_of_each(
    grids: Mapping[str, object], revision: Chain, own: Mapping[str, Chain]
) -> Mapping[str, Chain]:
    """Each grid's chain: its own or the common one.

    Args:
        grids: by name.
        revision: the common one.
        own: by the name of the grid.

    Raises:
        ValueError: there is no grid of such a name.
    """
    if needless := sorted(own.keys() - grids.keys()):
        raise ValueError(f"[revisions.{needless[0]}] is the chain of a grid that there is not")
    return {name: own.get(name, revision) for name in grids}


def _height(name: str) -> int:
    if not (name.isdecimal() and name.isascii() and int(name) > 0 and str(int(name)) == name):
        raise ValueError(f"a grid's name is the height of its images in pixels, not {name!r}")
    return int(name)


def _refuse_misfits(sizes: Mapping[str, Size]) -> None:
    """Each grid has to divide the next finer one."""
    names = list(sizes)
    for coarse, fine in pairwise(names):
        if any(many % few for few, many in zip(sizes[coarse], sizes[fine], strict=True)):
            raise ValueError(f"the grid {coarse!r} does not divide {fine!r}")
