from __future__ import annotations

import pytest
import torch

from ebmkit.core import Rng, speckle_masks, square_masks


def test_squares_are_of_their_size_inside_and_everywhere() -> None:
    masks = square_masks(4000, (3, 8, 6), size=3, rng=Rng(0))
    assert masks.shape == (4000, 1, 8, 6)
    assert torch.equal((masks == 0).sum((1, 2, 3)), torch.full((4000,), 9))
    # 24 places, each with probability 1/24: the corner is hidden by one place alone.
    assert abs((masks[:, 0, 0, 0] == 0).float().mean() - 1 / 24) < 5 * (1 / 24 / 4000) ** 0.5


def test_speckle_hides_its_share() -> None:
    masks = speckle_masks(100, (1, 20, 20), hidden=0.3, rng=Rng(0))
    assert abs((masks == 0).float().mean() - 0.3) < 5 * (0.3 * 0.7 / 40_000) ** 0.5


@pytest.mark.parametrize("size", [0, 7])
def test_a_square_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="does not fit into 8x6"):
        square_masks(1, (1, 8, 6), size=size, rng=Rng(0))


def test_every_hidden_square_is_one_whole_square() -> None:
    masks = square_masks(200, (1, 7, 9), size=4, rng=Rng(1))[:, 0]
    for hidden in (masks == 0).unbind():
        rows, columns = hidden.any(1).nonzero()[:, 0], hidden.any(0).nonzero()[:, 0]
        assert rows.tolist() == list(range(int(rows[0]), int(rows[0]) + 4))
        assert columns.tolist() == list(range(int(columns[0]), int(columns[0]) + 4))


def test_a_square_is_whole_where_its_place_rounds_to_the_end() -> None:
    """One of 30 million uniform numbers of float32 is 1; the second of this stream is."""
    rng = Rng(0, first_chain=4_115_603)
    assert rng.uniform(torch.empty(1, 2))[0, 1] == 1
    (mask,) = square_masks(1, (1, 8, 8), size=3, rng=Rng(0, first_chain=4_115_603))[:, 0]
    assert (mask[:, -3:] == 0).any(1).sum() == 3
    assert (mask == 0).sum() == 9


def test_a_mask_is_that_of_its_example_whatever_the_number_of_examples() -> None:
    few, many = (square_masks(count, (1, 8, 8), size=3, rng=Rng(2)) for count in (3, 50))
    assert torch.equal(few, many[:3])
    few, many = (speckle_masks(count, (1, 8, 8), hidden=0.4, rng=Rng(2)) for count in (3, 50))
    assert torch.equal(few, many[:3])


def test_a_square_of_the_whole_image_hides_it() -> None:
    assert not square_masks(5, (3, 6, 6), size=6, rng=Rng(0)).any()


@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((3, 4, 5), (1, 4, 5)),
        ((2, 7), (1, 7)),
        ((3, 2, 4, 5), (1, 2, 4, 5)),
        ((6,), (6,)),
        ((), ()),
    ],
)
def test_a_place_is_hidden_in_all_channels(shape: tuple[int, ...], mask: tuple[int, ...]) -> None:
    assert speckle_masks(2, shape, hidden=0.5, rng=Rng(0)).shape == (2, *mask)


def test_nothing_and_everything_can_be_hidden() -> None:
    assert speckle_masks(9, (1, 4, 4), hidden=0.0, rng=Rng(0)).all()
    assert not speckle_masks(9, (1, 4, 4), hidden=1.0, rng=Rng(0)).any()


def test_a_square_is_for_images() -> None:
    with pytest.raises(ValueError, match=r"needs images \(C, H, W\), and examples have the shape \(2, 16\)"):
        square_masks(1, (2, 16), size=3, rng=Rng(0))
