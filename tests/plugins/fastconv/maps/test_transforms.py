from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ebmkit_fastconv.maps import transforms as native
from tests.models import double

pytestmark = pytest.mark.skipif(native.transforms() is None, reason="no C compiler")


def test_native_code_is_handed_nothing_that_is_spread_in_memory() -> None:
    made = native.transforms()
    assert made is not None
    image, points = torch.ones(1, 4, 4, 32)[..., ::2], torch.empty(1, 36, 16)
    with pytest.raises(ValueError, match="strides"):
        made.read(6, image, native.Layout(1, 4, 4, 16, 1, 1, 1, 1), points)
    with pytest.raises(ValueError, match="float64"):
        made.read(6, image.contiguous().double(), native.Layout(1, 4, 4, 16, 1, 1, 1, 1), points)


def test_transforms_that_compute_something_else_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = native.transforms()
    assert made is not None
    assert native._is_right(made)
    monkeypatch.setattr(made, "spread", lambda size, results, layout, points: points.zero_())
    assert not native._is_right(made)


def test_native_code_that_is_switched_off_is_not_there_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.status().startswith("compiled by ")
    monkeypatch.setenv("EBMKIT_NATIVE", "0")
    assert native.transforms() is None
    assert native.status() == "not compiled: EBMKIT_NATIVE=0"


def test_what_is_folded_is_a_sum_over_where_it_goes() -> None:
    """Torch's own fold, of kernels of 3 at a stride of 2."""
    made = native.transforms()
    assert made is not None
    sent, image = double(2 * 4 * 4, 9 * 5).float(), torch.full((2, 5, 9, 9), torch.nan)
    made.fold(sent, native.Fold(2, 9, 9, 5, 4, 4, 3, 2, 0), image)
    by_pixel = sent.view(2, 16, 9, 5).permute(0, 3, 2, 1).reshape(2, 45, 16)
    assert torch.allclose(image, functional.fold(by_pixel, (9, 9), 3, stride=2), atol=1e-5)
