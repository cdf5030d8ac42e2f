"""Wrong encoders."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from ebmkit.core import Encoder, Gaussian, Ge, as_rows
from ebmkit.testing import EncoderClaims
from tests.testing.wrong import wrong

CLAIMS = EncoderClaims(shape=(1, 4, 4))


class Straight(Encoder):
    """Right: two linear maps.

    Args:
        latents: how many.
    """

    def __init__(self, shape: tuple[int, ...], *, latents: Annotated[int, Ge(1)] = 3) -> None:
        super().__init__()
        size = math.prod(shape)
        self.mean, self.log_std = nn.Linear(size, latents), nn.Linear(size, latents)

    def forward(self, x: Tensor) -> Gaussian:
        rows = self.rows(x)
        return Gaussian(self.mean(rows), self.spread(rows))

    def rows(self, x: Tensor) -> Tensor:
        return as_rows(x)

    def spread(self, rows: Tensor) -> Tensor:
        log_std: Tensor = self.log_std(rows)
        return log_std


@wrong(CLAIMS, "shape")
class ReturnsTwoTensors(Straight):
    """A plain tuple instead of a Gaussian."""

    def forward(self, x: Tensor) -> Any:
        return tuple(super().forward(x))


@wrong(CLAIMS, "shape")
class OneStdForAll(Straight):
    """One standard deviation a row, ``(B, 1)``, left to broadcasting."""

    def spread(self, rows: Tensor) -> Tensor:
        return super().spread(rows)[:, :1]


@wrong(CLAIMS, "shape")
class Squeezes(Straight):
    """``squeeze()``, which takes the batch away too where it is one example."""

    def forward(self, x: Tensor) -> Gaussian:
        law = super().forward(x)
        return Gaussian(law.mean.squeeze(), law.log_std.squeeze())


@wrong(CLAIMS, "shape")
class LogOfZero(Straight):
    """log of a rectified number: minus infinity for half of the examples."""

    def spread(self, rows: Tensor) -> Tensor:
        return super().spread(rows).relu().log()


@wrong(CLAIMS, "shape")
class HalfPrecision(Straight):
    """bfloat16 left over from a cast for speed."""

    def spread(self, rows: Tensor) -> Tensor:
        return super().spread(rows).bfloat16()


@wrong(CLAIMS, "other-shapes")
class ForImagesAlone(Straight):
    """``flatten(1)``, which examples of one number each, ``(B,)``, do not have."""

    def rows(self, x: Tensor) -> Tensor:
        return x.flatten(1)


@wrong(CLAIMS, "input-unchanged")
class RectifiesInPlace(Straight):
    """``nn.ReLU(inplace=True)`` as the first layer."""

    def rows(self, x: Tensor) -> Tensor:
        return super().rows(x.relu_())


@wrong(CLAIMS, "independent-rows")
class NormalisesByTheBatch(Straight):
    """Batch statistics in eval mode too."""

    def rows(self, x: Tensor) -> Tensor:
        rows = super().rows(x)
        return (rows - rows.mean(0)) / (1 + rows.std(0, correction=0))


@wrong(CLAIMS, "deterministic")
class DropsOutForever(Straight):
    """Dropout in eval mode too."""

    def rows(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(super().rows(x), 0.5)


@wrong(CLAIMS, "deterministic")
class DrawsByItself(Straight):
    """Returns a draw as the mean, with noise of its own."""

    def forward(self, x: Tensor) -> Gaussian:
        law = super().forward(x)
        return Gaussian(law.mean + law.log_std.exp() * torch.randn_like(law.mean), law.log_std)


@wrong(CLAIMS, "learns")
class StdNeverLearns(Straight):
    """The standard deviation detached."""

    def spread(self, rows: Tensor) -> Tensor:
        return super().spread(rows).detach()


@wrong(CLAIMS, "learns")
class WithoutAGraph(Straight):
    """``no_grad``, as inference by chains has it."""

    @torch.no_grad()
    def forward(self, x: Tensor) -> Gaussian:
        return super().forward(x)


@wrong(CLAIMS, "state-dict")
class UnsavedScale(Straight):
    """A random scale that is not a buffer."""

    def __init__(self, shape: tuple[int, ...], *, latents: Annotated[int, Ge(1)] = 3) -> None:
        super().__init__(shape, latents=latents)
        self.scale = 1 + torch.rand(1)

    def rows(self, x: Tensor) -> Tensor:
        return self.scale * super().rows(x)


@wrong(CLAIMS, "parameters")
class WithoutARange(Straight):
    """A parameter that no line explains.

    Args:
        latents: how many.
    """

    def __init__(self, shape: tuple[int, ...], *, latents: int = 3, width: int = 0) -> None:
        super().__init__(shape, latents=latents)
        self.width = width
