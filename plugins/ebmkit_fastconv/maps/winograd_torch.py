"""Winograd's convolutions in torch: sizes, the packed kernel, and transforms by matrix products."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import attrs
import numpy as np
import torch
from torch import Tensor

from ebmkit.core.torch_private import onednn
from ebmkit_fastconv.maps.direct import LinearMap
from ebmkit_fastconv.maps.winograd import OUT, Kernel, cook_toom

__all__ = ["Geometry", "TorchWinograd", "WinogradMap"]


@final
@attrs.frozen
class Geometry:
    """Sizes of one Winograd convolution.

    Attributes:
        rows: images at a time.
        inputs: channels of the images read (not of their phases).
        outputs: channels of the images written.
        source: height and width of the images read.
        target: height and width of the images written.
        size: t.
    """

    rows: int
    inputs: int
    outputs: int
    source: tuple[int, int]
    target: tuple[int, int]
    size: int
    kernel: Kernel

    @property
    def tiles(self) -> tuple[int, int]:
        """Tiles down and across."""
        per_tile = OUT * self.kernel.output_phases
        return -(-self.target[0] // per_tile), -(-self.target[1] // per_tile)

    @property
    def count(self) -> int:
        """Tiles of all rows."""
        return self.rows * self.tiles[0] * self.tiles[1]


class WinogradMap(LinearMap):
    """What the transforms in torch and in C share: the kernel in Winograd's space, and its sizes.

    Args:
        kernel: the convolution.
        source: ``(C, H, W)`` of the images read.
        target: ``(C, H, W)`` of the images written.
        rows: images at a time; fewer are padded.
    """

    def __init__(
        self, kernel: Kernel, *, source: tuple[int, int, int], target: tuple[int, int, int], rows: int
    ) -> None:
        taps = kernel.weight.shape[2]
        self.matrices = cook_toom(taps)
        self.geometry = Geometry(rows, source[0], target[0], source[1:], target[1:], OUT + taps - 1, kernel)
        self.channels, self.results = _channels(kernel)
        self.packed = self._pack(kernel.weight)

    def _pack(self, weight: Tensor) -> Tensor:
        """The kernel at each of the t² points, as a grouped 1x1 convolution with one group a point."""
        groups, taps = self.geometry.size**2, weight.shape[2]
        to_points = torch.from_numpy(np.kron(self.matrices.kernel, self.matrices.kernel)).to(weight)
        points = (to_points @ weight.permute(2, 3, 0, 1).reshape(taps**2, -1)).view(-1, self.channels, 1, 1)
        size = [1, groups * self.channels, self.geometry.count, 1]
        return onednn._reorder_convolution_weight(points, [0, 0], [1, 1], [1, 1], groups, size)  # type: ignore[no-any-return]  # noqa: SLF001

    def products(self, points: Tensor) -> Tensor:
        """The sums over channels at each point: ``(tiles, t², C_in) -> (tiles, t², C_out)``."""
        tiles, groups, _ = points.shape
        columns = points.view(1, tiles, 1, -1).permute(0, 3, 1, 2)
        sums = onednn._convolution_pointwise(  # noqa: SLF001
            columns, self.packed, None, [0, 0], [1, 1], [1, 1], groups, "none", [], ""
        )
        return sums.permute(0, 2, 3, 1).view(tiles, groups, -1)  # type: ignore[no-any-return]

    def __call__(self, x: Tensor) -> Tensor:
        """The convolution of x; fewer rows than planned are filled up with zeros."""
        rows = len(x)
        if rows != self.geometry.rows:
            x = torch.cat([x, x.new_zeros(self.geometry.rows - rows, *x.shape[1:])])
        image = self._convolve(x.permute(0, 2, 3, 1).contiguous())
        return image.permute(0, 3, 1, 2)[:rows]

    @abstractmethod
    def _convolve(self, x: Tensor) -> Tensor:
        """``(B, H, W, C) -> (B, H', W', C')``, contiguous."""


@final
class TorchWinograd(WinogradMap):
    """Winograd's convolution in torch alone: a strided gather, and matrix products for the transforms."""

    def __init__(
        self, kernel: Kernel, *, source: tuple[int, int, int], target: tuple[int, int, int], rows: int
    ) -> None:
        super().__init__(kernel, source=source, target=target, rows=rows)
        at = self.geometry
        self.data, self.result = (
            torch.from_numpy(np.kron(matrix, matrix)).to(kernel.weight).expand(at.count, -1, -1)
            for matrix in (self.matrices.data, self.matrices.result)
        )
        phases, down, across = kernel.input_phases, *at.tiles
        height = (down * OUT + at.size - OUT) * phases
        width = (across * OUT + at.size - OUT) * phases
        new = kernel.weight.new_empty
        self.padded = new(at.rows, height, width, at.inputs).zero_()
        self.gathered = new(at.count, at.size**2, self.channels)
        self.points = torch.empty_like(self.gathered)
        self.tiles = new(at.count, OUT**2, self.results)

    def _convolve(self, x: Tensor) -> Tensor:
        self._gather(x)
        torch.bmm(self.data, self.gathered, out=self.points)
        torch.bmm(self.result, self.products(self.points), out=self.tiles)
        return self._scatter()

    def _gather(self, x: Tensor) -> None:
        """Every tile of the padded image: ``(tiles, t², C_in)``."""
        at, phases = self.geometry, self.geometry.kernel.input_phases
        (down, across), size, edge = at.tiles, at.size, at.kernel.padding
        self.padded[:, edge : edge + at.source[0], edge : edge + at.source[1]] = x
        image, row, column, _ = self.padded.stride()
        step_down, step_across = phases * row, phases * column
        shape = (at.rows, down, across, size, size, phases, phases * at.inputs)
        strides = (image, OUT * step_down, OUT * step_across, step_down, step_across, row, 1)
        self.gathered.view(shape).copy_(self.padded.as_strided(shape, strides))

    def _scatter(self) -> Tensor:
        """The 4x4 results of every tile, and of every phase, back in their places."""
        at, phases = self.geometry, self.geometry.kernel.output_phases
        down, across = at.tiles
        tiles = self.tiles.view(at.rows, down, across, OUT, OUT, phases, phases, at.outputs)
        whole = tiles.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(
            at.rows, down * OUT * phases, across * OUT * phases, at.outputs
        )
        return whole[:, : at.target[0], : at.target[1]]


def _channels(kernel: Kernel) -> tuple[int, int]:
    """What is summed over, and what comes out, at each point: phases counted as channels."""
    return kernel.weight.shape[1], kernel.weight.shape[0]
