"""Energies and generators whose laws are known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmkit.core import Energy, LatentGenerator


class LinearDescriptor(Energy):
    """E(x) = |x|^2 / 2 s^2 - <w, x>, so p = N(s^2 w, s^2 I): the descriptor with f(x) = <w, x>."""

    def __init__(self, weight: Tensor, reference_std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.reference_std = reference_std

    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1) / (2 * self.reference_std**2) - x @ self.weight


class LinearGenerator(LatentGenerator):
    """g(z) = A z + b: factor analysis with isotropic noise, that is probabilistic PCA."""

    def __init__(self, matrix: Tensor, bias: Tensor, noise_std: float) -> None:
        super().__init__()
        self.latent_shape = (matrix.shape[1],)
        self.noise_std = noise_std
        self.matrix = nn.Parameter(matrix.clone())
        self.bias = nn.Parameter(bias.clone())

    def forward(self, z: Tensor) -> Tensor:
        return z @ self.matrix.T + self.bias

    def posterior_law(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(B, d)`` and covariance ``(d, d)`` of p(z | x)."""
        variance = self.noise_std**2
        precision = self.matrix.T @ self.matrix / variance + torch.eye(*self.latent_shape).to(self.matrix)
        covariance = precision.inverse()
        return (x - self.bias) @ self.matrix @ covariance / variance, covariance


def double(*shape: int, seed: int = 0) -> Tensor:
    """Reproducible N(0, 1) numbers in float64."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
