"""The build of the documentation fails where a reader would stand before a wall."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import ebmkit
import ebmkit.core.ais
import ebmkit.testing

ROOT = Path(__file__).parents[1]
READ = (".ci", "docs", "ebmkit", "examples", "plugins", "mkdocs.yml")
"""What the build reads."""

BREAKS = {
    "a dead link": (
        "docs/index.md",
        "](tutorial.md)",
        "](tutorials.md)",
        ["'index.md' contains a link 'tutorials.md', but the target is not found"],
    ),
    "a dead anchor of a page": (
        "docs/decisions.md",
        "](concepts.md#normalisation-in-the-generator)",
        "](concepts.md#nothing)",
        ["contains a link 'concepts.md#nothing', but the doc 'concepts.md' does not contain an anchor"],
    ),
    "a dead anchor of the reference": (
        "docs/composing.md",
        "](reference/core.md#ebmkit.core.Update)",
        "](reference/core.md#ebmkit.core.Nothing)",
        ["but the doc 'reference/core.md' does not contain an anchor '#ebmkit.core.Nothing'"],
    ),
    "a picture that is not there": (
        "docs/index.md",
        "](images/faces.png)",
        "](images/nobody.png)",
        ["'images/nobody.png', but the target is not found"],
    ),
    "a parameter that an attrs class has not": (
        "ebmkit/core/chain.py",
        "        sampler: the kernel.\n        steps: moves, >= 0.",
        "        kernel: the kernel.\n        steps: moves, >= 0.",
        ["Parameter 'kernel' does not appear", "No type or annotation for parameter 'kernel'"],
    ),
    "a parameter that a method has not": (
        "ebmkit/core/sampler.py",
        "            rng: the random numbers of this step",
        "            random: the random numbers of this step",
        ["Parameter 'random' does not appear", "No type or annotation for parameter 'random'"],
    ),
    "a page that the menu lacks": (
        "mkdocs.yml",
        "      - Results: results.md\n",
        "",
        ["exist in the docs directory, but are not included in the \"nav\" configuration:\n  - results.md"],
    ),
    "a page of the menu that is not there": (
        "mkdocs.yml",
        "      - Results: results.md\n",
        "      - Results: results.md\n      - More: more.md\n",
        ["'more.md' is included in the 'nav' configuration, which is not found"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that the build reads."""
    folder = tmp_path_factory.mktemp("tree")
    for name in READ:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


def build(tree: Path) -> subprocess.CompletedProcess[str]:
    """What CI calls."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [tree / ".ci/docs", tree / "site"]
    return subprocess.run(
        command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_documentation_builds_and_says_nothing(tree: Path) -> None:
    pytest.importorskip("mkdocs")
    done = build(tree)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tree / "site/index.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "page"),
    [(ebmkit, "face"), (ebmkit.core, "core"), (ebmkit.core.ais, "core"), (ebmkit.testing, "testing")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_reference_shows_every_public_name(module: ModuleType, page: str, tree: Path) -> None:
    """A function that is called as its module is shown as the module's."""
    pytest.importorskip("mkdocs")
    built = tree / f"site/reference/{page}/index.html"
    if not built.is_file():
        assert build(tree).returncode == 0
    shown = set(re.findall(r'id="(ebmkit[\w.]*)"', built.read_text()))
    places = [f"{module.__name__}.{name}" for name in module.__all__ if name != "__version__"]
    assert len(places) >= 4
    assert [place for place in places if not shown & {place, f"{place}.{place.rpartition('.')[2]}"}] == []


@pytest.mark.slow
@pytest.mark.parametrize("broken", BREAKS)
def test_the_build_fails_and_names(broken: str, tree: Path) -> None:
    pytest.importorskip("mkdocs")
    name, right, wrong, warnings = BREAKS[broken]
    text = (tree / name).read_text()
    assert text.count(right) == 1
    try:
        (tree / name).write_text(text.replace(right, wrong))
        done = build(tree)
    finally:
        (tree / name).write_text(text)
    assert done.returncode != 0
    assert f"Aborted with {len(warnings)} warnings in strict mode" in done.stderr
    for warning in warnings:
        assert warning in done.stderr
