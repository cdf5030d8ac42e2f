r"""Convolutions by fast Fourier transforms, for kernels that are large against the image.

The image is cut into tiles of T x T pixels that overlap by a kernel's reach (overlap-save); in Fourier
space the convolution of a tile is a product of complex matrices at each of its frequencies:

$$\hat y_o(f) = \sum_i \overline{\hat w_{oi}(f)} \, \hat x_i(f)$$

A convolution of stride s is one of stride 1 over the s² phases of its input, its transpose one that gives
the s² phases of its result. It is as exact as the direct sum, to rounding.

Source: Mathieu, Henaff, LeCun, 2014, arXiv 1312.5851; Stockham, 1966 (overlapping sections).
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional

from ebmkit_fastconv.maps.direct import LinearMap

__all__ = ["FourierMap", "Taps", "fourier_map"]

_TILES = (16, 24, 32, 48)
"""Sides of a tile whose transforms are quick."""

_LEAST_KERNEL = 7
"""Smaller ones are Winograd's, or the direct sum's."""

_TRANSFORM_COST = 40.0
"""Multiplications of one pixel of one channel in and out of Fourier space, gathering included."""

_LOAD_COST = 12.0
"""The time in which one entry of the spectrum is read from memory, in multiplications."""

_WORTH = 0.36
"""Share of the direct sum's multiplications up to which this way is taken: its own take twice as long."""


class Taps(NamedTuple):
    """A stride-1 kernel over phases, ``(C_out, C_in, r, r)``, with the number of taps before the pixel."""

    weight: Tensor
    before: int


