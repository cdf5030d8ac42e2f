"""Torch's convolutions, computed Winograd's way wherever that is faster, whoever calls them.

Inside a block of ``WideConvolutions`` a call of ``torch.conv2d`` or ``torch.conv_transpose2d``, as torch's
layers make it, is answered by ``learning`` where that pays, and by torch otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ebmkit.core import layers_are_plain
from ebmkit.core.torch_private import is_derived_forward, is_observed, is_traced, is_transformed
from ebmkit_fastconv.maps.choice import is_wide
from ebmkit_fastconv.maps.direct import has_mkldnn
from ebmkit_fastconv.updates.autograd import Place, convolve, convolve_transposed, is_readable, pays

__all__ = ["WideConvolutions", "has_wide_convolutions"]

Pair: TypeAlias = int | str | Sequence[int]


def has_wide_convolutions(module: nn.Module) -> bool:
    """Whether one of the module's layers may gain."""
    return any(each.ndim == 4 and is_wide(each) for each in module.parameters())  # noqa: PLR2004


@final
class WideConvolutions(TorchFunctionMode):
    """Answers calls of torch's convolutions inside the block.

    A call is answered only where torch would give the same: the arguments are such that torch takes them, and
    lie in memory in one of the two orders for which the order of torch's result is known.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What ``func`` gives, to rounding."""
        kwargs = kwargs or {}
        if torch.compiler.is_compiling():  # first: the compiler follows what comes after
            return func(*args, **kwargs)
        answer = _ANSWERS.get(func)
        result = None if answer is None or layers_are_plain() else answer(*args, **kwargs)
        return func(*args, **kwargs) if result is None else result


def _conv2d(  # noqa: PLR0917 - the signatures here are torch's
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor | None:
    sides = _square(stride, padding, dilation, groups)
    if sides is None or not _plain(input, weight, bias) or not _fit(input, weight, bias, read=1):
        return None
    size = [(side + 2 * sides[1] - weight.shape[2]) // sides[0] + 1 for side in input.shape[2:]]
    at = Place(*sides, _maps(input.shape[1:]), _maps((weight.shape[0], *size)))
    return convolve(input, weight, bias, at) if pays(len(input), weight, at) else None


def _conv_transpose2d(  # noqa: PLR0917
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Tensor | None:
    sides, extra = _square(stride, padding, dilation, groups), _one(output_padding)
    if (
        sides is None
        or extra is None
        or not _plain(input, weight, bias)
        or not _fit(input, weight, bias, read=0)
    ):
        return None
    step, pad = sides
    if not 0 <= extra < step:
        return None
    size = [(side - 1) * step - 2 * pad + weight.shape[2] + extra for side in input.shape[2:]]
    at = Place(*sides, _maps((weight.shape[1], *size)), _maps(input.shape[1:]))
    return (
        convolve_transposed(input, weight, bias, at)
        if min(size) > 0 and pays(len(input), weight, at)
        else None
    )


_ANSWERS: Mapping[Callable[..., Any], Callable[..., Tensor | None]] = {
    torch.conv2d: _conv2d,
    torch.conv_transpose2d: _conv_transpose2d,
}


def _plain(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Tensors of float32 on a processor, in plain memory, under nothing that would have to see inside."""
    tensors = (x, weight) if bias is None else (x, weight, bias)
    return (
        all(type(each) in (Tensor, nn.Parameter) and each.dtype == torch.float32 for each in tensors)
        and all(each.device.type == "cpu" and each.layout == torch.strided for each in tensors)
        and _is_in_order(x)
        and _is_in_order(weight)
        and all(map(is_readable, tensors))
        and has_mkldnn(x)
        and not torch.is_autocast_enabled("cpu")
        and not is_observed()
        and not is_traced()
        and not is_transformed()
        and not is_derived_forward()
    )


def _is_in_order(x: Tensor) -> bool:
    """Images or kernels, one after the other in memory, channels first or last."""
    return x.ndim == 4 and (x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last))  # noqa: PLR2004


def _fit(x: Tensor, weight: Tensor, bias: Tensor | None, *, read: int) -> bool:
    """Whether torch takes these shapes: a square kernel that reads, along its side ``read``, what x has."""
    written = weight.shape[1 - read]
    return (
        len(x) > 0
        and weight.shape[2] == weight.shape[3]
        and x.shape[1] == weight.shape[read]
        and (bias is None or bias.shape == (written,))
    )


def _square(stride: Pair, padding: Pair, dilation: Pair, groups: int) -> tuple[int, int] | None:
    """Stride and padding, if they are the same both ways and nothing else is asked for."""
    step, pad = _one(stride), _one(padding)
    if step is None or pad is None or step < 1 or pad < 0 or _one(dilation) != 1 or groups != 1:
        return None
    return step, pad


def _one(pair: Pair) -> int | None:
    """The number that a pair repeats, or None: what else torch takes, or refuses, it is to say itself."""
    numbers: Sequence[Any] = pair if isinstance(pair, (list, tuple)) else [pair]
    if len(numbers) not in (1, 2) or any(type(each) is not int for each in numbers):
        return None
    return int(numbers[0]) if len(set(numbers)) == 1 else None


def _maps(shape: Sequence[int]) -> tuple[int, int, int]:
    channels, height, width = shape
    return channels, height, width
