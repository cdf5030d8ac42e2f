from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_interpolate_draws_lines_and_the_sphere(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"))
    outcome = ebmkit("interpolate", "coopnets", "--rows", 3, "--points", 4)
    assert outcome.code == 0, outcome.err
    for name, rows in (("lines", 3), ("sphere", 4)):
        with Image.open(f"runs/coopnets/interpolated/{name}.png") as picture:
            assert picture.size == (4 * 18 - 2, rows * 18 - 2)


def test_two_latent_factors_have_a_manifold_to_draw(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "generator.latents=2")
    assert ebmkit("interpolate", "coopnets", "--points", 5).code == 0
    with Image.open("runs/coopnets/interpolated/manifold.png") as picture:
        assert picture.size == (5 * 18 - 2, 5 * 18 - 2)
