r"""Winograd's convolutions: fewer multiplications, the same result to rounding.

Tiles of 4x4 results of an r x r kernel are computed in a space of t x t = (r + 3) x (r + 3) points,
where the convolution is a product at each point:

$$Y = A^T \big[ (G\,g\,G^T) \odot (B^T d\,B) \big] A$$

summed over channels, so that t² matrix products remain: 2.25 multiplications a result instead of 9
for r = 3, and 4 instead of 25 for r = 5. A convolution of stride 2 is one of stride 1 over the four
phases of its input, its transpose one that gives the four phases of its result: 6.25 multiplications
instead of 16 for a 4x4 kernel, 9 instead of 25 for 5x5.

Source: Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, 2015, arXiv 1509.09308.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias, final

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmkit_fastconv.maps.direct import LinearMap

__all__ = [
    "OUT",
    "Form",
    "Geometry",
    "Kernel",
    "Matrices",
    "TorchWinograd",
    "WinogradMap",
    "cook_toom",
    "form_of",
    "plan_kernel",
    "without_phases",
]

OUT = 4
"""Results a tile and direction; more would be faster and lose digits."""

_mkldnn = torch.ops.mkldnn

_POINTS = {
    5: (0, 1, -1, 2),
    6: (0, 1, -1, 2, -2),
    8: (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)),
}


class Matrices(NamedTuple):
    """A^T ``(4, t)``, G ``(t, r)`` and B^T ``(t, t)`` in float64."""

    result: NDArray[np.float64]
    kernel: NDArray[np.float64]
    data: NDArray[np.float64]


def cook_toom(taps: int) -> Matrices:
    """The transforms for 4 results of a kernel with ``taps`` taps, by evaluation at points and infinity.

    Rows of B^T are scaled to a largest entry of 1, which keeps float32 sums small.
    """
    size = OUT + taps - 1
    points = [Fraction(point) for point in _POINTS[size]]
    vandermonde = np.array([[float(point**power) for power in range(size)] for point in points])
    infinity = np.eye(size)[-1]
    vandermonde = np.vstack([vandermonde, infinity])
    data = np.linalg.inv(vandermonde).T
    kernel = vandermonde[:, :taps].copy()
    kernel[-1] = np.eye(taps)[-1]
    result = vandermonde[:, :OUT].copy()
    result[-1] = np.eye(OUT)[-1]
    scale = np.abs(data).max(axis=1, keepdims=True)
    return Matrices(result.T.copy(), kernel * scale, data / scale)


@final
@attrs.frozen(eq=False)
class Kernel:
    """A convolution of stride 1 whose input or output may be the four phases of an image.

    Attributes:
        weight: ``(C_out, C_in, r, r)``, the channels of phases ordered (row, column, channel).
        padding: pixels before the image that the first result depends on.
        input_phases: 2 where the input is read by phases, otherwise 1.
        output_phases: 2 where the output is written by phases, otherwise 1.
    """

    weight: Tensor
    padding: int
    input_phases: int = 1
    output_phases: int = 1


class Form(NamedTuple):
    """A convolution as one of stride 1.

    Attributes:
        taps: r, of its kernel.
        phases: of its input: as many as its stride.
    """

    taps: int
    phases: int


def form_of(kernel: int, *, stride: int, padding: int) -> Form | None:
    """What Winograd makes of a convolution; None where it has nothing to win."""
    if stride == 1 and kernel in (3, 5) and padding == kernel // 2:
        return Form(kernel, 1)
    if stride == 2 and (kernel, padding) in _STRIDED:  # noqa: PLR2004
        return Form(-(-kernel // 2), 2)
    return None


_STRIDED = ((4, 1), (5, 1), (5, 2))
"""Kernels and paddings. For 3x3 the phases save a third of the multiplications, and cost as much time."""


def plan_kernel(weight: Tensor, *, stride: int, padding: int, transposed: bool) -> Kernel | None:
    """The stride-1 kernel of a convolution or of its transpose; None where Winograd has nothing to win."""
    form = form_of(weight.shape[2], stride=stride, padding=padding)
    if form is None:
        return None
    if form.phases == 1:
        return Kernel(weight.flip(2, 3).transpose(0, 1) if transposed else weight, padding)
    if not transposed:
        return Kernel(_phases(weight, _taps_read(weight.shape[2])).flatten(1, 3), padding, input_phases=2)
    places, before = _taps_written(weight.shape[2], padding)
    return Kernel(_phases(weight, places).flatten(1, 3).transpose(0, 1), before, output_phases=2)


Places: TypeAlias = Sequence[tuple[int, int, int]]
"""In one direction: a phase, a tap of its kernel, and the tap of the kernel of stride 2 that this is."""


def _taps_read(kernel: int) -> Places:
    """Result m depends, by its tap 2 i + a, on what phase a of the image has at m + i."""
    return [
        (phase, tap, 2 * tap + phase)
        for phase in (0, 1)
        for tap in range(-(-kernel // 2))
        if 2 * tap + phase < kernel
    ]


def _taps_written(kernel: int, padding: int) -> tuple[Places, int]:
    """Pixel 2 m + a of the transpose depends, by the tap a + padding - 2 d, on m + d; and the largest -d."""
    found = [
        (phase, (phase + padding - tap) // 2, tap)
        for phase in (0, 1)
        for tap in range(kernel)
        if (phase + padding - tap) % 2 == 0
    ]
    before = -min(step for _, step, _ in found)
    return [(phase, step + before, tap) for phase, step, tap in found], before


def _phases(weight: Tensor, places: Places) -> Tensor:
    """A kernel of stride 2 as a kernel of each phase: ``(C_out, 2, 2, C_in, r, r)``."""
    outputs, inputs = weight.shape[:2]
    taps = 1 + max(tap for _, tap, _ in places)
    phases = weight.new_zeros(outputs, 2, 2, inputs, taps, taps)
    for row, i, tap_i in places:
        for column, j, tap_j in places:
            phases[:, row, column, :, i, j] = weight[:, :, tap_i, tap_j]
    return phases


def without_phases(kernel: Tensor, taps: int) -> Tensor:
    """The transpose of cutting a kernel of stride 2 into phases: what each of its own taps gets.

    Args:
        kernel: ``(r, r, C_out, 4 C_in)``.
        taps: of the kernel of stride 2.

    Returns:
        ``(taps, taps, C_out, C_in)``.
    """
    by_phase = kernel.view(*kernel.shape[:3], 2, 2, -1)
    places = _taps_read(taps)
    whole = kernel.new_empty(taps, taps, kernel.shape[2], by_phase.shape[5])
    for row, i, tap_i in places:
        for column, j, tap_j in places:
            whole[tap_i, tap_j] = by_phase[i, j, :, row, column]
    return whole


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
        return _mkldnn._reorder_convolution_weight(points, [0, 0], [1, 1], [1, 1], groups, size)  # type: ignore[no-any-return]  # noqa: SLF001

    def products(self, points: Tensor) -> Tensor:
        """The sums over channels at each point: ``(tiles, t², C_in) -> (tiles, t², C_out)``."""
        tiles, groups, _ = points.shape
        columns = points.view(1, tiles, 1, -1).permute(0, 3, 1, 2)
        sums = _mkldnn._convolution_pointwise(  # noqa: SLF001
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
