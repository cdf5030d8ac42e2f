"""Sequences as pictures: one small plot for each."""

from __future__ import annotations

import torch
from PIL import Image, ImageDraw
from torch import Tensor

__all__ = ["are_sequences", "traces_of"]

_SEQUENCES = 3
"""Dimensions of a batch of sequences, (B, C, L)."""

_COLOURS = ("#1f4e79", "#b5482a", "#3c7a3c", "#7a4c9c", "#8a6d1d", "#2a8a8a")
"""Of the channels; more than these are not drawn."""

_GROUND, _RULE = "#f4f4f4", "#d0d0d0"
_WIDTH, _HEIGHT, _MARGIN = 160, 64, 3
_FINER = 3
"""Drawn so many times larger and reduced: lines without stairs."""


def are_sequences(x: Tensor) -> bool:
    """Whether these examples can be plotted: ``(B, C, L)`` of few channels and two points or more."""
    return x.ndim == _SEQUENCES and 1 <= x.shape[1] <= len(_COLOURS) and x.shape[2] > 1


def traces_of(sequences: Tensor) -> Tensor:
    """A plot of each, ``(B, C, L) -> (B, 3, h, w)`` uint8: a line for each channel, all on one scale.

    Faint lines stand at -1, 0 and 1, so that plots of one data set compare whatever their scales.
    What is not finite is drawn as 0.
    """
    values = sequences.detach().double().cpu().nan_to_num(0, 0, 0)
    low, high = (float(each) for each in (values.min(), values.max())) if values.numel() else (0.0, 0.0)
    return torch.stack([_plot(each, low, high) for each in values]) if len(values) else _nothing()


def _plot(channels: Tensor, low: float, high: float) -> Tensor:
    width, height, margin = (size * _FINER for size in (_WIDTH, _HEIGHT, _MARGIN))
    picture = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(picture)

    def line(levels: Tensor, colour: str, thickness: int) -> None:
        share = (levels - low) / (high - low or 1.0)
        y = height - margin - share * (height - 2 * margin)
        x = torch.linspace(0, width, len(levels)).tolist()
        draw.line(list(zip(x, y.tolist(), strict=True)), colour, thickness)

    for level in (-1.0, 0.0, 1.0):
        if low <= level <= high:
            line(torch.full((2,), level).double(), _RULE, _FINER)
    for channel, colour in zip(channels, _COLOURS, strict=False):
        line(channel, colour, _FINER + 1)
    small = picture.resize((_WIDTH, _HEIGHT), Image.Resampling.BOX)
    return (
        torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        .view(_HEIGHT, _WIDTH, 3)
        .permute(2, 0, 1)
    )


def _nothing() -> Tensor:
    return torch.empty(0, 3, _HEIGHT, _WIDTH, dtype=torch.uint8)
