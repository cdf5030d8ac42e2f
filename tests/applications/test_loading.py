from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.applications.loading import (
    chain_of,
    examples_of,
    load_images,
    read_image,
    refuse_other_than_images,
    source_at,
)
from ebmkit.errors import ConfigError, DataError, PluginError
from ebmkit.storage.folder import RunFolder

RunFile = Callable[[str], Path]

SHAPE = (1, 16, 16)


@pytest.fixture
def folder(run_file: RunFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Of a run that has not begun to train."""
    monkeypatch.chdir(tmp_path)
    made = RunFolder(Path("runs/it"))
    made.path.mkdir(parents=True)
    run_file("coopnets").rename(made.config)
    return made


def test_a_picture_is_its_centre_square_in_the_range_of_the_data(tmp_path: Path) -> None:
    pixels = np.zeros((4, 10), np.uint8)
    pixels[:, 3:7] = [[0, 51, 204, 255]] * 4
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = read_image(tmp_path / "wide.png", (1, 4, 4))
    assert torch.allclose(found, torch.tensor([0.0, 51.0, 204.0, 255.0]).expand(1, 4, 4) / 127.5 - 1)
    assert torch.equal(read_image(tmp_path / "wide.png", (3, 4, 4)), found.expand(3, 4, 4))
    assert read_image(tmp_path / "wide.png", (1, 2, 2)).shape == (1, 2, 2)


@pytest.mark.parametrize("name", ["none.png", "text.png", "folder", "with\0nul"])
def test_what_is_no_picture_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("a text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="cannot read the image") as refused:
        read_image(tmp_path / name, SHAPE)
    assert str(tmp_path) in str(refused.value)


def test_the_first_images_are_those_of_the_runs_own_data_or_of_another_folder(
    folder: RunFolder, images: Path, tmp_path: Path
) -> None:
    own = examples_of(folder, data=None, overrides=(), shape=SHAPE)
    whole = own[torch.arange(12)]
    some = load_images(folder, data=None, overrides=["data.skip=2"], count=3, shape=SHAPE)
    assert torch.equal(some, whole[2:5])
    assert torch.equal(load_images(folder, data=None, overrides=(), count=99, shape=SHAPE), whole)
    images.rename(tmp_path / "others")
    assert torch.equal(
        load_images(folder, data=tmp_path / "others", overrides=(), count=3, shape=SHAPE), whole[:3]
    )
    other = source_at(folder, tmp_path / "others", ["limit=5"], SHAPE)
    assert torch.equal(other[torch.arange(len(other))], whole[:5])


def test_examples_of_another_shape_are_refused_with_both(folder: RunFolder, images: Path) -> None:
    said = r"the examples have shape \(1, 8, 8\), the run was trained on \(1, 16, 16\)"
    for data in (None, images):
        with pytest.raises(DataError, match=said):
            examples_of(folder, data=data, overrides=["data.size=8"], shape=SHAPE)


@pytest.mark.parametrize("shape", [(), (3,), (2, 16), (2, 8, 8), (3, 2, 8, 8)])
def test_what_takes_images_refuses_a_run_on_others(
    shape: tuple[int, ...], folder: RunFolder, images: Path
) -> None:
    with pytest.raises(ConfigError, match=r"this needs images .*but run it was trained on examples of shape"):
        refuse_other_than_images(folder, shape)
    with pytest.raises(ConfigError, match="a folder or an archive holds images, and run it was trained on"):
        source_at(folder, images, (), shape)
    for image in ((1, 8, 8), (3, 8, 16)):
        refuse_other_than_images(folder, image)


def test_a_chain_is_of_the_sampler_and_the_step_that_are_named() -> None:
    chain = chain_of("langevin", steps=7, step_size=0.25)
    assert (chain.steps, type(chain.sampler).__name__) == (7, "Langevin")
    assert chain.sampler.step_size == 0.25  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"sampler 'langevin' of ebmkit-torch: .*step_size"):
        chain_of("langevin", steps=7, step_size=-1.0)
    with pytest.raises(PluginError, match="did you mean 'langevin'"):
        chain_of("langevine", steps=7, step_size=0.25)
