"""recover, complete and interpolate on tiny real runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_recover_prints_tables_and_writes_scores_and_pictures(run_file: RunFile, ebmkit: Ebmkit) -> None:
    pytest.importorskip("skimage", reason="needs the extra [recovery]")
    ebmkit("run", run_file("coopnets"))
    outcome = ebmkit("recover", "coopnets", "--mask-size", "5,8", "--count", 4, "--steps", 3)
    assert outcome.code == 0, outcome.err
    assert "range [-1, 1], 4 images" in outcome.out
    scores = json.loads(Path("runs/coopnets/recovered/scores.json").read_text())
    assert len(scores) == 2 * 11
    learned = {score["method"] for score in scores} - {
        *("mrf-l1", "mrf-l2", "nearest", "linear", "cubic", "thin-plate", "biharmonic")
    }
    assert learned == {"generator", "blended", "descriptor", "both"}
    assert all(0 <= score["l1"] <= score["l2"] for score in scores)
    with Image.open("runs/coopnets/recovered/squares-8.png") as picture:
        assert picture.size == (13 * 18 - 2, 4 * 18 - 2)
    again = ebmkit("recover", "coopnets", "--mask-size", "5,8", "--count", 4, "--steps", 3)
    assert again.out == outcome.out


def test_recover_reads_other_images(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    pytest.importorskip("skimage", reason="needs the extra [recovery]")
    ebmkit("run", run_file("generator-only"))
    arguments = ("--mask-size", 5, "--steps", 1, "--data", images, "--set", "data.skip=10")
    outcome = ebmkit("recover", "generator-only", *arguments)
    assert outcome.code == 0, outcome.err
    assert "2 images" in outcome.out
    assert "descriptor" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mask-size", "5,x"), "whole numbers"),
        (("--mask-size", "17"), "1 to 16 pixels"),
        (("--sampler", "langevine"), "did you mean 'langevin'"),
        (("--step-size", "-1"), "step_size"),
        (("--data", "nowhere"), "does not exist"),
        (("--set", "data.size=8"), "the run was trained on (1, 16, 16)"),
    ],
)
def test_what_recover_refuses(
    arguments: tuple[str, str], message: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    pytest.importorskip("skimage", reason="needs the extra [recovery]")
    ebmkit("run", run_file("coopnets"))
    outcome = ebmkit("recover", "coopnets", "--mask-size", 5, *arguments)
    assert outcome.code in (2, 4)
    assert message in outcome.err
    assert "Traceback" not in outcome.err


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


def test_a_missing_part_is_named(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("descriptor-only"))
    ebmkit("run", run_file("generator-only"))
    interpolated = ebmkit("interpolate", "descriptor-only")
    completed = ebmkit("complete", "generator-only", "--image", images / "00.png")
    assert (interpolated.code, completed.code) == (2, 2)
    assert "has no generator" in interpolated.err
    assert "has no energy" in completed.err


def test_a_texture_is_sampled_at_another_size(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    text = file.read_text().replace('use = "generator"', 'use = "spatial-generator"')
    text = text.replace("latents = 6", "latents = 1").replace("outputs = 3", 'head = "sum"')
    file.write_text(text)
    assert ebmkit("run", file).code == 0
    outcome = ebmkit("sample", "coopnets", "--count", 1, "--size", 32)
    assert outcome.code == 0, outcome.err
    with Image.open("runs/coopnets/generated/seed-0/revised.png") as picture:
        assert picture.size == (32, 32)
    pictures = {path.name for path in Path("runs/coopnets/generated/seed-0").glob("*.png")}
    assert pictures == {"proposal.png", "revised.png"}


def test_parts_of_one_size_cannot_be_sampled_at_another(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"))
    outcome = ebmkit("sample", "coopnets", "--size", 32)
    assert outcome.code == 2
    assert "one size" in outcome.err
