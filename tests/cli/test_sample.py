from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image

from tests.cli.pictures import picture_size
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("coopnets", {"proposal", "latents", "revised"}),
        ("descriptor-only", {"proposal", "revised"}),
        ("generator-only", {"proposal", "latents"}),
    ],
)
def test_sample_writes_grids_and_tensors(
    name: str, sets: set[str], run_file: RunFile, ebmkit: Ebmkit
) -> None:
    ebmkit("run", run_file(name))
    outcome = ebmkit("sample", name, "--count", 70, "--seed", 3)
    assert outcome.code == 0
    folder = Path(f"runs/{name}/generated/seed-3")
    tensors = safetensors.torch.load_file(folder / "samples.safetensors")
    assert tensors.keys() == sets
    assert all(len(tensor) == 70 for tensor in tensors.values())
    pictures = {path.stem for path in folder.glob("*.png")}
    assert pictures == sets - {"latents"}
    assert picture_size(folder / "proposal.png") == (10 * 18 - 2, 7 * 18 - 2)


def test_samples_depend_on_the_seed_and_not_on_their_number(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"))
    for folder, count, seed in (("a", 5, 0), ("b", 130, 0), ("c", 5, 1)):
        ebmkit("sample", "coopnets", "--count", count, "--seed", seed, "--output", folder)
    a, b, c = (safetensors.torch.load_file(f"{name}/samples.safetensors") for name in "abc")
    assert torch.equal(a["latents"], b["latents"][:5])
    assert torch.allclose(a["revised"], b["revised"][:5], atol=1e-5)
    assert not torch.equal(a["revised"], c["revised"])


def test_sampling_needs_no_data(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("coopnets"))
    for path in images.iterdir():
        path.unlink()
    assert ebmkit("sample", "coopnets", "--steps", 0).code == 0
    tensors = safetensors.torch.load_file("runs/coopnets/generated/seed-0/samples.safetensors")
    assert torch.equal(tensors["revised"], tensors["proposal"])


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
