"""What several tests share: a tiny run, and the command as a user calls it."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.cli import main

os.environ.setdefault("EBMKIT_WINOGRAD", "1")  # fast paths are tested on every processor
torch.set_num_threads(1)  # small tensors: threads cost more than they give, and bits must not depend on them


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Ebmkit = Callable[..., Outcome]
Install = Callable[..., None]


@pytest.fixture
def ebmkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ebmkit:
    """Call the command in a folder of its own: ``ebmkit("run", file)``."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["ebmkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        code = stopped.value.code
        return Outcome(code if isinstance(code, int) else int(code is not None), captured.out, captured.err)

    return call


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of twelve 16x16 grey images with some structure: a bright square somewhere."""
    return write_images(tmp_path / "images")


def write_images(folder: Path) -> Path:
    """Make the folder of ``images``."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(12):
        pixels = noise.integers(0, 60, (16, 16), dtype=np.uint8)
        top, left = noise.integers(0, 10, 2)
        pixels[top : top + 6, left : left + 6] += 150
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


SHARED = """
[run]
iterations = 6
log_every = 1
samples_every = 3
checkpoint_every = 2
device = "cpu"

[data]
use = "folder"
path = "{images}"
size = 16
color = false
batch = 5
"""

ENERGY = """
[energy]
use = "descriptor"
channels = [4, 8]
kernels = [5, 3]
strides = [2, 2]
outputs = 3
reference_std = 0.3
optimizer = { use = "adam", lr = 1e-3 }
"""

GENERATOR = """
[generator]
use = "generator"
latents = 6
channels = [8, 4]
optimizer = { use = "adam", lr = 1e-3 }
"""

REVISION = """
[revision]
use = "langevin"
steps = 3
step_size = 0.03
"""

INFERENCE = """
[inference]
use = "langevin"
steps = 2
step_size = 0.05
"""

GRIDS = """
[grids.4]
use = "descriptor"
channels = [4]
kernels = [3]
strides = [1]
reference_std = 0.3
optimizer = { use = "adam", lr = 1e-3 }

[grids.16]
use = "descriptor"
channels = [4, 8]
kernels = [5, 3]
strides = [2, 2]
reference_std = 0.3
optimizer = { use = "adam", lr = 1e-3 }

[revisions.4]
use = "langevin"
steps = 2
step_size = 0.1
"""

RUN_FILES = {
    "coopnets": SHARED + ENERGY + GENERATOR + REVISION + '[schedule]\nuse = "coopnets"\nchains = 4\n',
    "coopnets-rigorous": SHARED
    + ENERGY
    + GENERATOR
    + REVISION
    + INFERENCE
    + '[schedule]\nuse = "coopnets"\nchains = 4\ngenerator_updates = 2\nproposal_noise = true\nbank = 7\n',
    "descriptor-only": SHARED + ENERGY + REVISION + '[schedule]\nuse = "descriptor-only"\nchains = 4\n',
    "descriptor-only-data": SHARED
    + ENERGY
    + REVISION
    + '[schedule]\nuse = "descriptor-only"\nchains = 4\nstart = "data"\npersistent = false\n',
    "dual": SHARED
    + ENERGY
    + GENERATOR
    + REVISION
    + INFERENCE
    + '[schedule]\nuse = "dual"\nchains = 4\nrevised_weight = 2.0\n',
    "coopnets-regularised": SHARED
    + """
[energy]
use = "resnet"
channels = [4, 6]
optimizer = { use = "adam", lr = 1e-3, gradient_norm = 2.0 }
"""
    + GENERATOR.replace("latents", 'kernel = 3\nupsampling = "subpixel"\nlatents')
    + REVISION
    + """clip = 0.5
clamp = [-1.0, 1.0]
noise_decay = "linear"

[schedule]
use = "coopnets"
chains = 4
data_noise = 0.02
energy_l2 = 0.1
gradient_penalty = 1e-4
revised_penalty = 2e-4
penalty_stride = 2
pairwise = 0.7
augmentation = { translation = 2, brightness = 0.2, cutout = 0.3 }

[schedule.annealing]
temperature = { end = 0.01, after = 2, over = 3, shape = "exponential" }
step_size = { start = 2.0, end = 0.5, over = 5 }
steps = { end = 2.0, after = 3 }
""",
    "generator-only": SHARED + GENERATOR + INFERENCE + '[schedule]\nuse = "generator-only"\n',
    "multigrid": SHARED + GRIDS + REVISION + '[schedule]\nuse = "multigrid"\nchains = 4\n',
    "replay": SHARED
    + ENERGY
    + REVISION
    + '[schedule]\nuse = "replay"\nslots = 7\nchains = 4\nrestart = 0.3\nmirror = true\nshift = 1\n'
    + "brightness = 0.1\ndata_noise = 0.03\nenergy_l2 = 1e-6\n",
    "score-matching": SHARED
    + ENERGY
    + REVISION
    + '[schedule]\nuse = "score-matching"\nnoise_std = 0.1\nnoise_high = 0.6\n',
    "sampling-hidden": SHARED
    + ENERGY
    + REVISION
    + '[schedule]\nuse = "sampling"\nchains = 4\nhidden = "square"\nhidden_size = 6\n',
    "generator-only-hidden": SHARED
    + GENERATOR
    + INFERENCE
    + '[schedule]\nuse = "generator-only"\nhidden = "square"\nhidden_size = 6\n',
}
"""A tiny run file for every schedule and its main options."""


@pytest.fixture
def run_file(tmp_path: Path, images: Path) -> Callable[[str], Path]:
    """Write one of ``RUN_FILES`` and return its path."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(RUN_FILES[name].replace("{images}", str(images)))
        return path

    return write


JUDGED = [
    *("--set", "evaluation.every=3", "--set", "evaluation.count=8"),
    *("--set", 'evaluation.metrics=["kid"]', "--set", "evaluation.features=pixels"),
]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and its export, made once for all tests."""
    folder = tmp_path_factory.mktemp("made")
    images = write_images(folder / "images")
    (folder / "coopnets.toml").write_text(RUN_FILES["coopnets"].replace("{images}", str(images)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (["run", "coopnets.toml", *JUDGED], ["export", "coopnets", "out"]):
            patch.setattr("sys.argv", ["ebmkit", *words])
            with suppress(SystemExit):
                main()
    return folder


@pytest.fixture
def exported(made: Path, tmp_path: Path, ebmkit: Ebmkit) -> Path:
    """The path of an export beside its run, in a folder of this test's own."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Path("out")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with one plugin module on the path, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(distribution: str, module: str, source: str, *, point: str | None = None) -> None:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[ebmkit]\n{point or module} = {module}\n")

    return put
