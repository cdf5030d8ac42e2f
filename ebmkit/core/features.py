r"""Features: numbers that describe an image, in whose space sets of images are compared."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor, nn

from ebmkit.core.modes import evaluating
from ebmkit.errors import DataError
from ebmkit.parameters.ranges import Checked

__all__ = ["ExampleSet", "Features", "describe"]

_BLOCK = 16
"""Examples described at a time: on a processor larger blocks are slower, for they leave its caches."""


class ExampleSet(Protocol):
    """A finite set of examples found by their positions: a tensor ``(n, *S)``, a source, anything alike."""

    def __len__(self) -> int:
        """How many examples there are."""

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """The examples at these positions, ``(m,) int64 -> (m, *S)``."""


class Features(Checked, nn.Module, ABC):
    r"""A fixed map from images to vectors, $\phi(x)$; distances between those are what metrics compare.

    It has no parameters that learn, and each row depends on its own image only.

    Attributes:
        name: stands in every figure made with it, so it says all that changes its numbers: ``lite0-112``.
        size: pixels a side to which images are resized before they are looked at; None where they are not.
        caution: what the reader of its figures should know, as a sentence; None where nothing is known.
    """

    name: str
    size: int | None = None
    caution: str | None = None

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The vector of each image, ``(B, C, H, W)`` in [-1, 1] to ``(B, d)``.

        Values beyond [-1, 1] are clamped by whoever implements it.
        """

    def fingerprint(self) -> str:
        """SHA-256 over the name and all weights: features kept under it may be used again."""
        digest = hashlib.sha256(self.name.encode())
        for name, tensor in self.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def describe(
    features: Features, examples: ExampleSet, *, block: int = _BLOCK, device: torch.device | None = None
) -> Tensor:
    """The features of a whole set, a block of examples at a time, ``(n, d)`` on the CPU.

    Args:
        features: the map.
        examples: images, ``(n, C, H, W)``.
        block: examples in memory at a time, >= 1.
        device: where the map is; the CPU if None.

    Raises:
        DataError: there are no examples, or some have features that are not finite.
    """
    if not len(examples):
        raise DataError("there are no examples to describe: the set is empty")
    described = torch.empty(0)
    with torch.no_grad(), evaluating(features):
        for index in torch.split(torch.arange(len(examples)), block):
            rows = features(examples[index].to(device)).cpu()
            if not len(described):  # filled in, not joined at the end, where all would be there twice
                described = rows.new_empty(len(examples), *rows.shape[1:])
            described[index] = rows
    broken = described.isfinite().all(1).logical_not().nonzero().flatten().tolist()
    if broken:
        raise DataError(
            f"{len(broken)} of {len(described)} examples have {features.name} features that are not finite, "
            f"the first of them at position {broken[0]}: look for NaN or infinity among the examples"
        )
    return described
