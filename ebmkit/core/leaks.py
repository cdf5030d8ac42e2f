"""What of a tensor leaves torch, by calls that no operation shows: a function may decide by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["Leaks", "leaves_torch", "reads_numbers"]


@final
class Leaks(TorchFunctionMode):
    """Tells of calls by which something of a followed tensor leaves torch, and its dispatcher is not asked.

    Args:
        is_followed: whether it matters of a tensor.
        tell: called with the name of each such call, after it.
        leaks: whether a call does, by the function and its result.
    """

    def __init__(
        self,
        is_followed: Callable[[Tensor], bool],
        tell: Callable[[str], None],
        leaks: Callable[[Callable[..., Any], Any], bool],
    ) -> None:
        super().__init__()
        self._is_followed, self._tell, self._leaks = is_followed, tell, leaks

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What the call gives, unchanged."""
        result = func(*args, **(kwargs or {}))
        if self._leaks(func, result):
            given = (each for each in (*args, *(kwargs or {}).values()) if isinstance(each, Tensor))
            if any(map(self._is_followed, given)):
                self._tell(getattr(func, "__name__", str(func)))
        return result


def leaves_torch(function: Callable[..., Any], result: Any) -> bool:
    """Whether a call turns a tensor into something else than tensors.

    A list of its numbers, an array, an address, a node of the graph onto which a hook may be hung. What is
    known of a tensor without its numbers may be looked at.
    """
    return function not in _HARMLESS and not _holds_tensors(result)


def reads_numbers(function: Callable[..., Any], result: Any) -> bool:
    """Whether a call gives the numbers of a tensor, or the way to them, and asks no kernel for them."""
    del result
    return function in _WAYS_TO_NUMBERS


def _holds_tensors(result: Any) -> bool:
    return isinstance(result, Tensor) or (
        isinstance(result, (tuple, list)) and bool(result) and all(map(_holds_tensors, result))
    )


_WAYS_TO_NUMBERS = frozenset(
    getattr(Tensor, name)
    for name in ("numpy", "tolist", "data_ptr", "storage", "untyped_storage", "__array__", "__dlpack__")
)
_METADATA = (
    *("shape", "ndim", "dtype", "device", "layout", "requires_grad", "is_leaf", "itemsize", "nbytes"),
    *("is_cuda", "is_cpu", "is_mps", "is_meta", "is_sparse", "is_mkldnn", "is_quantized", "is_nested"),
)
_HARMLESS = frozenset(
    [
        *(getattr(Tensor, name).__get__ for name in _METADATA),
        *(Tensor.size, Tensor.dim, Tensor.ndimension, Tensor.numel, Tensor.nelement, Tensor.__len__),
        *(Tensor.stride, Tensor.storage_offset, Tensor.element_size, Tensor.is_contiguous, Tensor.get_device),
        *(
            Tensor.is_floating_point,
            Tensor.is_complex,
            Tensor.is_signed,
            Tensor.is_same_size,
            Tensor.__hash__,
        ),
        *(torch.numel, torch.is_floating_point, torch.is_complex, torch.is_same_size),
    ]
)
"""What the numbers of a tensor do not decide."""
