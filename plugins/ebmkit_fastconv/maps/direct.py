r"""Linear maps between feature maps, the building blocks of a gradient in closed form.

A layer h' = φ(W * h + b) needs two: W itself on the way up, and its transpose on the way down. Each
map may fuse what is next to it: bias and activation above, the derivative of the activation below.
Feature maps are ``(B, C, H, W)`` in channels-last memory, or ``(B, n)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional

from ebmkit.core.torch_private import has_bfloat16_arithmetic, has_onednn, onednn
from ebmkit_fastconv.reading.activations import Activation

__all__ = [
    "DenseMap",
    "DirectConvolution",
    "LinearMap",
    "Rounded",
    "ShuffledTranspose",
    "StridedTranspose",
    "Top",
    "has_bfloat16",
    "has_mkldnn",
    "output_padding",
]


class Top(NamedTuple):
    r"""At the last layer: $u \odot \varphi'(a)$ and $\langle u, \varphi(a) \rangle$, ``(B,)`` float64."""

    gradient: Tensor
    value: Tensor


class LinearMap(ABC):
    """x ↦ W * x without a bias; what can be fused with it is overridden where something is won."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """W * x, in memory of its own."""

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        """W * x + b, in memory of its own."""
        return self(x).add_(bias)

    def activated(self, x: Tensor, bias: Tensor, activation: Activation) -> tuple[Tensor, Tensor]:
        """φ(W * x + b), and what the derivative of φ needs to remember."""
        a = self.biased(x, bias)
        result = activation(a)
        return result, result if activation.remembers_result else a

    def weighed(self, x: Tensor, bias: Tensor, activation: Activation, weight: Tensor) -> Top:
        """The last layer of a stack under the weight u of its features, ``(1, *features)``."""
        result, memory = self.activated(x, bias, activation)
        value = (result * weight).flatten(1).sum(1, dtype=torch.float64)
        return Top(activation.backward(weight.expand_as(memory), memory), value)

    def masked(self, gradient: Tensor, memory: Tensor, activation: Activation) -> Tensor:
        """W * gradient times φ' of the layer that it arrives at."""
        return activation.backward(self(gradient), memory)


def has_mkldnn(like: Tensor) -> bool:
    """Whether oneDNN's convolutions with weights packed ahead are there for such tensors."""
    return like.device.type == "cpu" and has_onednn()


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 by itself."""
    return device.type != "cpu" or has_bfloat16_arithmetic()


@final
class Rounded(LinearMap):
    """A map in bfloat16 on a processor that has no such arithmetic.

    Products of two bfloat16 numbers are exact in float32, so float32 arithmetic on rounded numbers gives
    what bfloat16 hardware would give, up to the order of its float32 sums; torch's own emulation is ten
    times slower.

    Args:
        exact: the map with its weights rounded to bfloat16, in float32.
    """

    def __init__(self, exact: LinearMap) -> None:
        self.exact = exact

    def __call__(self, x: Tensor) -> Tensor:
        """W * x, rounded."""
        return self.exact(x.float()).bfloat16()

    def activated(self, x: Tensor, bias: Tensor, activation: Activation) -> tuple[Tensor, Tensor]:
        """One rounding after bias and activation, as in a fused kernel."""
        result, memory = self.exact.activated(x.float(), bias.float(), activation)
        return result.bfloat16(), memory.bfloat16()


@final
class DirectConvolution(LinearMap):
    """A convolution as torch computes it, its weight packed once where oneDNN is there.

    Args:
        weight: ``(C_out, C_in, k, k)``.
        stride: in both directions.
        padding: on every side.
        size: ``(B, C_in, H, W)`` of a typical input.
    """

    def __init__(self, weight: Tensor, *, stride: int, padding: int, size: tuple[int, ...]) -> None:
        self.stride, self.padding = [stride, stride], [padding, padding]
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.packed = has_mkldnn(weight)
        if self.packed:
            self.weight = onednn._reorder_convolution_weight(  # noqa: SLF001
                self.weight, self.padding, self.stride, [1, 1], 1, list(size)
            )

    def __call__(self, x: Tensor) -> Tensor:
        """The convolution of x."""
        return self._convolve(x, None, None)

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        """In one kernel: added by itself, a bias of 16 channels takes as long as the convolution."""
        return self._convolve(x, bias, None)

    def activated(self, x: Tensor, bias: Tensor, activation: Activation) -> tuple[Tensor, Tensor]:
        """In one kernel where oneDNN fuses the activation."""
        if activation.name != "leaky":
            return super().activated(x, bias, activation)
        result = self._convolve(x, bias, activation)
        return result, result

    def _convolve(self, x: Tensor, bias: Tensor | None, activation: Activation | None) -> Tensor:
        flat = None if bias is None else bias.flatten()
        if self.packed:
            fused = _fused(activation)
            return onednn._convolution_pointwise(  # type: ignore[no-any-return]  # noqa: SLF001
                x, self.weight, flat, self.padding, self.stride, [1, 1], 1, *fused
            )
        result = functional.conv2d(x, self.weight, flat, self.stride[0], self.padding[0])
        return result if activation is None else activation(result)


def _fused(activation: Activation | None) -> tuple[str, list[float], str]:
    """The activation as oneDNN's convolution wants it."""
    if activation is None or activation.slope == 1.0:
        return "none", [], ""
    return ("relu", [], "") if activation.slope == 0.0 else ("leaky_relu", [activation.slope], "")


