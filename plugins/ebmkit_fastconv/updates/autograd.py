r"""Convolutions of layers that learn, Winograd's way: the result, and the gradients of image and kernel.

With the transforms of ``winograd``, a gradient D of the results Y = A^T [U ⊙ V] A of a tile reaches the
kernel in Winograd's space as the product, at each point, of what D and the image have there:

$$\frac{\partial L}{\partial g} = G^T \Big[ \sum_{\text{tiles}} (A\,D\,A^T) \odot (B^T d\,B) \Big] G$$

again t² matrix products, with as few multiplications as the forward pass. A transposed convolution has the
same three products in other roles. All need the compiled transforms.

Source: Lavin and Gray, 2015, arXiv 1509.09308, which leaves the gradient of the kernel to the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from ebmkit.core.torch_private import is_awaited, keeps_numbers, suggest_memory_format
from ebmkit_fastconv.maps.choice import fills_tiles, is_wide
from ebmkit_fastconv.maps.direct import output_padding
from ebmkit_fastconv.maps.processor import OfKernel, rules
from ebmkit_fastconv.maps.transforms import Layout, transforms
from ebmkit_fastconv.maps.winograd import OUT, cook_toom, form_of, plan_kernel, without_phases
from ebmkit_fastconv.maps.winograd_native import NativeWinograd

__all__ = ["Place", "convolve", "convolve_transposed", "is_readable", "kernel_gradient", "pays", "transpose"]

Maps = tuple[int, int, int]

_TILES = 800
"""Of one part of a batch."""


class Place(NamedTuple):
    """What a convolution of square stride and padding reads, ``(C, H, W)``, and writes."""

    stride: int
    padding: int
    source: Maps
    target: Maps

    @property
    def tiles(self) -> tuple[int, int]:
        """Of one image, down and across."""
        return -(-self.target[1] // OUT), -(-self.target[2] // OUT)

    def count(self, rows: int) -> int:
        """Tiles of a batch."""
        return rows * self.tiles[0] * self.tiles[1]

    def part(self, rows: int) -> int:
        """Rows at a time, in parts of nearly equal size."""
        return -(-rows // -(-self.count(rows) // _TILES))


def pays(rows: int, weight: Tensor, at: Place) -> bool:
    """Whether Winograd's way is faster for any of a layer's three products: a wide kernel, whole tiles."""
    form = form_of(weight.shape[2], stride=at.stride, padding=at.padding)
    there = min(*at.source, *at.target) > 0
    if not there or form is None or not fills_tiles(at.target):
        return False
    some = _allowed(rules().products, rows, weight, at) or _allowed(rules().kernels, rows, weight, at)
    return some and transforms() is not None


def _allowed(by_kernel: OfKernel, rows: int, weight: Tensor, at: Place) -> bool:
    """Whether a layer is large enough for one of the rules."""
    least = by_kernel.get((weight.shape[2], at.stride))
    return least is not None and is_wide(weight, least.channels) and at.count(rows) >= least.tiles


def is_readable(x: Tensor) -> bool:
    """Whether native code finds in its memory the numbers that a tensor stands for: no batch, no negative."""
    return keeps_numbers(x) and not x.is_neg()


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, at: Place) -> Tensor:
    """W * x + b with gradients: ``(B, *source) -> (B, *target)``."""
    return _Layer.apply(x, weight, bias, at, False)  # type: ignore[no-any-return,no-untyped-call]


def convolve_transposed(y: Tensor, weight: Tensor, bias: Tensor | None, at: Place) -> Tensor:
    """W^T * y + b with gradients: ``(B, *target) -> (B, *source)``."""
    return _Layer.apply(y, weight, bias, at, True)  # type: ignore[no-any-return,no-untyped-call]


def product(x: Tensor, weight: Tensor, bias: Tensor | None, at: Place) -> Tensor:
    """W * x + b."""
    if not _allowed(rules().products, len(x), weight, at):
        return _torchs(x, weight, bias, at, transposed=False)
    return _map(weight, at, len(x), transposed=False).whole(x, bias)


def transpose(y: Tensor, weight: Tensor, bias: Tensor | None, at: Place) -> Tensor:
    """W^T * y + b."""
    if not _allowed(rules().products, len(y), weight, at):
        return _torchs(y, weight, bias, at, transposed=True)
    return _map(weight, at, len(y), transposed=True).whole(y, bias)


def _torchs(x: Tensor, weight: Tensor, bias: Tensor | None, at: Place, *, transposed: bool) -> Tensor:
    """The operation itself: a call of ``torch.conv2d`` would be answered here again."""
    step, pad = [at.stride, at.stride], [at.padding, at.padding]
    extra = _output_padding(at, weight) if transposed else [0, 0]
    result: Tensor = torch.ops.aten.convolution(x, weight, bias, step, pad, [1, 1], transposed, extra, 1)
    return result


def kernel_gradient(x: Tensor, y: Tensor, weight: Tensor, at: Place) -> Tensor:
    r"""The gradient of $\langle y, W * x \rangle$ with respect to W, whose shape alone counts."""
    form = form_of(weight.shape[2], stride=at.stride, padding=at.padding)
    native = transforms()
    assert form is not None  # noqa: S101 - ``pays`` holds
    assert native is not None  # noqa: S101
    size, part = OUT + form.taps - 1, at.part(len(x))
    images, results = _Points(x, size, form.phases, at.padding, at), _Points(y, size, 1, 0, at)
    total = x.new_zeros(size**2, results.channels, images.channels)
    for begin in range(0, len(x), part):
        of_images = images.of(native.read, begin, begin + part)
        of_results = results.of(native.spread, begin, begin + part)
        total.baddbmm_(of_results.permute(1, 2, 0), of_images.transpose(0, 1))
    to_points = torch.from_numpy(np.kron(*[cook_toom(form.taps).kernel] * 2)).to(total)
    kernel = (to_points.T @ total.flatten(1)).view(form.taps, form.taps, *total.shape[1:])
    if form.phases > 1:
        kernel = without_phases(kernel, weight.shape[2])
    return kernel.permute(2, 3, 0, 1).contiguous()


class _Points:
    """Images in Winograd's space, part after part in the same memory."""

    def __init__(self, x: Tensor, size: int, phases: int, padding: int, at: Place) -> None:
        self._x, self._size, self._tiles = x.permute(0, 2, 3, 1), size, at.tiles
        self._phases, self._padding = phases, padding
        self.channels = x.shape[1] * phases**2
        self._memory = x.new_empty(at.count(at.part(len(x))), size**2, self.channels)

    def of(self, read: Any, begin: int, end: int) -> Tensor:
        """``(tiles, t², channels)`` of some rows."""
        x = self._x[begin:end].contiguous()
        layout = Layout(*x.shape, *self._tiles, self._phases, self._padding)
        read(self._size, x, layout, self._memory)
        return self._memory[: len(x) * self._tiles[0] * self._tiles[1]]


