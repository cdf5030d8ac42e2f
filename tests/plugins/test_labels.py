"""Images with classes: read from sub-folders, learned by conditional ConvNets, drawn one class at a time."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from ebmkit.applications.sampling import load_schedule
from ebmkit.core import Rng
from ebmkit.errors import DataError
from ebmkit.evaluation.sets import draw
from ebmkit.storage.folder import RunFolder
from ebmkit.training.batches import Batches
from ebmkit_images.files import Folder, Zip
from tests.conftest import GENERATOR, REVISION, SHARED, Ebmkit

LABELLED = (
    SHARED
    + "labels = true\n"
    + """
[energy]
use = "class-descriptor"
channels = [4, 8]
kernels = [5, 3]
strides = [2, 2]
outputs = 3
reference_std = 0.3
optimizer = { use = "adam", lr = 1e-3 }
"""
    + GENERATOR.replace('"generator"', '"class-generator"')
    + REVISION
    + '[schedule]\nuse = "coopnets"\nchains = 4\n'
)


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Images of two classes: daisies are bright, roses dark."""
    folder = tmp_path / "flowers"
    noise = np.random.default_rng(0)
    for name, level in (("daisy", 180), ("rose", 20)):
        (folder / name / "more").mkdir(parents=True)
        for number in range(5):
            where = "more" if number == 4 else "."
            pixels = noise.integers(level, level + 60, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / where / f"{number}.png")
    return folder


@pytest.fixture
def run_file(flowers: Path, tmp_path: Path) -> Path:
    path = tmp_path / "labelled.toml"
    path.write_text(LABELLED.replace("{images}", str(flowers)))
    return path


def test_the_first_folder_of_an_image_is_its_class(flowers: Path) -> None:
    source = Folder(path=str(flowers), size=16, color=False, labels=True)
    assert source.classes == ("daisy", "rose")
    condition = source.condition(torch.arange(10))
    assert condition is not None
    assert condition.tolist() == [0] * 5 + [1] * 5
    bright = source[torch.arange(10)].mean((1, 2, 3)) > 0
    assert bright.tolist() == [True] * 5 + [False] * 5


def test_a_mirror_image_has_the_class_of_the_image(flowers: Path) -> None:
    source = Folder(path=str(flowers), size=16, mirror=True, labels=True)
    condition = source.condition(torch.arange(20))
    assert condition is not None
    assert condition.tolist() == ([0] * 5 + [1] * 5) * 2


def test_an_archive_has_the_classes_of_its_folder_and_the_same_identity(
    flowers: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "flowers.zip", "w") as archive:
        for path in sorted(flowers.rglob("*.png")):
            archive.write(path, path.relative_to(flowers))
    read = Zip(path=str(tmp_path / "flowers.zip"), labels=True)
    assert read.classes == ("daisy", "rose")
    folder = Folder(path=str(flowers), labels=True)
    assert read.fingerprint() == folder.fingerprint() != Folder(path=str(flowers)).fingerprint()


def test_by_default_there_are_no_classes(flowers: Path) -> None:
    source = Folder(path=str(flowers))
    assert source.classes == ()
    assert source.condition(torch.arange(2)) is None


def test_an_image_in_no_folder_has_no_class(flowers: Path) -> None:
    (flowers / "rose/0.png").rename(flowers / "stray.png")
    with pytest.raises(DataError, match=r"the class from the sub-folder, and .*/stray\.png is in none"):
        Folder(path=str(flowers), labels=True)


def test_a_batch_brings_the_classes_of_its_examples(flowers: Path) -> None:
    source = Folder(path=str(flowers), size=16, color=False, labels=True)
    batch = Batches(source, size=7, rng=Rng(0), device=torch.device("cpu"))[3]
    assert batch.condition is not None
    assert torch.equal(batch.condition, (batch.x.mean((1, 2, 3)) < 0).long())


