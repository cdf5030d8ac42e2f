"""Energies that watch what a sampler does to them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmkit.core import Energy, as_rows

__all__ = ["Probe", "bowl", "walled"]


def bowl(x: Tensor) -> Tensor:
    """|x|²/2 + Σ cos(x)/2: a bare function, not Gaussian, ``(B, *S) -> (B,)``."""
    return as_rows(x.square() + x.cos()).sum(1) / 2


class Probe(Energy):
    """``bowl`` with what a sampler must leave alone: parameters, buffers, modes; it counts its calls."""

    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.scale.grad = torch.tensor(7.0)
        self.frozen = nn.Parameter(torch.tensor(0.0), requires_grad=False)
        self.register_buffer("offset", torch.tensor(0.5))
        self.active = nn.Dropout(0.5)
        self.still = nn.Dropout(0.5).eval()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """``(B, *S) -> (B,)``."""
        self.calls += 1
        return self.scale * bowl(x) + self.frozen * self.offset

    def tensors(self) -> dict[str, Tensor]:
        """Every parameter, buffer and gradient by name."""
        gradients = {
            f"{name}.grad": parameter.grad
            for name, parameter in self.named_parameters()
            if parameter.grad is not None
        }
        return {**dict(self.named_parameters()), **dict(self.named_buffers()), **gradients}

    def modes(self) -> list[bool]:
        """Train or eval of every submodule."""
        return [module.training for module in self.modules()]


def walled(x: Tensor) -> Tensor:
    """-|x|²/2 inside |x| < 1.5, where it pushes outwards; NaN with NaN gradients beyond."""
    inside = as_rows(x).abs().amax(1) < 1.5  # noqa: PLR2004 - the wall
    energy = -as_rows(x).square().sum(1) / 2
    return energy * torch.where(inside, 1.0, torch.nan).to(x.dtype)
