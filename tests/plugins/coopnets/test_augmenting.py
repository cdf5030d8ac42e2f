from __future__ import annotations

import math

import torch

from ebmkit.core import Rng
from ebmkit_coopnets.augmenting import Augmentation
from tests.models import double

SHAPE = (2, 5, 6)
COUNT = 4500


def images(count: int = COUNT) -> torch.Tensor:
    """The same image again and again: each pixel has a number of its own."""
    return double(*SHAPE).expand(count, *SHAPE)


def test_half_of_the_images_are_mirrored() -> None:
    x = images()
    made = Augmentation(SHAPE, mirror=True)(x, rng=Rng(0))
    turned = (made == x.flip(-1)).flatten(1).all(1)
    assert torch.equal(turned, ~(made == x).flatten(1).all(1))
    assert abs(turned.double().mean() - 0.5) < 5 * 0.5 / math.sqrt(COUNT)


def test_images_move_by_every_number_of_pixels_alike_and_repeat_their_edge() -> None:
    made = Augmentation(SHAPE, shift=1)(images(), rng=Rng(0))
    padded = torch.nn.functional.pad(images(1), (1, 1, 1, 1), mode="replicate")
    seen = torch.zeros(COUNT)
    for down in range(3):
        for right in range(3):
            place = (made == padded[..., down : down + 5, right : right + 6]).flatten(1).all(1)
            # Nine places: five standard errors are passed once in 1.7 million.
            assert abs(place.double().mean() - 1 / 9) < 5 * math.sqrt(8 / 81 / COUNT)
            seen += place
    assert bool((seen == 1).all())


def test_an_image_is_brightened_by_one_number_from_its_range() -> None:
    change = Augmentation((4,), brightness=0.2)(torch.zeros(COUNT, 4).double(), rng=Rng(0))
    assert bool((change == change[:, :1]).all())
    amount = change[:, 0]
    assert -0.2 <= amount.min() < -0.19
    assert 0.19 < amount.max() <= 0.2
    assert abs(amount.mean()) < 5 * 0.2 / math.sqrt(3 * COUNT)


def test_a_row_does_not_depend_on_its_place_and_the_input_is_left_alone() -> None:
    change = Augmentation(SHAPE, mirror=True, shift=2, brightness=0.1)
    x = double(6, *SHAPE)
    before = x.clone()
    whole = change(x, rng=Rng(0))
    assert torch.equal(whole[4:], change(x[4:], rng=Rng(0, first_chain=4)))
    assert torch.equal(x, before)
    assert torch.equal(Augmentation(SHAPE)(x, rng=Rng(0)), x)
