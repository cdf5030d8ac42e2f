"""Data of any shape through the commands: numbers, vectors, sequences and videos as well as images."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.conftest import Ebmkit, Install

NUMBERS = """
    import torch
    from ebmkit.core import Energy, as_rows
    from ebmkit.core import Source
    from ebmkit.plugin import hookimpl

    class Round(Energy):
        '''Round.'''
        def __init__(self, shape):
            super().__init__()
            self.centre = torch.nn.Parameter(torch.zeros(shape))
        def forward(self, x):
            return as_rows(x - self.centre).square().sum(1) / 2

    class Numbers(Source):
        '''Numbers.'''
        def __init__(self, *, shape: tuple[int, ...] = ()):
            self.shape = shape
        def __len__(self):
            return 20
        def __getitem__(self, index):
            return torch.randn((20, *self.shape), generator=torch.Generator().manual_seed(0))[index]

    @hookimpl
    def ebmkit_energies():
        return {"round": Round}

    @hookimpl
    def ebmkit_sources():
        return {"numbers": Numbers}
"""
NUMBERS_RUN = """
[run]
iterations = 2
samples_every = 1
device = "cpu"

[data]
use = "numbers"
batch = 5
shape = SHAPE

[energy]
use = "round"

[revision]
use = "mala"
steps = 2
step_size = 0.7

[schedule]
use = "descriptor-only"
chains = 4
"""


@pytest.mark.parametrize("shape", ["[]", "[8]", "[1, 8]", "[2, 3, 4, 4]"])
def test_examples_of_any_shape_are_trained_on_sampled_and_diagnosed(
    shape: str, install: Install, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    install("number-parts", "number_parts", NUMBERS)
    (tmp_path / "numbers.toml").write_text(NUMBERS_RUN.replace("SHAPE", shape))
    for command in ("check numbers.toml", "run numbers.toml", "sample numbers --count 3"):
        outcome = ebmkit(*command.split())
        assert outcome.code == 0, outcome.err
    found = ebmkit("diagnose", "numbers", "--steps", 40, "--warmup", 10)
    assert found.code == 0, found.err
    assert "mean coordinate" in found.out
    assert "pixel" not in found.out
    for command in ("recover", "complete --image x.png", "sample --size 8"):
        outcome = ebmkit(*command.split(), "numbers")
        assert outcome.code == 2
        assert "images" in outcome.err
        assert "Traceback" not in outcome.err


def test_of_what_are_no_images_nobody_speaks_of_images(
    install: Install, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    install("number-parts", "number_parts", NUMBERS)
    (tmp_path / "numbers.toml").write_text(NUMBERS_RUN.replace("SHAPE", "[8]"))
    said = [
        ebmkit(*command.split())
        for command in ("run numbers.toml", "status", "evaluate --count 8", "report", "export numbers out")
    ]
    assert [each.code for each in said] == [0] * 5, said
    page = (tmp_path / "runs/numbers/report.html").read_text()
    written = page[page.index("<body") :] + (tmp_path / "out/README.md").read_text()
    assert not re.findall("pixel|image|picture", "".join(each.out for each in said) + written)


def test_what_takes_images_alone_says_so_of_an_evaluation(
    install: Install, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    install("number-parts", "number_parts", NUMBERS)
    (tmp_path / "numbers.toml").write_text(NUMBERS_RUN.replace("SHAPE", "[8]"))
    sets = ("--set", "evaluation.every=2", "--set", 'evaluation.metrics=["kid"]')
    ahead = ebmkit("check", "numbers.toml", *sets)
    assert "warning: [evaluation] nothing will be evaluated: metrics: kid must" in " ".join(ahead.out.split())
    assert ebmkit("run", "numbers.toml").code == 0
    kid = ebmkit("evaluate", "--set", 'evaluation.metrics=["kid"]')
    assert (kid.code, kid.err) == (
        2,
        "error: [evaluation] metrics: kid must see images, but the examples of run numbers have the shape "
        "(8,); energy-distance and mmd take any\n",
    )
    other = ebmkit("evaluate", "--against", "other.csv")
    assert (other.code, other.err) == (
        2,
        "error: other.csv: a folder or an archive holds images, and run numbers was trained on examples of "
        "shape (8,); --set data.KEY=VALUE opens others of its own source\n",
    )


def test_what_fails_while_it_is_diagnosed_is_named_with_its_line(
    install: Install, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    install("number-parts", "number_parts", NUMBERS)
    (tmp_path / "numbers.toml").write_text(NUMBERS_RUN.replace("SHAPE", "[8]"))
    assert ebmkit("run", "numbers.toml").code == 0
    module = tmp_path / "number_parts.py"
    line = "        assert len(x) < 16, 'too many'\n"
    whole = module.read_text()
    anchor = "        return as_rows(x - self.centre)"
    module.write_text(whole.replace(anchor, line + anchor))
    sys.modules.pop("number_parts")
    outcome = ebmkit("diagnose", "numbers")
    assert outcome.code == 4, outcome.err
    number = whole.splitlines().index(anchor + ".square().sum(1) / 2") + 1
    assert outcome.err == (
        "error: the chains ended in energy 'round' (plugin 'number_parts' of number-parts 1.2), "
        f"{module}:{number}: AssertionError: too many\nEBMKIT_DEBUG=1 shows the traceback\n"
    )


def test_examples_without_a_number_are_refused(install: Install, tmp_path: Path, ebmkit: Ebmkit) -> None:
    install("number-parts", "number_parts", NUMBERS)
    (tmp_path / "numbers.toml").write_text(NUMBERS_RUN.replace("SHAPE", "[3, 0]"))
    outcome = ebmkit("check", "numbers.toml")
    assert outcome.code == 2
    assert "holds examples without a number: (3, 0)" in outcome.err


@pytest.mark.parametrize("part", ["energy", "generator"])
def test_convolutional_networks_are_refused_for_other_data_with_the_place_of_their_table(
    part: str, install: Install, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    install("number-parts", "number_parts", NUMBERS)
    text = NUMBERS_RUN.replace("SHAPE", "[64]").replace('use = "round"', 'use = "descriptor"')
    if part == "generator":
        text = NUMBERS_RUN.replace("SHAPE", "[64]").replace("descriptor-only", "coopnets")
        text += '\n[generator]\nuse = "generator"\n'
    (tmp_path / "numbers.toml").write_text(text)
    outcome = ebmkit("check", "numbers.toml")
    assert outcome.code == 2, outcome.err
    assert outcome.err.startswith("error[E109]: ")
    assert "sequences (C, L), but examples have the shape (64,); the energy mlp is for any" in outcome.err
    assert f" --> numbers.toml:{text.splitlines().index(f'[{part}]') + 1}:2" in outcome.err