def _map(weight: Tensor, at: Place, rows: int, *, transposed: bool) -> NativeWinograd:
    kernel = plan_kernel(weight.detach(), stride=at.stride, padding=at.padding, transposed=transposed)
    native = transforms()
    assert kernel is not None  # noqa: S101 - ``pays`` holds
    assert native is not None  # noqa: S101
    source, target = (at.target, at.source) if transposed else (at.source, at.target)
    return NativeWinograd(kernel, native, source=source, target=target, rows=at.part(rows))


def _output_padding(at: Place, weight: Tensor) -> list[int]:
    """What the transposed convolution must be told, because several sizes have one result."""
    return output_padding(at.source, at.target, kernel=weight.shape[2], stride=at.stride, padding=at.padding)


@final
class _Layer(torch.autograd.Function):
    """The convolution, or its transpose, with gradients."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, at: Place, transposed: bool
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.at, ctx.transposed = at, transposed
        result = (transpose if transposed else product)(x, weight, bias, at)
        return _laid_out_as_torchs(result, x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight), at = gradients, ctx.saved_tensors, ctx.at
        if torch.is_grad_enabled() or not is_readable(gradient):
            return _twice_differentiable(ctx, gradient, x, weight)
        for_x, for_weight, for_bias = _asked_for(ctx)
        back = product if ctx.transposed else transpose
        image, result = (gradient, x) if ctx.transposed else (x, gradient)
        return (
            _laid_out_as_torchs(back(gradient, weight, None, at), gradient, weight) if for_x else None,
            _gradient_of_kernel(image, result, weight, at) if for_weight else None,
            gradient.sum((0, 2, 3)) if for_bias else None,
            None,
            None,
        )


def _gradient_of_kernel(x: Tensor, y: Tensor, weight: Tensor, at: Place) -> Tensor:
    if _allowed(rules().kernels, len(x), weight, at):
        return kernel_gradient(x, y, weight, at)
    _, gradient, _ = _torchs_gradients(y, x, weight, at, asked=[False, True, False])
    assert gradient is not None  # noqa: S101 - it was asked for
    return gradient


def _asked_for(ctx: Any) -> list[bool]:
    """Which gradients somebody waits for: a chain asks for that of x alone, whatever could be learned."""
    following = [node for node, _ in ctx.next_functions]
    following += [None] * (3 - len(following))  # without a bias
    return [
        needed and is_awaited(node) for needed, node in zip(ctx.needs_input_grad[:3], following, strict=True)
    ]


def _laid_out_as_torchs(result: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Channels last in memory if torch's would be: what comes next may see an image as rows of numbers."""
    last = any(suggest_memory_format(each) == torch.channels_last for each in (x, weight))
    return result.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def _twice_differentiable(ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor | None, ...]:
    """Torch's own, where somebody differentiates the gradient again, or asks for several at once."""
    asked, transposed = ctx.needs_input_grad[:3], ctx.transposed
    return *_torchs_gradients(gradient, x, weight, ctx.at, asked=asked, transposed=transposed), None, None


def _torchs_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, at: Place, *, asked: Sequence[bool], transposed: bool = False
) -> tuple[Tensor | None, ...]:
    """Those of image, kernel and bias; None for what is not asked for."""
    step, pad = [at.stride, at.stride], [at.padding, at.padding]
    extra = _output_padding(at, weight) if transposed else [0, 0]
    channels = [at.source[0] if transposed else at.target[0]]
    found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, channels, step, pad, [1, 1], transposed, extra, 1, asked
    )
    return found
