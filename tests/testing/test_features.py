"""What the checks of maps to features say of what they saw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ebmkit.testing import FeaturesClaims, check
from tests.testing.wrong.features import CLAIMS, OneVectorAColour, Waves


class Standardises(Waves):
    """0 / 0 where an image has no contrast."""

    def projected(self, means: Tensor) -> Tensor:
        return super().projected((means - means.mean(1, keepdim=True)) / means.std(1, keepdim=True))


class Learns(Waves):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))


class Nameless(Waves):
    def __init__(self) -> None:
        super().__init__()
        self.name = ""


class Drawn(Waves):
    def weights(self) -> Tensor:
        return torch.rand(8, 5)


class AsManyAsImages(Waves):
    def projected(self, means: Tensor) -> Tensor:
        return super().projected(means)[:, : min(len(means), 2)]


@pytest.mark.parametrize(
    ("component", "name", "said"),
    [
        (Waves, "shape", "3 shapes"),
        (Waves, "fixed", "waves"),
        (OneVectorAColour, "shape", "1 images of (1, 8, 8) became (1, 1, 5); wanted (1, d)"),
        (Standardises, "shape", "features of grey images of (1, 8, 8) are not finite"),
        (AsManyAsImages, "shape", "their number depends on the batch: {1, 2}"),
        (Learns, "fixed", "these parameters would learn: scale"),
        (Nameless, "fixed", "it has no name"),
        (Drawn, "fixed", "two instances differ in their weights"),
    ],
)
def test_what_was_seen_is_said(component: type, name: str, said: str) -> None:
    (result,) = check(component, CLAIMS, only=[name]).results
    assert result.detail == said


def test_images_of_the_claimed_shapes_are_looked_at_and_no_others() -> None:
    """Weights for 8 numbers a row do for any image; a map for 8x8 pixels alone claims so and passes."""

    class Whole(Waves):
        def weights(self) -> Tensor:
            return torch.eye(64)

        def forward(self, x: Tensor) -> Tensor:
            return self.clamped(x).flatten(1) @ self.weight

    assert check(Whole, FeaturesClaims(shapes=((1, 8, 8),))).passed
    assert not check(Whole, CLAIMS, only=["shape"]).passed
