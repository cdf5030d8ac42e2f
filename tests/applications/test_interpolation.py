from __future__ import annotations

import torch

from ebmkit.applications.interpolation import lines, sphere
from tests.models import double


def test_lines_hold_their_end_points_and_are_straight() -> None:
    start, end = double(3, 2, 4), double(3, 2, 4, seed=1)
    path = lines(start, end, points=5).unflatten(0, (3, 5))
    assert torch.equal(path[:, 0], start)
    assert torch.equal(path[:, -1], end)
    assert torch.allclose(path.diff(dim=1), ((end - start) / 4)[:, None].expand(-1, 4, -1, -1))


def test_the_corners_of_the_sphere_are_the_anchors_and_norms_are_kept() -> None:
    anchors = torch.eye(4).double()
    grid = sphere(anchors, points=5).unflatten(0, (5, 5))
    assert torch.allclose(grid.square().sum(-1), torch.ones(5, 5).double())
    corners = grid[[-1, -1, 0, 0], [-1, 0, -1, 0]]
    assert torch.allclose(corners, anchors)
