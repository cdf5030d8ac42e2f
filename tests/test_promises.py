"""What the README and the documentation promise stands beside the tests that hold it; some are here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Info, Position, Sampler, walk
from ebmkit.core.rng import Rng
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.training.loop import train
from tests.testing.mutants import MUTANTS

ROOT = Path(__file__).parents[1]
POINTED = ("README.md", "docs/index.md")
"""Pages of which every point must have a row."""

RunFile = Callable[[str], Path]


def plain(markdown: str) -> str:
    """A text as it is read: without marks and targets of links, on one line."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return " ".join(re.sub(r"[*`]", "", text).split())


class Row(NamedTuple):
    promise: str
    page: str
    tests: list[str]


LINES = re.findall(
    r"^\| (.+) \| (\S+\.md) \| (.+) \|$", (ROOT / "docs/promises.md").read_text(), re.MULTILINE
)
ROWS = [Row(plain(promise), page, re.findall(r"`([^`]+)`", tests)) for promise, page, tests in LINES]


def test_the_table_is_read() -> None:
    lines = (ROOT / "docs/promises.md").read_text().splitlines()
    assert len(ROWS) == sum("tests/" in line for line in lines if line.startswith("|")) > 20
    assert all(row.tests and len(row.promise) >= 20 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.promise[:40])
def test_every_promise_stands_where_it_is_said(row: Row) -> None:
    assert row.promise in plain((ROOT / row.page).read_text())


@pytest.mark.parametrize("page", POINTED)
def test_every_point_has_a_row(page: str) -> None:
    points = re.findall(r"^- (.+(?:\n  .+)*)", (ROOT / page).read_text(), re.MULTILINE)
    assert len(points) >= 8
    for point in map(plain, points):
        assert [row for row in ROWS if row.page == page and row.promise in point], point


NAMED = sorted({test for row in ROWS for test in row.tests})


@pytest.mark.parametrize("named", NAMED)
def test_every_test_is_there(named: str) -> None:
    file, _, name = named.partition("::")
    assert re.fullmatch(r"tests/(\w+/)*test_\w+\.py", file)
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


@pytest.mark.slow
def test_every_test_is_collected() -> None:
    command = [sys.executable, "-m", "pytest", "-qq", "--collect-only", "-m", "slow or not slow", *NAMED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def swapped(text: str, part: str, folder: Path) -> str:
    """A run file with another part in place of one, and nothing else changed."""
    energy = text[text.index("[energy]") : text.index("[revision]")].partition("[generator]")[0]
    first = energy.replace("[energy]", "[energy.parts.first]").partition("optimizer")[0]
    others = {
        "energy": (energy, f'[energy]\nuse = "sum"\noptimizer = {{ lr = 1e-3 }}\n{first}\n'),
        "generator": ('use = "generator"', 'use = "spatial-generator"'),
        "revision": ('use = "langevin"\nsteps = 3', 'use = "hmc"\nsteps = 3'),
        "data": (f'use = "folder"\npath = "{folder}"', f'use = "zip"\npath = "{folder}.zip"'),
        "schedule": ('use = "descriptor-only"\nchains = 4', 'use = "sampling"\nchains = 4'),
    }  # fmt: skip
    assert text.count(others[part][0]) == 1
    return text.replace(*others[part])


@pytest.mark.parametrize("part", ["energy", "generator", "revision", "data", "schedule"])
def test_every_part_swaps_by_itself(part: str, run_file: RunFile, images: Path) -> None:
    """The other parts begin with the weights that they had, and it trains."""
    shutil.make_archive(str(images), "zip", images)
    file = run_file("descriptor-only" if part == "schedule" else "coopnets")
    before = build_experiment(make_plan(read_document(file), Registry.discover()))
    file.write_text(swapped(file.read_text(), part, images))
    torch.rand(3)  # what anybody else draws has no part in it
    after = build_experiment(make_plan(read_document(file), Registry.discover()))
    kept = before.learners.keys() - {part}
    assert kept
    for name in kept:
        mine, theirs = (each.schedule.get_submodule(name).state_dict() for each in (before, after))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    (report,) = train(after, iterations=1)
    assert all(torch.isfinite(value).all() for value in report.stats.values())


def test_a_sampler_needs_a_step_and_no_more() -> None:
    class Walk(Sampler):
        def step(self, energy: object, state: Position, rng: Rng) -> tuple[Position, Info]:
            return Position(state.x + rng.normal(state.x)), {}

    assert Sampler.__abstractmethods__ == {"step"}
    state, _ = next(walk(Walk(), lambda x: x.flatten(1).sum(1), torch.zeros(3, 2), rng=Rng(0)))
    assert state.x.shape == (3, 2)


def test_every_sampler_has_its_equation_and_its_source() -> None:
    samplers = Registry.discover().components("sampler")
    assert samplers
    for each in samplers:
        assert "$" in each.doc, each.name
        assert re.search(r"^\s*Source: \S", each.doc, re.MULTILINE), each.name


def test_the_wrong_samplers_are_as_many_as_is_said() -> None:
    for page in ("README.md", "docs/conformance.md"):
        said = re.findall(r"(\d+) (?:wrong samplers|of them, made of)", (ROOT / page).read_text())
        assert set(map(int, said)) == {len(MUTANTS)}, page


def test_every_experiment_of_the_results_is_a_run_file() -> None:
    named = re.findall(r"\bebmkit run (\S+\.toml)", (ROOT / "docs/results.md").read_text())
    assert len(named) >= 6
    assert all((ROOT / name).is_file() for name in named)
