"""How well a model reconstructs what it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Figure, Material, Metric, Need, as_rows, standard_error
from ebmkit.errors import DataError

__all__ = ["Reconstruction"]

_BLOCK = 50


@final
@attrs.frozen(kw_only=True)
class Reconstruction(Metric):
    """How well the generator reconstructs held-out examples: root mean square error of a coordinate.

    In the units of x; of images in [-1, 1] 0.1 is 5 % of the range from black to white. What the model can
    reconstruct it can generate; what it cannot, it never does. Beside it ``reconstruction_training`` of as
    many training examples, if they are there: the difference is what was fitted and not learned.
    """

    needs: ClassVar[tuple[Need, ...]] = ("held_out", "reconstruct")

    def measure(self, material: Material) -> Sequence[Figure]:
        """``reconstruction`` and, where there are training examples, ``reconstruction_training``."""
        count = len(material.examples("held_out"))
        names = {"reconstruction": "held_out"}
        if material.training is not None:
            names["reconstruction_training"] = "training"
        figures = []
        for name, of_set in names.items():
            errors = _errors(material, of_set, count)
            figures.append(Figure(name, float(errors.mean()), standard_error(errors), len(errors)))
        return figures


def _errors(material: Material, name: str, count: int) -> Tensor:
    """The error of each of the first so many examples, ``(n,)``, a block at a time."""
    examples, reconstruct = material.examples(name), material.reconstruct
    if reconstruct is None:
        raise DataError("this needs a generator that reconstructs examples")
    blocks = torch.split(torch.arange(min(count, len(examples))), _BLOCK)
    return torch.cat([_block_errors(examples[index], reconstruct(examples[index])) for index in blocks])


def _block_errors(x: Tensor, reconstructed: Tensor) -> Tensor:
    if x.shape != reconstructed.shape:
        raise DataError(
            f"examples of the shape {tuple(x.shape)} were reconstructed as {tuple(reconstructed.shape)}"
        )
    return as_rows(x.double() - reconstructed.double()).square().mean(1).sqrt()
