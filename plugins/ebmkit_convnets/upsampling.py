"""The layers of generators that double the size of their maps."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ebmkit_convnets.axes import CONVOLUTIONS, TRANSPOSED

__all__ = ["Upsampling", "doubling", "start_alike"]

Upsampling: TypeAlias = Literal["transposed", "resize", "subpixel"]


def doubling(inputs: int, outputs: int, kernel: int, how: Upsampling, *, axes: int) -> nn.Module:
    """A layer that doubles every side exactly, ``(B, inputs, h, w) -> (B, outputs, 2h, 2w)``.

    Of sequences, where ``axes`` is 1, it is ``(B, inputs, l) -> (B, outputs, 2l)``, and 2x2 and four read 2
    and two.

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
        return TRANSPOSED[axes](
            inputs, outputs, kernel, 2, padding=(kernel - 1) // 2, output_padding=kernel % 2
        )
    if kernel % 2 == 0:
        raise ValueError(f"upsampling = {how!r} wants an odd kernel, one that keeps sizes, not {kernel}")
    if how == "resize":
        convolution = CONVOLUTIONS[axes](inputs, outputs, kernel, padding=kernel // 2)
        return nn.Sequential(nn.Upsample(scale_factor=2), convolution)
    convolution = CONVOLUTIONS[axes](inputs, 2**axes * outputs, kernel, padding=kernel // 2)
    return _SubPixel(convolution, nn.PixelShuffle(2) if axes == 2 else _Interleave())  # noqa: PLR2004


class _SubPixel(nn.Sequential):
    """A convolution whose maps, four at a time, are the pixels of 2x2; of sequences two, for two points."""


class _Interleave(nn.Module):
    """Pairs of maps as one that is twice as long, ``(B, 2C, l) -> (B, C, 2l)``."""

    def forward(self, x: Tensor) -> Tensor:
        batch, maps, length = x.shape
        return x.view(batch, maps // 2, 2, length).mT.reshape(batch, maps // 2, 2 * length)


@torch.no_grad()
def start_alike(network: nn.Module) -> None:
    """Let all that each sub-pixel layer makes of one value start from the same weights.

    The layer then begins as a convolution followed by nearest-neighbour upsampling: no checkerboard
    (ICNR: Aitken et al., 2017, arXiv 1707.02937). Called after the weights were drawn.
    """
    for module in network.modules():
        if isinstance(module, _SubPixel):
            weights = list(module[0].parameters())
            pieces = 2 ** (weights[0].ndim - 2)
            for weight in weights:
                weight.copy_(weight[::pieces].repeat_interleave(pieces, 0))
