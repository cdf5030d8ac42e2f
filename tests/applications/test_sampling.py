from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from ebmkit.applications.sampling import draw, draw_samples, load_schedule, write_samples
from ebmkit.core import Chain
from ebmkit.errors import ConfigError
from ebmkit.storage.folder import RunFolder
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from ebmkit_coopnets import CoopNets, GeneratorOnly
from ebmkit_langevin import Langevin


def schedule(shape: tuple[int, ...] = (1, 6, 6)) -> CoopNets:
    torch.manual_seed(0)
    return CoopNets(TinyEnergy(shape), TinyGenerator(shape), Chain(Langevin(step_size=0.1), 3)).eval()


def test_samples_in_several_chunks_are_those_of_each_chunk() -> None:
    """A sample is a function of the seed and its row: more of them, drawn with it, change nothing."""
    whole = draw(schedule(), count=150, seed=3)
    for count in (64, 128):
        some = draw(schedule(), count=count, seed=3)
        assert some.keys() == whole.keys() == {"proposal", "revised", "latents"}
        assert all(torch.equal(x, whole[name][:count]) for name, x in some.items())
    assert len(torch.unique(whole["latents"], dim=0)) == 150
    assert not torch.equal(draw(schedule(), count=9, seed=4)["latents"], whole["latents"][:9])


def test_without_a_step_nothing_is_revised() -> None:
    drawn = draw(schedule(), count=5, seed=0, steps=0)
    assert torch.equal(drawn["revised"], drawn["proposal"])


def test_steps_of_a_schedule_that_revises_nothing_are_refused() -> None:
    generator = TinyGenerator((1, 6, 6))
    alone = GeneratorOnly(generator, Chain(Langevin(step_size=0.1), 3), examples=4).eval()
    with pytest.raises(ConfigError, match=r"steps = 20: GeneratorOnly has no chain that revises samples"):
        draw(alone, count=2, seed=0, steps=20)
    expected = draw(alone, count=2, seed=0)["proposal"]
    assert torch.equal(draw(alone, count=2, seed=0, steps=0)["proposal"], expected)


def test_every_set_is_written_and_those_that_can_be_seen_are_drawn(tmp_path: Path) -> None:
    samples = draw(schedule(), count=3, seed=0)
    paths = write_samples(tmp_path / "new", samples)
    assert sorted(path.name for path in paths) == ["proposal.png", "revised.png", "samples.safetensors"]
    assert sorted(paths) == sorted((tmp_path / "new").iterdir())
    written = safetensors.torch.load_file(tmp_path / "new/samples.safetensors")
    assert written.keys() == samples.keys()
    assert all(torch.equal(written[name], x) for name, x in samples.items())
    vectors = write_samples(tmp_path / "vectors", draw(schedule((7,)), count=3, seed=0))
    assert [path.name for path in vectors] == ["samples.safetensors"]


def test_a_trained_schedule_needs_no_data_and_draws_what_the_command_draws(exported: Path) -> None:
    folder = RunFolder(Path("runs/coopnets"))
    loaded, checkpoint = load_schedule(folder, which=4)
    again, samples = draw_samples(folder, count=3, seed=1, which=4)
    assert checkpoint.iteration == again.iteration == 4
    assert not loaded.training
    assert all(torch.equal(x, samples[name]) for name, x in draw(loaded, count=3, seed=1).items())


def test_only_images_have_another_size_and_weights_of_one_size_no_other(exported: Path) -> None:
    with pytest.raises(ConfigError, match="the parts of coopnets have weights for one size of image alone"):
        load_schedule(RunFolder(Path("runs/coopnets")), size=32)
