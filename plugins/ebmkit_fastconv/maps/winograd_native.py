"""Winograd's convolution with transforms in C and products by oneDNN."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ebmkit_fastconv.maps.direct import LinearMap, Top
from ebmkit_fastconv.maps.transforms import Fold, Layout, Transforms
from ebmkit_fastconv.maps.winograd import Kernel
from ebmkit_fastconv.maps.winograd_torch import WinogradMap
from ebmkit_fastconv.reading.activations import Activation

__all__ = ["FoldedTranspose", "NativeWinograd"]

_PLAIN, _ACTIVATED, _WEIGHED, _MASKED = range(4)


@final
class NativeWinograd(WinogradMap):
    """One pass over the image to read its tiles, one grouped 1x1 convolution, one pass to write the result.

    Bias, activation, the weight of the features and the derivative of the layer below happen while the
    result is written.
    """

    def __init__(
        self,
        kernel: Kernel,
        transforms: Transforms,
        *,
        source: tuple[int, int, int],
        target: tuple[int, int, int],
        rows: int,
    ) -> None:
        super().__init__(kernel, source=source, target=target, rows=rows)
        self.transforms = transforms
        at = self.geometry
        down, across = at.tiles
        self.reads = Layout(rows, *at.source, at.inputs, down, across, kernel.input_phases, kernel.padding)
        self.writes = Layout(rows, *at.target, at.outputs, down, across, kernel.output_phases, 0)
        self.gathered = kernel.weight.new_empty(at.count, at.size**2, self.channels)
        self.values = torch.empty(rows, down, dtype=torch.float64, device="cpu")

    def activated(self, x: Tensor, bias: Tensor, activation: Activation) -> tuple[Tensor, Tensor]:
        """Bias and activation while the result is written."""
        if activation.name != "leaky":
            return super().activated(x, bias, activation)
        result = self._run(x, _ACTIVATED, slope=activation.slope, bias=bias)
        return result, result

    def weighed(self, x: Tensor, bias: Tensor, activation: Activation, weight: Tensor) -> Top:
        """Weight, derivative and value while the result is written."""
        if activation.name != "leaky":
            return super().weighed(x, bias, activation, weight)
        rows = len(x)
        other = weight.permute(0, 2, 3, 1).contiguous()
        gradient = self._run(x, _WEIGHED, slope=activation.slope, bias=bias, other=other)
        return Top(gradient, self.values[:rows].sum(1))

    def masked(self, gradient: Tensor, memory: Tensor, activation: Activation) -> Tensor:
        """The derivative while the result is written."""
        if activation.name != "leaky":
            return super().masked(gradient, memory, activation)
        return self._run(gradient, _MASKED, slope=activation.slope, other=self._filled(memory))

    def whole(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """W * x + b of any number of rows, ``(B, C, H, W)``, part after part, in memory of its own."""
        rows, mode = self.geometry.rows, _PLAIN if bias is None else _ACTIVATED
        size = (len(x), self.geometry.outputs, *self.geometry.target)
        whole = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        for part, out in zip(torch.split(x, rows), torch.split(whole, rows), strict=True):
            if len(part) == rows:
                self._transform(self._filled(part), out.permute(0, 2, 3, 1), mode, bias=bias)
            else:
                out.copy_(self._run(part, mode, slope=1.0, bias=bias))
        return whole

    def _convolve(self, x: Tensor) -> Tensor:
        return self._transform(x, self._image(x), _PLAIN)

    def _run(
        self, x: Tensor, mode: int, *, slope: float, bias: Tensor | None = None, other: Tensor | None = None
    ) -> Tensor:
        image = self._transform(self._filled(x), self._image(x), mode, slope=slope, bias=bias, other=other)
        return image.permute(0, 3, 1, 2)[: len(x)]

    def _image(self, x: Tensor) -> Tensor:
        return x.new_empty(self.geometry.rows, *self.geometry.target, self.geometry.outputs)

    def _filled(self, x: Tensor) -> Tensor:
        """``(B, H, W, C)``, contiguous, with as many rows as the kernel works on."""
        missing = self.geometry.rows - len(x)
        if missing:
            x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
        return x.permute(0, 2, 3, 1).contiguous()

    def _transform(
        self,
        x: Tensor,
        image: Tensor,
        mode: int,
        *,
        slope: float = 1.0,
        bias: Tensor | None = None,
        other: Tensor | None = None,
    ) -> Tensor:
        at = self.geometry
        self.transforms.read(at.size, x, self.reads, self.gathered)
        products = self.products(self.gathered)
        flat = None if bias is None else bias.flatten().contiguous()
        self.transforms.write(
            at.size,
            products,
            self.writes,
            image,
            mode=mode,
            slope=slope,
            bias=flat,
            other=other,
            values=self.values,
        )
        return image


@final
class FoldedTranspose(LinearMap):
    """The transpose of a convolution of few channels: one matrix product, then the sum over where it sends.

    Args:
        weight: of the convolution, ``(C_out, C_in, k, k)``.
        transforms: for the sum.
        stride: of the convolution.
        padding: of the convolution.
        size: ``(C_in, H, W)``, what the convolution was applied to.
    """

    def __init__(
        self, weight: Tensor, transforms: Transforms, *, stride: int, padding: int, size: tuple[int, ...]
    ) -> None:
        self.transforms, self.size = transforms, size
        self.stride, self.padding, self.kernel = stride, padding, weight.shape[2]
        self.matrix = weight.permute(0, 2, 3, 1).flatten(1).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """The sum of what x sends back to each pixel."""
        channels, height, width = self.size
        rows, features, down, across = x.shape
        sent = x.permute(0, 2, 3, 1).reshape(-1, features) @ self.matrix
        image = x.new_empty(rows, *self.size)
        at = Fold(rows, height, width, channels, down, across, self.kernel, self.stride, self.padding)
        self.transforms.fold(sent, at, image)
        return image
