"""The layers of generators that double the size of their maps."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import nn

__all__ = ["Upsampling", "doubling", "start_alike"]

Upsampling: TypeAlias = Literal["transposed", "resize", "subpixel"]


def doubling(inputs: int, outputs: int, kernel: int, how: Upsampling) -> nn.Module:
    """A layer that doubles height and width exactly, ``(B, inputs, h, w) -> (B, outputs, 2h, 2w)``.

    - ``transposed``: a transposed convolution of stride 2; a kernel that 2 does not divide covers some pixels
      more often than others, which shows as a checkerboard.
    - ``resize``: every value repeated to 2x2, then a convolution (Odena, Dumoulin, Olah, "Deconvolution and
      checkerboard artifacts", Distill, 2016): four times the multiplications of ``subpixel``.
    - ``subpixel``: a convolution to four times the maps, which become the four pixels of 2x2 (Shi et al.,
      2016, arXiv 1609.05158). ``start_alike`` makes the four start equal.

    Raises:
        ValueError: an even kernel where maps have to keep their size.
    """
    if how == "transposed":
        return nn.ConvTranspose2d(
            inputs, outputs, kernel, 2, padding=(kernel - 1) // 2, output_padding=kernel % 2
        )
    if kernel % 2 == 0:
        raise ValueError(f"upsampling = {how!r} wants an odd kernel, one that keeps sizes, not {kernel}")
    if how == "resize":
        repeat, convolution = (
            nn.Upsample(scale_factor=2),
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2),
        )
        return nn.Sequential(repeat, convolution)
    return _SubPixel(nn.Conv2d(inputs, 4 * outputs, kernel, padding=kernel // 2), nn.PixelShuffle(2))


class _SubPixel(nn.Sequential):
    """A convolution whose maps, four at a time, are the pixels of 2x2."""


@torch.no_grad()
def start_alike(network: nn.Module) -> None:
    """Let the four pixels that each sub-pixel layer makes of a value start from the same weights.

    The layer then begins as a convolution followed by nearest-neighbour upsampling: no checkerboard
    (ICNR: Aitken et al., 2017, arXiv 1707.02937). Called after the weights were drawn.
    """
    for module in network.modules():
        if isinstance(module, _SubPixel):
            for weight in module[0].parameters():
                weight.copy_(weight[::4].repeat_interleave(4, 0))
