"""How much of an image the last layer of a network sees."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["describe_field", "receptive_field"]


def receptive_field(layers: Iterable[tuple[int, int]]) -> int:
    r"""Side of the square of pixels that one unit of the last layer reads.

    $$r = 1 + \sum_l (k_l - 1) \prod_{i < l} s_i$$

    An average pooling over s x s is a layer of kernel s and stride s.

    Args:
        layers: (kernel, stride) of each, bottom up.

    Source: Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019.

    Examples:
        >>> receptive_field([(4, 2), (4, 2), (4, 2)]), receptive_field([(4, 2)] * 4)
        (22, 46)
    """
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def describe_field(field: int, shape: tuple[int, ...], *, whole: bool) -> str:
    """What ``repr`` says of it: how far pixels interact in the energy.

    Args:
        field: receptive field of the last layer of convolutions.
        shape: (C, H, W) of the images.
        whole: whether a nonlinear layer on top reads all of the last layer.
    """
    height, width = shape[1:]
    if whole:
        return f"receptive field {field}, joined over all of {height}x{width} pixels"
    return f"receptive field {field} of {height}x{width} pixels"
