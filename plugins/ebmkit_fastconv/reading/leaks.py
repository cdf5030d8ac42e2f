"""What of a tensor leaves torch: where it depends on x, the energy decides by it what no operation shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["Leaks"]


@final
class Leaks(TorchFunctionMode):
    """Tells of calls that turn a followed tensor into something else than tensors.

    A list of its numbers, an array, an address, a node of the graph onto which somebody may hang a hook:
    torch's dispatcher is not asked for those. What is known of a tensor without its numbers may be looked at.

    Args:
        is_followed: whether a tensor depends on x.
        tell: called with the name of each such call.
    """

    def __init__(self, is_followed: Callable[[Tensor], bool], tell: Callable[[str], None]) -> None:
        super().__init__()
        self._is_followed, self._tell = is_followed, tell

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What the call gives, unchanged."""
        result = func(*args, **(kwargs or {}))
        if func not in _HARMLESS and not _holds_tensors(result):
            given = (each for each in (*args, *(kwargs or {}).values()) if isinstance(each, Tensor))
            if any(map(self._is_followed, given)):
                self._tell(getattr(func, "__qualname__", str(func)))
        return result


def _holds_tensors(result: Any) -> bool:
    return isinstance(result, Tensor) or (
        isinstance(result, (tuple, list)) and bool(result) and all(map(_holds_tensors, result))
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
