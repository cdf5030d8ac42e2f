"""Energies of given examples, on the command line and from Python."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ebmkit as face
from ebmkit.core import Chain
from ebmkit.errors import ConfigError, DataError
from ebmkit_coopnets import DescriptorOnly
from ebmkit_langevin import Langevin
from tests.conftest import Ebmkit
from tests.models import LinearDescriptor, double

RunFile = Callable[[str], Path]


def written(path: str) -> list[float]:
    """The energies of a file, whose lines are in order."""
    with Path(path).open() as file:
        header, *rows = csv.reader(file)
    assert header == ["example", "energy"]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    return [float(row[1]) for row in rows]


def test_score_writes_the_energy_of_every_example_and_of_others(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("descriptor-only"))
    all_of_them = ebmkit("score", "descriptor-only")
    assert all_of_them.code == 0, all_of_them.err
    assert "runs/descriptor-only/energies.csv: 12 energies, nats: 5 % below " in all_of_them.out
    whole = written("runs/descriptor-only/energies.csv")
    trained = face.load("descriptor-only")
    assert trained.energy is not None
    assert whole == trained.energy(trained.examples()).tolist()
    assert len(set(whole)) == 12
    some = ebmkit("score", "--set", "data.skip=7", "--set", "data.limit=3", "-o", "some.csv")
    assert some.code == 0, some.err
    assert written("some.csv") == whole[7:10]
    assert torch.equal(trained.examples(skip=7, limit=3), trained.examples()[7:10])
    assert all_of_them.out == ebmkit("score").out


def test_what_cannot_be_scored_is_told(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("generator-only"))
    outcome = ebmkit("score")
    assert (outcome.code, outcome.err) == (
        2,
        "error: run generator-only has no energy to score examples by\n",
    )
    with pytest.raises(DataError, match=r"the examples have shape \(1, 8, 8\), the run was trained on"):
        face.load("generator-only").examples(size=8)


def test_examples_of_a_program_are_asked_of_the_program(tmp_path: Path, ebmkit: Ebmkit) -> None:
    energy = LinearDescriptor(torch.zeros(3), 1.0)
    schedule = DescriptorOnly(energy, Chain(Langevin(step_size=0.1), 1), (3,), chains=2)
    data = double(4, 3).float()
    list(face.Run.new("mine", schedule, data=data, batch=2, rates={"energy": 1e-3}).train(1))
    opened = face.load("mine", schedule=schedule)
    with pytest.raises(ConfigError, match="parts that a program built"):
        opened.examples()
