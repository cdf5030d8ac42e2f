"""Smooth images made of a seed, and known ways to spoil them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ebmkit.core import Rng

SIDE = 32


def smooth(count: int, seed: int, channels: int = 1) -> Tensor:
    """Four soft spots of random places, widths and brightness each, with the sharp edge of a disc."""
    rng = Rng(seed).fold_in("images")
    draws = rng.uniform(torch.empty(count, channels, 5, 4, 1, 1))
    grid = torch.arange(SIDE) / SIDE
    away = (grid - draws[:, :, :, 0]).square() + (grid[:, None] - draws[:, :, :, 1]).square()
    spots = (draws[:, :, :, 2] - 0.5) * 2 * (-away / (0.02 + 0.06 * draws[:, :, :, 3])).exp()
    disc = 0.4 * (away[:, :, 0] < 0.06).float()
    return (spots[:, :, 1:].sum(2) + disc).clamp(-1, 1)


def blurred(x: Tensor, sigma: float) -> Tensor:
    place = torch.arange(-6.0, 7)
    window = (-place.square() / (2 * sigma**2)).exp()
    window = torch.outer(window, window) / window.sum() ** 2
    return functional.conv2d(functional.pad(x, [6] * 4, mode="reflect"), window[None, None])


def noisy(x: Tensor, sigma: float) -> Tensor:
    return x + sigma * Rng(9).fold_in("noise").normal(x)


def checkered(x: Tensor, amplitude: float) -> Tensor:
    place = torch.arange(x.shape[-1])
    return x + amplitude * ((place + place[:, None]) % 2 * 2 - 1)


def blended(x: Tensor) -> Tensor:
    return (x + x.roll(1, 0)) / 2


def copied(x: Tensor, kinds: int) -> Tensor:
    return x[:kinds].repeat(len(x) // kinds, 1, 1, 1)
