"""The number formats that a precision means for the schedule's own forward passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from ebmkit.core import Precision, computing_in

__all__ = ["arithmetic", "in_software", "tensor_cores"]


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute chains and forward passes inside this block in ``precision``; see ``ebmkit.core.Precision``.

    Backward passes follow the forward pass they belong to.
    """
    low = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
    with computing_in(precision), low:
        yield


def in_software(precision: Precision, device: torch.device) -> bool:
    """Whether the device has no arithmetic of its own for the precision, so that it gains no time there."""
    if precision == "fp32" or device.type != "cpu":
        return False
    return not torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001


@contextmanager
def tensor_cores(precision: Precision, device: torch.device) -> Iterator[None]:
    """On a GPU: keep convolutions and products of ``fp32`` out of tf32, and allow it to the other two.

    torch by itself allows it to convolutions, forwards and backwards.
    """
    if device.type != "cuda":
        yield
        return
    backends: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = precision != "fp32"
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value
