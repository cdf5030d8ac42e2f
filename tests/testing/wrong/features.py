"""Wrong maps to features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ebmkit.core import Features
from ebmkit.testing import FeaturesClaims
from tests.testing.wrong import wrong

CLAIMS = FeaturesClaims(shapes=((1, 8, 8), (3, 8, 8), (3, 6, 10)))


class Waves(Features):
    """Right: five random projections of the four quarters' means and mean squares, colours as grey."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.name = "waves"
        self.register_buffer("weight", self.weights())

    def weights(self) -> Tensor:
        return torch.randn(8, 5, generator=torch.Generator().manual_seed(0))

    def forward(self, x: Tensor) -> Tensor:
        grey = self.clamped(x).mean(1, keepdim=True)
        means = nn.functional.adaptive_avg_pool2d(torch.cat([grey, grey.square()], 1), 2)
        return self.projected(means.flatten(1))

    def clamped(self, x: Tensor) -> Tensor:
        return x.clamp(-1, 1)

    def projected(self, means: Tensor) -> Tensor:
        return means @ self.weight


@wrong(CLAIMS, "shape")
class OneVectorAColour(Waves):
    """``(B, C, d)``: a vector for each colour."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([super(OneVectorAColour, self).forward(each[:, None]) for each in x.unbind(1)], 1)


@wrong(CLAIMS, "shape")
class Squeezes(Waves):
    """``squeeze()``, which takes the batch away where it is one image."""

    def projected(self, means: Tensor) -> Tensor:
        return super().projected(means).squeeze()


@wrong(CLAIMS, "shape")
class ColoursAlone(Waves):
    """Weighs three colours, and claims to take grey images."""

    def clamped(self, x: Tensor) -> Tensor:
        return (
            super().clamped(x) * torch.tensor([0.3, 0.6, 0.1]).view(3, 1, 1) if len(x[0]) == 3 else x[:, 2:]
        )


@wrong(CLAIMS, "shape")
class DividesByTheSpread(Waves):
    """Contrast normalisation without a floor: NaN for an image of one colour."""

    def clamped(self, x: Tensor) -> Tensor:
        x = super().clamped(x)
        return (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)


@wrong(CLAIMS, "shape")
class HalfPrecision(Waves):
    """float16 left over from a cast for speed."""

    def projected(self, means: Tensor) -> Tensor:
        return super().projected(means).half()


@wrong(CLAIMS, "fixed")
class Learns(Waves):
    """Its weights ask for gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))


@wrong(CLAIMS, "fixed")
class AnotherEachTime(Waves):
    """Random weights from torch's global generator: no figure can be compared with another run's."""

    def weights(self) -> Tensor:
        return torch.randn(8, 5)


@wrong(CLAIMS, "fixed")
class UnsavedWeights(Waves):
    """Random weights that are no buffer: two maps of one fingerprint."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = torch.randn(5, 5)

    def projected(self, means: Tensor) -> Tensor:
        return super().projected(means) @ self.turn


@wrong(CLAIMS, "fixed")
class Nameless(Waves):
    """No name for the figures."""

    def __init__(self) -> None:
        super().__init__()
        self.name = ""


@wrong(CLAIMS, "clamped")
class TakesAnyValue(Waves):
    """Values beyond [-1, 1] count as they are."""

    def clamped(self, x: Tensor) -> Tensor:
        return x


@wrong(CLAIMS, "input-unchanged")
class ClampsInPlace(Waves):
    """``clamp_``."""

    def clamped(self, x: Tensor) -> Tensor:
        return x.clamp_(-1, 1)


@wrong(CLAIMS, "independent-rows")
class WhitensTheBatch(Waves):
    """Features centred by their batch: what they are depends on their company."""

    def projected(self, means: Tensor) -> Tensor:
        found = super().projected(means)
        return found - found.mean(0)


@wrong(CLAIMS, "deterministic")
class LooksAtRandom(Waves):
    """Mirrors at random, in eval mode too."""

    def clamped(self, x: Tensor) -> Tensor:
        mirrored = torch.rand(len(x), 1, 1, 1) < 0.5
        return torch.where(mirrored, super().clamped(x).flip(3), super().clamped(x))


@wrong(CLAIMS, "parameters")
class Undocumented(Waves):
    """A key without a line."""

    def __init__(self, *, width: Any = 5) -> None:
        super().__init__()
        self.width = width
