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

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias, final

import attrs
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "OUT",
    "Form",
    "Kernel",
    "Matrices",
    "cook_toom",
    "form_of",
    "plan_kernel",
    "without_phases",
]

OUT = 4
"""Results a tile and direction; more would be faster and lose digits."""

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
