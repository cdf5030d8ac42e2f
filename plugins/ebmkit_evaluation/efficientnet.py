"""EfficientNet-Lite0 up to its last feature map, for inference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, final

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["EfficientNetLite0"]

_EPSILON = 1e-3
"""Of batch normalisation, as the weights were trained."""

_STEM, _HEAD = 32, 1280


class _Stage(NamedTuple):
    """Consecutive blocks; the first of them strides and changes the channels."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


@final
class _SameConv(nn.Conv2d):
    """A convolution padded to ``ceil(side / stride)`` pixels out; an odd row of padding goes to the end."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W) -> (B, K, ceil(H / s), ceil(W / s))``."""
        (top, bottom), (left, right) = (self._margins(x.shape[axis], axis - 2) for axis in (2, 3))
        return super().forward(functional.pad(x, (left, right, top, bottom)))

    def _margins(self, side: int, axis: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        whole = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        return whole // 2, whole - whole // 2


def _layer(channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution and its batch normalisation."""
    conv = _SameConv(channels, out, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out, eps=_EPSILON))


@final
class _Block(nn.Module):
    """An inverted bottleneck: widen, convolve each channel, narrow; a shortcut where shapes allow."""

    def __init__(self, channels: int, out: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        wide = channels * stage.expand
        self.expand = _layer(channels, wide, 1) if stage.expand > 1 else None
        self.depthwise = _layer(wide, wide, stage.kernel, stride, groups=wide)
        self.project = _layer(wide, out, 1)
        self.shortcut = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W) -> (B, K, ceil(H / s), ceil(W / s))``."""
        wide = x if self.expand is None else functional.relu6(self.expand(x))
        out: Tensor = self.project(functional.relu6(self.depthwise(wide)))
        return out + x if self.shortcut else out


def _blocks() -> Iterator[_Block]:
    channels = _STEM
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            yield _Block(channels, stage.channels, stage, stage.stride if repeat == 0 else 1)
            channels = stage.channels


@final
class EfficientNetLite0(nn.Module):
    """The mean of the last map of EfficientNet-Lite0: 1,280 numbers per image.

    It is EfficientNet-B0 without squeeze-and-excitation and with ReLU6, padded as TensorFlow does.

    Source: Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019,
    arXiv 1905.11946, table 1; the Lite variants of TensorFlow's model repository.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(3, _STEM, 3, 2)
        self.blocks = nn.Sequential(*_blocks())
        self.head = _layer(_STAGES[-1].channels, _HEAD, 1)
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3, H, W)`` in [-1, 1] to ``(B, 1280)``."""
        maps = self.head(self.blocks(functional.relu6(self.stem(x))))
        return functional.relu6(maps).mean((2, 3))

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Take weights under the names they were published by, such as ``_blocks.0._bn1.weight``.

        Both sides list the same layers in the same order, the published one its classifier last.

        Raises:
            ValueError: the tensors are others in number or shape.
        """
        given = [tensor for name, tensor in weights.items() if not name.startswith("_fc.")]
        own = self.state_dict()
        if [tensor.shape for tensor in given] != [tensor.shape for tensor in own.values()]:
            raise ValueError("these are not weights of EfficientNet-Lite0")
        self.load_state_dict(dict(zip(own, given, strict=True)))
