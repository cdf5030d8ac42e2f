"""The energies of given examples: how unlikely a trained energy finds each of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core import Energy, ExampleSet

__all__ = ["energies_of", "table_of"]

_BLOCK = 256
"""Examples at a time."""


def energies_of(energy: Energy, examples: ExampleSet) -> Tensor:
    """E of each example, in nats and their order, ``(N,)`` float64 on the CPU.

    Up to log Z, which is the same for all, it is -log p(x): the larger, the less likely.

    Args:
        energy: in eval mode.
        examples: N of them, read a block at a time.
    """
    device = next((each.device for each in energy.parameters()), torch.device("cpu"))
    with torch.no_grad():
        blocks = [
            energy(examples[index].to(device)).double().cpu()
            for index in torch.split(torch.arange(len(examples)), _BLOCK)
        ]
    return torch.cat(blocks)


def table_of(energies: Tensor) -> str:
    r"""The energies as comma-separated values under ``example,energy``; examples are counted from 0.

    Examples:
        >>> table_of(torch.tensor([1.5, -2.0]))
        'example,energy\n0,1.5\n1,-2.0\n'
    """
    rows = (f"{number},{energy!r}" for number, energy in enumerate(energies.tolist()))
    return "\n".join(["example,energy", *rows, ""])
