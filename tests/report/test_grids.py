from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.report.grids import can_be_drawn, grid_of, save_grid, tiles_of
from ebmkit.report.traces import traces_of


def test_images_are_drawn_as_they_are_and_other_shapes_not_at_all() -> None:
    image = torch.tensor([-1.0, 0.0, 1.0, 2.0]).view(1, 1, 2, 2)
    assert tiles_of(image).flatten().tolist() == [0, 128, 255, 255]
    assert traces_of(torch.zeros(0, 1, 9)).shape[0] == 0
    drawn = {(3, 8): False, (3, 1, 9): True, (3, 7, 9): False, (3, 1, 1): False, (3, 2, 3, 8, 8): False}
    assert {shape: can_be_drawn(torch.zeros(shape)) for shape in drawn} == drawn
    assert grid_of(torch.zeros(5, 1, 9), limit=4).size == (2 * 160 + 2, 2 * 64 + 2)


def test_each_example_stands_at_its_place_with_white_gaps_between() -> None:
    levels = torch.linspace(-1, 1, 6)
    picture = np.array(grid_of(levels[:, None, None, None].expand(6, 1, 3, 5), columns=2))
    assert picture.shape == (3 * 3 + 2 * 2, 2 * 5 + 2)
    for number, level in enumerate(levels.add(1).mul(127.5).round().tolist()):
        top, left = number // 2 * (3 + 2), number % 2 * (5 + 2)
        assert (picture[top : top + 3, left : left + 5] == level).all()
        picture[top : top + 3, left : left + 5] = 255
    assert (picture == 255).all()


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (5, 5, 1), (12, 4, 3), (13, 4, 4)])
def test_a_grid_is_nearly_square_or_has_no_gap_in_its_last_row(count: int, columns: int, rows: int) -> None:
    assert grid_of(torch.zeros(count, 3, 4, 4)).size == (columns * 6 - 2, rows * 6 - 2)


def test_a_png_holds_the_grid_and_its_folder_is_made(tmp_path: Path) -> None:
    x = torch.rand(3, 3, 4, 4) * 2 - 1
    save_grid(tmp_path / "new/folder/x.png", x, limit=2, columns=1)
    with Image.open(tmp_path / "new/folder/x.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(grid_of(x[:2], columns=1)))
