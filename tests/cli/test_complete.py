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
