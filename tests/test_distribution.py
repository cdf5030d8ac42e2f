"""The wheel and the source distribution: their metadata, their licence, and no file too many."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest
from trove_classifiers import classifiers

ROOT = Path(__file__).parents[1]
HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
    "targets"
]
INCLUDED = [path.removeprefix("/") for path in HATCH["sdist"]["include"]]
ALWAYS = [".gitignore", "LICENSE", "README.md", "pyproject.toml"]
"""What hatchling takes into every source distribution, beside the PKG-INFO that it writes."""

IGNORED = (ROOT / ".gitignore").read_text().split()

APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""The SHA-256 of the licence's text as the Apache Software Foundation publishes it."""

STRAY = [
    "notes.txt",
    "scratch/docs/notes.txt",
    "scratch/ebmkit/notes.py",
    "runs/faces/metrics.jsonl",
    "examples/runs/faces/metrics.jsonl",
    ".venv/bin/python",
    "tests/.pytest_cache/v/cache",
    "ebmkit/__pycache__/errors.pyc",
    "plugins/ebmkit_mcmc/__pycache__/hmc.pyc",
]
"""What lies about in a folder in which somebody works."""


class Built(NamedTuple):
    """The two distributions, unpacked, and the files of the tree that belong in them."""

    source: set[str]
    wheel: Path
    sdist: Path


def build(target: str, tree: Path, folder: Path) -> Path:
    """Build a distribution as it is published, without a network; the archive."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = folder.iterdir()
    return archive


def unpacked(wheel: Path, folder: Path) -> Path:
    shutil.unpack_archive(wheel, folder, "zip")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("distribution")
    tree = folder / "tree"
    tree.mkdir()
    own_strays = shutil.ignore_patterns(*(name.rstrip("/") for name in IGNORED))
    for name in INCLUDED + ALWAYS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=own_strays)
        else:
            shutil.copy(ROOT / name, tree / name)
    source = files(tree)
    for name in STRAY:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("mine")
    wheel = unpacked(build("wheel", tree, folder / "wheel"), folder / "of-wheel")
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from Python 3.11.4 on
    shutil.unpack_archive(build("sdist", tree, folder / "sdist"), folder / "of-sdist", **safely)
    (sdist,) = (folder / "of-sdist").iterdir()
    return Built(source, wheel, sdist)


def about(wheel: Path) -> Path:
    (folder,) = wheel.glob("*.dist-info")
    return folder


def metadata(built: Built) -> list[Message]:
    paths = (about(built.wheel) / "METADATA", built.sdist / "PKG-INFO")
    return [message_from_string(path.read_text(encoding="utf-8")) for path in paths]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_licence_is_apache_2_0_word_for_word_in_both(built: Built) -> None:
    texts = [about(built.wheel) / "licenses/LICENSE", built.sdist / "LICENSE", ROOT / "LICENSE"]
    assert {hashlib.sha256(text.read_bytes()).hexdigest() for text in texts} == {APACHE_2_0}


def test_both_say_whose_they_are_and_under_which_licence(built: Built) -> None:
    for said in metadata(built):
        assert (said["Name"], said["Author"]) == ("ebmkit-torch", "ebmkit developers")
        assert (said["License-Expression"], said.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])
        assert said["License"] is None
        assert said["Description-Content-Type"] == "text/markdown"
        assert said.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_classifiers_are_known_and_name_no_licence_beside_the_expression(built: Built) -> None:
    for said in metadata(built):
        named = said.get_all("Classifier", [])
        assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(named) <= classifiers
        assert not [each for each in named if each.startswith("License ::")]


def test_the_source_distribution_holds_what_is_named_and_nothing_that_lies_about(built: Built) -> None:
    assert files(built.sdist) == built.source | {"PKG-INFO"}


def test_the_wheel_holds_the_packages_the_run_files_and_nothing_else(built: Built) -> None:
    packages = {name for name in built.source if name.startswith(("ebmkit/", "plugins/"))}
    facts = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    run_files = {name for name in built.source if name.startswith("examples/") and name.endswith(".toml")}
    begin = {f"ebmkit/{name}" for name in run_files if "third_party" not in name}
    expected = {name.removeprefix("plugins/") for name in packages} | begin
    assert files(built.wheel) == expected | {f"{about(built.wheel).name}/{name}" for name in facts}
    assert {Path(name).suffix for name in expected} == {
        ".c",
        ".html",
        ".md",
        ".py",
        ".toml",
        ".txt",
        ".typed",
    }


def test_every_package_of_the_wheel_is_typed(built: Built) -> None:
    packages = [path for path in built.wheel.iterdir() if path.suffix != ".dist-info"]
    assert {path.name for path in packages} >= {"ebmkit", "ebmkit_mcmc"}
    assert [path.name for path in packages if not (path / "py.typed").is_file()] == []


def test_the_source_distribution_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    again = unpacked(build("wheel", built.sdist, tmp_path / "wheel"), tmp_path / "of-wheel")
    assert (about(again) / "RECORD").read_text() == (about(built.wheel) / "RECORD").read_text()
