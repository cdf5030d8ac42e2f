"""From where on Winograd's way pays, by what a processor is good at: multiplying, or moving numbers.

It saves multiplications and moves more numbers: its transforms and packed kernels are bound by memory. The
faster a processor multiplies, the less of it pays. The rules were measured once (docs/performance.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias, final

import attrs
import torch

__all__ = ["EVERYWHERE", "NARROW", "WIDE", "Least", "Rules", "rules"]


class Least(NamedTuple):
    """The smallest layer for which it pays.

    Attributes:
        channels: on both sides of the kernel.
        tiles: of 4x4 results, in all rows.
    """

    channels: int
    tiles: int


OfKernel: TypeAlias = Mapping[tuple[int, int], Least]
"""By kernel and stride; of others it never pays."""


@final
@attrs.frozen
class Rules:
    """Where Winograd's way is taken.

    Attributes:
        chains: by stride, tiles in all rows from which on ten steps pay for packing a kernel.
        products: in updates, of the forward pass and of the gradient of x.
        kernels: in updates, of the gradient of the kernel.
    """

    chains: Mapping[int, int]
    products: OfKernel
    kernels: OfKernel


def _all(channels: int, tiles: int) -> dict[tuple[int, int], Least]:
    return {each: Least(channels, tiles) for each in ((3, 1), (5, 1), (4, 2), (5, 2))}


EVERYWHERE = Rules(chains={1: 1, 2: 1}, products=_all(64, 64), kernels=_all(64, 64))
"""Wherever multiplications are saved, faster or not, and every energy read at once: what is tested."""

NARROW = Rules(
    chains={1: 1, 2: 64},
    products=_all(64, 256) | {(4, 2): Least(128, 256)},
    kernels=_all(64, 64) | {(4, 2): Least(64, 128), (5, 2): Least(64, 128)},
)
"""Vectors of 256 bits."""

WIDE = Rules(
    chains={1: 32, 2: 64},
    products={(3, 1): Least(64, 128), (5, 1): Least(64, 128), (5, 2): Least(64, 512)},
    kernels={},
)
"""Vectors of 512 bits: torch's own convolutions take half the time, the transforms the same."""


def rules() -> Rules:
    """Those of this processor; ``EBMKIT_WINOGRAD=1`` takes ``EVERYWHERE``."""
    if os.environ.get("EBMKIT_WINOGRAD") == "1":
        return EVERYWHERE
    return WIDE if torch.backends.cpu.get_cpu_capability() == "AVX512" else NARROW
