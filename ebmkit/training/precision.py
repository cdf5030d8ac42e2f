"""The number formats that a precision means for the schedule's own forward passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from ebmkit.core import Precision, computing_in
from ebmkit.core.torch_private import has_bfloat16_arithmetic

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
    return not has_bfloat16_arithmetic()


@contextmanager
def tensor_cores(precision: Precision, device: torch.device) -> Iterator[None]:
    """On a GPU: keep convolutions and products of ``fp32`` out of tf32, and allow it to the other two.

    torch by itself allows it to convolutions, forwards and backwards. What was set before is set again after;
    between, torch 2.9 and later refuse to answer ``allow_tf32``, which they have replaced.
    """
    if device.type != "cuda":
        yield
        return
    switch = _precisions if hasattr(torch.backends.cudnn, "conv") else _allowances
    with switch(tf32=precision != "fp32"):
        yield


@contextmanager
def _precisions(*, tf32: bool) -> Iterator[None]:
    """The switches of torch 2.9 and later, alone: once they are used, reading the older ones raises."""
    cudnn: Any = torch.backends.cudnn
    switches: tuple[Any, ...] = (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)
    # What says the same as the switch above it is left to follow that one again.
    above, before = cudnn.fp32_precision, [switch.fp32_precision for switch in switches]
    before = ["none" if value == above else value for value in before]
    try:
        for switch in switches:
            switch.fp32_precision = "tf32" if tf32 else "ieee"
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


@contextmanager
def _allowances(*, tf32: bool) -> Iterator[None]:
    """The switches up to torch 2.8."""
    switches: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = tf32
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value
