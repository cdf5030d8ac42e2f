from __future__ import annotations

import re

import pytest

from ebmkit_coopnets.grids import sizes_of

SHAPE = (1, 8, 8)


@pytest.mark.parametrize(
    ("names", "shape", "said"),
    [
        (["8"], (4,), "grids need images (C, H, W), and examples have the shape (4,)"),
        (["8", "fine"], SHAPE, "a grid's name is the height of its images in pixels, not 'fine'"),
        (["08"], SHAPE, "a grid's name is the height of its images in pixels, not '08'"),
        (["3", "8"], SHAPE, "images of 8x8 pixels have no whole cells on the grid '3'"),
        (["1", "8"], (1, 8, 6), "images of 8x6 pixels have no whole cells on the grid '1'"),
        (["4", "6", "12"], (1, 12, 12), "the grid '4' does not divide '6'"),
        (["2", "4"], SHAPE, "one grid has to be that of the data: add a table [grids.8]"),
    ],
)
def test_grids_that_do_not_fit_are_refused(names: list[str], shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        sizes_of(names, shape)


def test_grids_come_coarse_to_fine_in_the_shape_of_the_images() -> None:
    """By number, not by letter: 16 comes after 4."""
    sizes = sizes_of(["16", "4", "32"], (3, 32, 48))
    assert list(sizes.items()) == [("4", (4, 6)), ("16", (16, 24)), ("32", (32, 48))]


def test_grids_below_the_data_may_stand_alone_where_that_is_asked_for() -> None:
    assert sizes_of(["2", "4"], SHAPE, finest=False) == {"2": (2, 2), "4": (4, 4)}
    assert sizes_of([], SHAPE, finest=False) == {}
    with pytest.raises(ValueError, match=r"add a table \[grids\.8\]"):
        sizes_of([], SHAPE)
