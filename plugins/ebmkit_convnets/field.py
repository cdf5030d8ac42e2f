"""How much of an image the last layer of a network sees."""

from __future__ import annotations

from collections.abc import Iterable

from ebmkit_convnets.axes import by_sides, channels_and_sides

__all__ = ["describe_field", "receptive_field"]


def receptive_field(layers: Iterable[tuple[int, int]]) -> int:
    r"""Side of the square of pixels, or length of the sequence, that one unit of the last layer reads.

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
    """What ``repr`` says of it: how far pixels, or points, interact in the energy.

    Args:
        field: receptive field of the last layer of convolutions.
        shape: of an example, (C, H, W) or (C, L).
        whole: whether a nonlinear layer on top reads all of the last layer.
    """
    _, sides = channels_and_sides(shape)
    all_of_it = f"{by_sides(sides)} {'points' if len(sides) == 1 else 'pixels'}"
    return f"receptive field {field}{', joined over all' if whole else ''} of {all_of_it}"