def test_a_labelled_run_trains_resumes_to_the_bit_and_draws_one_class(ebmkit: Ebmkit, run_file: Path) -> None:
    code, out, err = ebmkit("run", run_file)
    assert code == 0, err
    assert "classes    daisy, rose" in out
    assert ebmkit("run", run_file, "--set", "run.output=runs/half", "--set", "run.iterations=3").code == 0
    assert ebmkit("resume", "half", "--set", "run.iterations=6").code == 0
    for part in ("energy", "generator", "optimizer"):
        one, other = (
            safetensors.torch.load_file(
                Path("runs") / name / f"checkpoints/iteration-0000006/{part}.safetensors"
            )
            for name in ("labelled", "half")
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    code, out, err = ebmkit("sample", "labelled", "--count", 66, "--condition", "rose")
    assert code == 0, err
    roses = safetensors.torch.load_file("runs/labelled/generated/rose-seed-0/samples.safetensors")
    assert ebmkit("sample", "labelled", "--count", 66).code == 0
    both = safetensors.torch.load_file("runs/labelled/generated/seed-0/samples.safetensors")
    # All classes in turn: every second sample, of the same latents and noise, is a rose.
    assert torch.equal(roses["latents"], both["latents"])
    assert torch.allclose(roses["proposal"][1::2], both["proposal"][1::2], atol=1e-6)
    assert not torch.allclose(roses["proposal"][::2], both["proposal"][::2], atol=1e-3)
    assert both["condition"].tolist() == [0, 1] * 33


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("roes", "run labelled knows no class 'roes'; there are: daisy, rose; did you mean 'rose'?"),
        ("2", "run labelled knows no class '2'; there are: daisy, rose"),
    ],
)
def test_a_class_that_is_not_there_is_refused(
    word: str, message: str, ebmkit: Ebmkit, run_file: Path
) -> None:
    assert ebmkit("run", run_file, "--set", "run.iterations=1").code == 0
    code, _, err = ebmkit("sample", "labelled", "--condition", word)
    assert (code, err) == (2, f"error: {message}\n")


def test_a_run_of_plain_parts_has_no_class_to_draw(ebmkit: Ebmkit, run_file: Path) -> None:
    run_file.write_text(run_file.read_text().replace('"class-', '"'))
    assert ebmkit("run", run_file, "--set", "run.iterations=1").code == 0
    code, _, err = ebmkit("sample", "labelled", "--condition", "rose")
    assert code == 2
    assert "run labelled has no classes to draw: its data had none, or its parts take none" in err
    assert ebmkit("sample", "labelled").code == 0
    assert "condition" not in safetensors.torch.load_file(
        "runs/labelled/generated/seed-0/samples.safetensors"
    )


def test_conditional_parts_refuse_data_without_classes(ebmkit: Ebmkit, run_file: Path) -> None:
    code, out, err = ebmkit("check", run_file, "--set", "data.labels=false", "--json")
    assert code == 2, err
    messages = [each["message"] for each in json.loads(out)["errors"]]
    assert len(messages) == 2
    assert all("it needs data with classes: [data] labels = true" in each for each in messages)


def test_a_resumed_run_refuses_other_classes(ebmkit: Ebmkit, run_file: Path, flowers: Path) -> None:
    assert ebmkit("run", run_file, "--set", "run.iterations=1").code == 0
    (flowers / "daisy").rename(flowers / "aster")
    code, _, err = ebmkit("resume", "labelled", "--set", "run.iterations=2")
    assert code == 2
    assert re.search(r'data\.classes +\["daisy", "rose"\] +\["aster", "rose"\]\n', err)


def test_the_resolved_run_file_says_that_there_are_labels(ebmkit: Ebmkit, run_file: Path) -> None:
    assert ebmkit("run", run_file, "--set", "run.iterations=1").code == 0
    assert tomllib.loads(Path("runs/labelled/config.toml").read_text())["data"]["labels"] is True


def test_every_use_of_a_run_with_classes_takes_one(run_file: Path, ebmkit: Ebmkit, flowers: Path) -> None:
    assert ebmkit("run", run_file, "--set", "run.output=runs/flowers").code == 0
    chosen = ("--condition", "rose")
    short = ("--chains", 4, "--steps", 8, "--warmup", 0)
    for options in ((), chosen):
        assert ebmkit("diagnose", "flowers", *short, *options).code == 0
        picture = next(flowers.rglob("*.png"))
        assert ebmkit("complete", "flowers", "--image", picture, "--count", 2, *options).code == 0
    assert ebmkit("interpolate", "flowers", *chosen).code == 0
    refused = ebmkit("interpolate", "flowers")
    assert refused.code == 2
    assert "name one with --condition; there are: daisy, rose" in refused.err
    unknown = ebmkit("diagnose", "flowers", "--condition", "tulip", *short)
    assert unknown.code == 2
    assert "knows no class 'tulip'" in unknown.err


def test_a_run_with_classes_is_judged_by_all_of_them_in_turn(run_file: Path, ebmkit: Ebmkit) -> None:
    every = (
        "--set",
        "evaluation.every=6",
        "--set",
        "evaluation.count=8",
        "--set",
        'evaluation.metrics=["swd"]',
    )
    trained = ebmkit("run", run_file, "--set", "run.output=runs/flowers", *every)
    assert trained.code == 0
    assert "iteration 6: swd" in trained.out
    schedule, _ = load_schedule(RunFolder(Path("runs/flowers")))
    drawn = draw(schedule, 6, seed=3, images=False, classes=2)
    ebmkit("sample", "flowers", "--count", 6, "--seed", 3)
    sampled = safetensors.torch.load_file("runs/flowers/generated/seed-3/samples.safetensors")["revised"]
    assert torch.equal(drawn[torch.arange(6)], sampled)
