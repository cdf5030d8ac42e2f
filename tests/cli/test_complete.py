from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_complete_keeps_what_the_mask_shows(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("descriptor-only"))
    mask = np.full((16, 16), 255, np.uint8)
    mask[4:10, 4:10] = 0
    Image.fromarray(mask).save("mask.png")
    arguments = ("--image", images / "00.png", "--mask", "mask.png", "--count", 2, "--steps", 20)
    outcome = ebmkit("complete", "descriptor-only", *arguments)
    assert outcome.code == 0, outcome.err
    with Image.open("runs/descriptor-only/completed/00.png") as picture:
        tiles = [np.asarray(picture)[18 * (i // 2) :, 18 * (i % 2) :][:16, :16] for i in range(4)]
    original, shown, first, second = tiles
    hidden = mask == 0
    assert np.array_equal(first[~hidden], original[~hidden])
    assert np.array_equal(second[~hidden], original[~hidden])
    assert not np.array_equal(first[hidden], second[hidden])
    assert (shown[hidden] == 128).all()


def test_complete_without_a_mask_moves_everything(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("descriptor-only"))
    outcome = ebmkit("complete", "descriptor-only", "--image", images / "01.png", "--count", 2)
    assert outcome.code == 0, outcome.err
    missing = ebmkit("complete", "descriptor-only", "--image", "none.png")
    assert (missing.code, "none.png" in missing.err) == (2, True)


def test_an_energy_that_denoises_gives_one_answer_without_a_mask_and_several_with(
    run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    ebmkit("run", run_file("score-matching"))
    picture = ("complete", "score-matching", "--image", images / "02.png", "--count", 3)
    assert "shown of it, 1 completion\n" in ebmkit(*picture).out
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save("mask.png")
    assert "shown of it, 3 completions\n" in ebmkit(*picture, "--mask", "mask.png").out


def test_hidden_pixels_start_where_the_generator_puts_them_or_at_0(
    run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    for name in ("coopnets", "descriptor-only"):
        ebmkit("run", run_file(name))
    mask = np.full((16, 16), 255, np.uint8)
    mask[4:10, 4:10] = 0
    Image.fromarray(mask).save("mask.png")
    picture = ("--image", images / "00.png", "--mask", "mask.png", "--count", 2, "--steps", 0)

    def hidden(name: str, count: int, *arguments: object) -> list[np.ndarray]:
        outcome = ebmkit("complete", name, *picture, *arguments)
        assert f"shown of it, {count} completion" in outcome.out, outcome.err
        with Image.open(f"runs/{name}/completed/00.png") as grid:
            across = -(-grid.width // 18)
            places = [divmod(i, across) for i in range(2 + count)]
            tiles = [np.asarray(grid)[18 * row :, 18 * column :][:16, :16] for row, column in places]
        assert all(np.array_equal(each[mask > 0], tiles[0][mask > 0]) for each in tiles)
        return [each[mask == 0] for each in tiles[1:]]

    grey, first, second = hidden("coopnets", 2)
    assert (grey == 128).all()
    assert not np.array_equal(first, second)
    for name, words in (("coopnets", ("--start", "zero")), ("descriptor-only", ())):
        grey, only = hidden(name, 1, *words)
        assert np.array_equal(only, grey)


def test_a_start_that_there_is_not_is_refused(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("descriptor-only"))
    picture = ("complete", "descriptor-only", "--image", images / "00.png")
    without = ebmkit(*picture, "--start", "zero")
    assert (without.code, "without --mask" in without.err) == (2, True)
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save("mask.png")
    missing = ebmkit(*picture, "--mask", "mask.png", "--start", "generator")
    assert (missing.code, "has no generator to start from" in missing.err) == (2, True)
