"""What the processor is good at: multiplying, or moving numbers."""

from __future__ import annotations

import os

import torch

__all__ = ["multiplies_fast"]


def multiplies_fast() -> bool:
    """Whether it has vectors of 512 bits.

    With them torch's own convolutions take half the time, while Winograd's transforms, which are bound by
    memory, take the same: saved multiplications are worth less. ``EBMKIT_WINOGRAD=1`` says no.
    """
    return os.environ.get("EBMKIT_WINOGRAD") != "1" and torch.backends.cpu.get_cpu_capability() == "AVX512"