@final
class FourierMap(LinearMap):
    """A convolution, or the transpose of one, tile by tile in Fourier space.

    Images are worked on one by one: how a product is rounded may depend on its number of rows, and no
    image's bits shall depend on those beside it.

    Args:
        taps: the stride-1 kernel.
        source: ``(C, H, W)`` of the images read.
        target: ``(C, H, W)`` of the images written.
        tile: T.
        input_phases: s where the input is read by phases, otherwise 1.
        output_phases: s where the output is written by phases, otherwise 1.
    """

    def __init__(
        self,
        taps: Taps,
        *,
        source: tuple[int, int, int],
        target: tuple[int, int, int],
        tile: int,
        input_phases: int = 1,
        output_phases: int = 1,
    ) -> None:
        self.tile, self.input_phases, self.output_phases = tile, input_phases, output_phases
        self.source, self.target = source[1:], target[1:]
        self.valid = tile - taps.weight.shape[2] + 1
        self.counts = [-(-side // (output_phases * self.valid)) for side in self.target]
        self.padding = _padding(self, taps)
        spectrum = torch.fft.rfft2(taps.weight, s=(tile, tile)).conj()
        self.spectrum = spectrum.permute(2, 3, 1, 0).flatten(0, 1).resolve_conj().contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        """W * x, or its transpose: ``(B, *source) -> (B, *target)``."""
        if len(x) != 1:
            return torch.cat([self(row) for row in torch.split(x, 1)])
        x = functional.pad(x, self.padding)
        if self.input_phases > 1:
            x = functional.pixel_unshuffle(x, self.input_phases)
        y = self._back(torch.bmm(self._tiles(x), self.spectrum))
        if self.output_phases > 1:
            y = functional.pixel_shuffle(y, self.output_phases)
        y = y[:, :, : self.target[0], : self.target[1]]
        return y.contiguous(memory_format=torch.channels_last)

    def _tiles(self, x: Tensor) -> Tensor:
        """The spectrum of every tile: ``(1, C, n, m) -> (frequencies, tiles, C)``."""
        tiles = x[0].unfold(1, self.tile, self.valid).unfold(2, self.tile, self.valid)
        spectrum: Tensor = torch.fft.rfft2(tiles)
        return spectrum.permute(3, 4, 1, 2, 0).flatten(2, 3).flatten(0, 1)

    def _back(self, products: Tensor) -> Tensor:
        """From the products to an image, each tile without the pixels that wrapped around."""
        spectrum = products.view(self.tile, -1, *self.counts, products.shape[2])
        tiles: Tensor = torch.fft.irfft2(spectrum.permute(4, 2, 3, 0, 1), s=(self.tile, self.tile))
        valid = tiles[..., : self.valid, : self.valid]
        return valid.transpose(2, 3).flatten(3, 4).flatten(1, 2)[None]


def fourier_map(
    weight: Tensor,
    *,
    stride: int,
    padding: int,
    source: tuple[int, int, int],
    target: tuple[int, int, int],
    transposed: bool,
) -> FourierMap | None:
    """The map of a convolution, or of its transpose; None where the direct sum is cheaper.

    Args:
        weight: of the convolution, ``(C_out, C_in, k, k)``.
        stride: of the convolution.
        padding: of the convolution.
        source: ``(C_in, H, W)``, what the convolution is applied to.
        target: ``(C_out, H', W')``, what it gives.
        transposed: whether the transpose is wanted.
    """
    if weight.shape[2] < _LEAST_KERNEL:
        return None
    taps = _phases(weight, stride, padding)
    reach, phases = taps.weight.shape[2], (math.ceil(source[1] / stride), math.ceil(source[2] / stride))
    sides = phases if transposed else target[1:]
    costs = {tile: _cost(taps.weight, tile, sides) for tile in _TILES if tile >= 2 * reach}
    if not costs:
        return None
    tile = min(costs, key=costs.__getitem__)
    if costs[tile] > _WORTH * weight.numel() * target[1] * target[2]:
        return None
    if transposed:
        flipped = taps.weight.flip(2, 3).transpose(0, 1)
        back = Taps(flipped, reach - 1 - taps.before)
        return FourierMap(back, source=target, target=source, tile=tile, output_phases=stride)
    return FourierMap(taps, source=source, target=target, tile=tile, input_phases=stride)


def _phases(weight: Tensor, stride: int, padding: int) -> Taps:
    """A strided kernel over the phases of its input, ordered as ``pixel_unshuffle`` does."""
    outputs, inputs, kernel, _ = weight.shape
    first, last = math.floor(-padding / stride), math.floor((kernel - 1 - padding) / stride)
    phases = weight.new_zeros(outputs, inputs, stride, stride, last - first + 1, last - first + 1)
    # Pixel s m + a of the input is what the tap s j + a + p of the kernel sees from output m - j.
    places = [
        (phase, step - first, stride * step + phase + padding)
        for phase in range(stride)
        for step in range(first, last + 1)
        if 0 <= stride * step + phase + padding < kernel
    ]
    for row, i, tap_i in places:
        for column, j, tap_j in places:
            phases[:, :, row, column, i, j] = weight[:, :, tap_i, tap_j]
    return Taps(phases.flatten(1, 3), -first)


def _padding(at: FourierMap, taps: Taps) -> list[int]:
    """Zeros around the images read, so that the tiles cover them: left, right, top, bottom."""
    reach, phases = taps.weight.shape[2], at.input_phases
    before = phases * taps.before
    totals = [phases * (count * at.valid + reach - 1) for count in at.counts]
    height, width = (total - before - side for total, side in zip(totals, at.source, strict=True))
    return [before, width, before, height]


def _cost(weight: Tensor, tile: int, sides: tuple[int, ...]) -> float:
    """Multiplications for one image: products at half of the frequencies, and what they wait for.

    Transforms and the spectrum's way from memory were measured to gain nothing from a second thread, which
    halves the time of everything else.
    """
    outputs, inputs, reach, _ = weight.shape
    threads = torch.get_num_threads()
    tiles = math.prod(-(-side // (tile - reach + 1)) for side in sides)
    entries = inputs * outputs * tile * (tile // 2 + 1)
    transforms = threads * _TRANSFORM_COST * (inputs + outputs) * tile**2
    return tiles * (4 * entries + transforms) + threads * _LOAD_COST * entries
