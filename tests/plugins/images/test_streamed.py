"""Folders and archives too large for memory: streamed, and the same to the bit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.core import Rng, Source
from ebmkit.errors import DataError
from ebmkit.training.batches import Batches
from ebmkit_images.files import Folder, Zip
from tests.conftest import RUN_FILES, Ebmkit
from tests.run.test_resume import final_state, metrics, same_bits

CPU = torch.device("cpu")


def tiny_image(number: int) -> bytes:
    """A 4x4 colour picture in few bytes, another for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, 48, dtype=np.uint8)
    return b"P6 4 4 255\n" + pixels.tobytes()


def tiny_zip(path: Path, count: int) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number % 10}/{number:06}.ppm", tiny_image(number))
    return str(path)


@pytest.mark.parametrize("pixel_range", ["fixed", "image"])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_streamed_set_has_the_bits_of_one_in_memory(tmp_path: Path, mirror: bool, pixel_range: str) -> None:
    with zipfile.ZipFile(tiny_zip(tmp_path / "a.zip", 30)) as archive:
        archive.extractall(tmp_path / "a")
    options = {"size": 8, "mirror": mirror, "pixel_range": pixel_range, "skip": 3}
    kept: Source = Zip(path=str(tmp_path / "a.zip"), **options)  # type: ignore[arg-type]
    index = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))
    assert len(kept) == 27 * (1 + mirror)
    assert not kept.concurrent
    for path in ("a.zip", "a"):
        open_ = Zip if path == "a.zip" else Folder
        streamed: Source = open_(path=str(tmp_path / path), cache=0, **options)  # type: ignore[arg-type]
        assert streamed.concurrent
        assert streamed.shape == kept.shape
        assert torch.equal(streamed[index], kept[index])
        assert streamed.fingerprint() == kept.fingerprint()


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_gives_the_same_batches(tmp_path: Path, workers: int) -> None:
    path = tiny_zip(tmp_path / "a.zip", 50)

    def batches(cache: int, workers: int) -> Batches:
        source = Zip(path=path, size=8, cache=cache)
        return Batches(source, size=7, rng=Rng(0), device=CPU, workers=workers)

    plain, ahead = batches(0, 0), batches(0, workers)
    for iteration in [*range(20), 3, 4, 11, 2]:  # forward, and back as after a resume
        assert torch.equal(plain[iteration].x, ahead[iteration].x)
        assert torch.equal(plain[iteration].positions, ahead[iteration].positions)


@pytest.mark.parametrize("use", ["folder", "zip"])
def test_a_run_resumed_with_other_workers_has_the_same_bits(
    use: str, ebmkit: Ebmkit, tmp_path: Path, images: Path
) -> None:
    if use == "zip":
        shutil.make_archive(str(tmp_path / "images"), "zip", images)
    text = RUN_FILES["coopnets"].replace("{images}", f"{images}.zip" if use == "zip" else str(images))
    file = tmp_path / "run.toml"
    file.write_text(text.replace('use = "folder"', f'use = "{use}"\ncache = 0'))
    for output, iterations in (("whole", 6), ("cut", 3)):
        sets = ("--set", "data.workers=0", "--set", f"run.iterations={iterations}")
        assert ebmkit("run", file, "--set", f"run.output={output}", *sets).code == 0
    assert ebmkit("resume", "cut", "--set", "data.workers=2", "--set", "run.iterations=6").code == 0
    assert same_bits(final_state(Path("cut")), final_state(Path("whole")))
    assert metrics(Path("cut")) == metrics(Path("whole"))


def test_the_fingerprint_notices_names_sizes_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.ppm").write_bytes(tiny_image(number))

    def fingerprint(**options: int) -> str:
        return Folder(path=str(folder), size=8, **options).fingerprint()  # type: ignore[arg-type]

    seen = {fingerprint(), fingerprint(limit=2), fingerprint(crop=2), Folder(path=str(folder)).fingerprint()}
    os.utime(folder / "1.ppm", (1, 1))
    assert fingerprint() in seen
    (folder / "1.ppm").write_bytes(tiny_image(7))  # the same size
    seen.add(fingerprint())
    (folder / "1.ppm").rename(folder / "1b.ppm")
    seen.add(fingerprint())
    assert len(seen) == 6


def test_a_bad_file_of_a_streamed_set_ends_the_training_with_its_name(
    ebmkit: Ebmkit, tmp_path: Path, images: Path
) -> None:
    for number in range(40):  # what is looked at before the first iteration is good
        shutil.copy(images / "05.png", images / f"more-{number:02}.png")
    (images / "more-39.png").write_bytes(b"no image")
    file = tmp_path / "run.toml"
    text = RUN_FILES["descriptor-only"].replace("{images}", str(images))
    file.write_text(text.replace("color = false", "color = false\ncache = 0"))
    outcome = ebmkit("run", file, "--set", "run.iterations=30")
    assert outcome.code == 3, outcome.err
    assert "more-39.png" in outcome.err
    assert "ebmkit resume run" in outcome.err
    with pytest.raises(DataError, match=r"more-39\.png"):
        Folder(path=str(images))


MEASURE = """
import json, sys, torch
from ebmkit.core import Rng
from ebmkit.training.batches import Batches
from ebmkit_images.files import Zip

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

figures = [resident()]
source = Zip(path=sys.argv[1], size=128, cache=1)
source.fingerprint()
batches = Batches(source, size=20, rng=Rng(0), device=torch.device("cpu"), workers=2)
for iteration in range(25):
    batches[iteration]
    if iteration in (4, 24):
        figures.append(resident())
print(json.dumps(figures))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from /proc")
@pytest.mark.parametrize("count", [5_000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_memory_is_flat_in_the_number_of_files_and_batches(tmp_path: Path, count: int) -> None:
    # Decoded, the files would take 234 MiB, and ten times as much.
    path = tiny_zip(tmp_path / "a.zip", count)
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    start, early, late = json.loads(done.stdout)
    assert early - start < 60 + count / 1000  # batches, threads, the archive's directory in passing
    assert late - early < 25


STARVED = """
import resource, sys, torch
from ebmkit.errors import DataError
from ebmkit_images.files import Folder

small = Folder(path=sys.argv[1], size=8, cache=0)
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) for line in status if line.startswith("VmSize")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
one, many = torch.arange(1), torch.arange(12)
for path, size, index, options in (
    (sys.argv[1], 8192, many, {"cache": 10**6}),
    (sys.argv[1], 8192, many, {"cache": 0}),
    (sys.argv[2], 8, one, {}),
    (sys.argv[2], 8, one, {"on_bad": "skip"}),
):
    try:
        Folder(path=path, size=size, **options)[index]
    except DataError as error:
        print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from /proc")
def test_too_little_memory_is_told_and_is_no_fault_of_the_images(tmp_path: Path, images: Path) -> None:
    large = tmp_path / "large"
    large.mkdir()
    Image.new("L", (9000, 9000)).save(large / "a.png")  # 324 MB in colour
    done = subprocess.run(
        [sys.executable, "-c", STARVED, str(images), str(large)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "memory does not suffice for 12 images of 3x8192x8192",
        "memory does not suffice for 12 images of 3x8192x8192 at once",
        f"memory does not suffice to decode {large}/a.png",
        f"memory does not suffice to decode {large}/a.png",
    ]
