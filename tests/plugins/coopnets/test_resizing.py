from __future__ import annotations

from typing import Literal

import pytest
import torch

from ebmkit_coopnets.resizing import enlarge, shrink
from tests.models import double

How = Literal["nearest", "bilinear"]


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(8, 4), (12, 10), (16, 2)])
def test_shrinking_what_was_enlarged_gives_it_back(how: How, size: tuple[int, int]) -> None:
    x = double(3, 2, 4, 2)
    assert torch.allclose(shrink(enlarge(x, size, how), (4, 2)), x, rtol=0, atol=1e-14)
    assert enlarge(x, (4, 2), how) is x
    assert shrink(x, (4, 2)) is x


def test_shrinking_takes_the_mean_of_each_cell() -> None:
    x = double(3, 2, 6, 8)
    cells = x.unflatten(-1, (4, 2)).unflatten(-3, (2, 3)).mean((-1, -3))
    assert torch.allclose(shrink(x, (2, 4)), cells)


def test_nearest_repeats_pixels_and_bilinear_goes_on_with_a_ramp() -> None:
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    assert torch.equal(enlarge(ramp, (8, 8))[0, 0, 0], torch.tensor([0.0, 0, 1, 1, 2, 2, 3, 3]))
    inner = enlarge(ramp, (8, 8), "bilinear")[..., 2:-2]
    assert torch.allclose(inner, torch.tensor([0.75, 1.25, 1.75, 2.25]).expand_as(inner))
