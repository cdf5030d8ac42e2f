from __future__ import annotations

import torch

from ebmkit.report.grids import can_be_drawn, grid_of, tiles_of
from ebmkit.report.traces import traces_of


def test_images_are_drawn_as_they_are_and_other_shapes_not_at_all() -> None:
    image = torch.tensor([-1.0, 0.0, 1.0, 2.0]).view(1, 1, 2, 2)
    assert tiles_of(image).flatten().tolist() == [0, 128, 255, 255]
    assert traces_of(torch.zeros(0, 1, 9)).shape[0] == 0
    drawn = {(3, 8): False, (3, 1, 9): True, (3, 7, 9): False, (3, 1, 1): False, (3, 2, 3, 8, 8): False}
    assert {shape: can_be_drawn(torch.zeros(shape)) for shape in drawn} == drawn
    assert grid_of(torch.zeros(5, 1, 9), limit=4).size == (2 * 160 + 2, 2 * 64 + 2)