@final
class StridedTranspose(LinearMap):
    """The transpose of a convolution of any stride, as torch's transposed convolution computes it.

    That is the same kernel as ``torch.nn.grad.conv2d_input``, which first makes an input to look at.

    Args:
        weight: of the convolution, ``(C_out, C_in, k, k)``.
        stride: of the convolution.
        padding: of the convolution.
        size: ``(C_in, H, W)``, what the convolution was applied to.
    """

    def __init__(self, weight: Tensor, *, stride: int, padding: int, size: tuple[int, ...]) -> None:
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.stride, self.padding, self.size = stride, padding, size

    def __call__(self, x: Tensor) -> Tensor:
        """The sum of what x sends back to each pixel."""
        stride, padding = self.stride, self.padding
        extra = output_padding(
            self.size, x.shape[1:], kernel=self.weight.shape[2], stride=stride, padding=padding
        )
        return functional.conv_transpose2d(x, self.weight, None, stride, padding, extra)


def output_padding(
    source: Sequence[int], target: Sequence[int], *, kernel: int, stride: int, padding: int
) -> list[int]:
    """What the transpose of a convolution of ``(C, H, W)`` must be told: several sizes have one result."""
    least = ((side - 1) * stride - 2 * padding + kernel for side in target[1:])
    return [side - smallest for side, smallest in zip(source[1:], least, strict=True)]


@final
class ShuffledTranspose(LinearMap):
    r"""The transpose of a convolution of stride s as one of stride 1 to s² times the channels.

    Each of the s² phases of the pixels sees its own part of the kernel; a pixel shuffle puts them
    together. It multiplies by some zeros, and still wins by far where the image has few channels:
    oneDNN's own transpose reaches a sixth of its speed there.

    Args:
        weight: of the convolution, ``(C_out, C_in, k, k)``.
        stride: of the convolution.
        padding: of the convolution.
        size: ``(C_in, H, W)``, what the convolution was applied to.
        rows: of a typical batch.
    """

    def __init__(
        self, weight: Tensor, *, stride: int, padding: int, size: tuple[int, ...], rows: int
    ) -> None:
        phases, reach, self.start = transposed_phases(weight, stride, padding)
        self.stride = stride
        self.height, self.width = size[1:]
        self.grid = (-(-(self.height + self.start) // stride), -(-(self.width + self.start) // stride))
        shape = (rows, weight.shape[0], *self.grid)
        self.convolution = DirectConvolution(phases, stride=1, padding=reach, size=shape)

    def __call__(self, x: Tensor) -> Tensor:
        """All phases, then the shuffle."""
        missing = [max(self.grid[0] - x.shape[2], 0), max(self.grid[1] - x.shape[3], 0)]
        if any(missing):
            x = functional.pad(x, (0, missing[1], 0, missing[0])).contiguous(
                memory_format=torch.channels_last
            )
        whole = functional.pixel_shuffle(self.convolution(x), self.stride)
        return whole[:, :, self.start : self.start + self.height, self.start : self.start + self.width]


def transposed_phases(weight: Tensor, stride: int, padding: int) -> tuple[Tensor, int, int]:
    """The kernels of the phases of a strided transpose, how far they reach, and where the image begins.

    Pixel s m + a - start receives from output m + d what the tap a - start + padding - s d of the kernel
    sends. The start is the one with which d reaches least far.

    Returns:
        ``(s² C_in, C_out, 2 r + 1, 2 r + 1)``, ordered as ``pixel_shuffle`` wants it; r; and start, < s.
    """
    outputs, inputs, kernel, _ = weight.shape

    def reach_from(start: int) -> int:
        return max((stride - 1 - start + padding) // stride, (kernel - 1 - padding + start) // stride)

    start = min(range(stride), key=lambda start: (reach_from(start), start))
    reach = reach_from(start)
    phases = weight.new_zeros(inputs, stride**2, outputs, 2 * reach + 1, 2 * reach + 1)
    taps = [
        (phase, step + reach, phase - start + padding - stride * step)
        for phase in range(stride)
        for step in range(-reach, reach + 1)
        if 0 <= phase - start + padding - stride * step < kernel
    ]
    for row, i, tap_i in taps:
        for column, j, tap_j in taps:
            phases[:, stride * row + column, :, i, j] = weight[:, :, tap_i, tap_j].T
    return phases.reshape(stride**2 * inputs, outputs, 2 * reach + 1, 2 * reach + 1), reach, start


@final
class DenseMap(LinearMap):
    """A matrix on flat features, ``(B, in) -> (B, out)``, which may be feature maps above or below it.

    Args:
        matrix: ``(in, out)``; entries of feature maps are ordered (row, column, channel).
        target: ``(C, H, W)`` where the result is feature maps; None where it is flat.
    """

    def __init__(self, matrix: Tensor, target: tuple[int, int, int] | None = None) -> None:
        self.matrix = matrix.contiguous()
        self.target = target

    def __call__(self, x: Tensor) -> Tensor:
        """The product, in the shape of the target."""
        return self._shaped(self._flat(x) @ self.matrix)

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        """The bias is part of the product's kernel."""
        return self._shaped(torch.addmm(bias, self._flat(x), self.matrix))

    def _flat(self, x: Tensor) -> Tensor:
        return x if x.ndim == 2 else x.permute(0, 2, 3, 1).flatten(1)  # noqa: PLR2004

    def _shaped(self, x: Tensor) -> Tensor:
        if self.target is None:
            return x
        channels, height, width = self.target
        return x.view(-1, height, width, channels).permute(0, 3, 1, 2)
