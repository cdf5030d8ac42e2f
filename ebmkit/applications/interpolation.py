"""Paths between latents, and what the generator makes of them."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["lines", "manifold", "sphere"]


def lines(start: Tensor, end: Tensor, *, points: int) -> Tensor:
    """Straight lines, end points included, ``(R, *Z), (R, *Z) -> (R * points, *Z)``, row by row.

    Examples:
        >>> lines(torch.tensor([[0.0]]), torch.tensor([[1.0]]), points=3).flatten()
        tensor([0.0000, 0.5000, 1.0000])
    """
    weights = torch.linspace(0, 1, points, dtype=start.dtype, device=start.device)
    weights = weights.view(1, points, *[1] * (start.ndim - 1))
    return ((1 - weights) * start[:, None] + weights * end[:, None]).flatten(0, 1)


def sphere(anchors: Tensor, *, points: int) -> Tensor:
    r"""A grid between four anchors on the sphere, ``(4, *Z) -> (points², *Z)``, row by row.

    $$z(\theta, \phi) = \sin\theta \sin\phi\, z_1 + \sin\theta \cos\phi\, z_2
    + \cos\theta \sin\phi\, z_3 + \cos\theta \cos\phi\, z_4$$

    with θ and φ from 0 to π/2. The squares of the weights add up to 1, so that independent
    anchors from N(0, I) give points from N(0, I): every image is as likely as an anchor's.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, the interpolation experiment; the weights
    are those of the authors' published code.
    """
    angle = torch.linspace(0, torch.pi / 2, points, dtype=anchors.dtype, device=anchors.device)
    across = torch.stack([angle.sin(), angle.cos()])  # (2, points)
    weights = torch.einsum("ai,bj->ijab", across, across).reshape(points**2, 4)
    grid: Tensor = torch.tensordot(weights, anchors, 1)
    return grid


def manifold(*, points: int, reach: float = 2.0) -> Tensor:
    """A square grid over two latent factors, from -reach to reach, ``(points², 2)``, row by row.

    Examples:
        >>> manifold(points=2, reach=1.0).tolist()
        [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """
    axis = torch.linspace(-reach, reach, points)
    return torch.cartesian_prod(axis, axis)
