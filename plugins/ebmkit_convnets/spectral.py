"""Spectral normalisation that stands still but for one step of power iteration an update."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

__all__ = ["SpectralNorm", "normalise"]

_FIRST = 30


@final
class SpectralNorm(nn.Module):
    r"""A parametrization of torch's: the weight divided by its largest singular value, as estimated.

    $$W \mapsto W / (u^T W v), \qquad v \propto W^T u, \quad u \propto W v$$

    W is the weight as a matrix, ``(C_out, C_in k k)``. u and v move when ``advance`` is called and never
    else: the weight is the same in a chain, in both terms of an update and in a metric. (Torch's own
    ``spectral_norm`` takes a step of the iteration at each evaluation in training mode: twice in one update,
    whose terms would be those of two energies, and whenever the model is only looked at.) They are buffers,
    ``left`` and ``right``: saved, and to be copied, not averaged, where weights are averaged.

    Args:
        weight: the one to normalise.

    Source: Miyato, Kataoka, Koyama, Yoshida, 2018, arXiv 1802.05957.
    """

    left: Tensor
    right: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("left", nn.functional.normalize(torch.randn(len(matrix)).to(matrix), dim=0))
        self.register_buffer("right", torch.zeros_like(matrix[0]))
        self.advance(weight, steps=_FIRST)

    def forward(self, weight: Tensor) -> Tensor:
        """``weight`` over its largest singular value, differentiable."""
        # Copies, because ``advance`` may write to the buffers before a graph is walked back.
        left, right = self.left.clone(), self.right.clone()
        return weight / torch.dot(left, torch.mv(weight.flatten(1), right))

    @torch.no_grad()
    def advance(self, weight: Tensor, steps: int = 1) -> None:
        """Steps of power iteration."""
        matrix = weight.flatten(1)
        for _ in range(steps):
            self.right.copy_(nn.functional.normalize(torch.mv(matrix.T, self.left), dim=0))
            self.left.copy_(nn.functional.normalize(torch.mv(matrix, self.right), dim=0))


def normalise(layer: nn.Module) -> None:
    """Normalise the weight of a layer; one step of the iteration is taken whenever its gradient has come."""
    norm = SpectralNorm(layer.weight)  # type: ignore[arg-type]
    parametrize.register_parametrization(layer, "weight", norm)
    original: Tensor = layer.parametrizations.weight.original  # type: ignore[union-attr, assignment]
    original.register_post_accumulate_grad_hook(norm.advance)  # type: ignore[no-untyped-call]
