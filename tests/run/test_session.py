"""One process training one run: what it says, how it ends, and what is left then."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ebmkit import Run, __version__
from ebmkit.core import Chain
from ebmkit.errors import DivergedError, TrainingError
from ebmkit.storage.checkpoint import newest_checkpoint
from ebmkit_coopnets import DescriptorOnly
from ebmkit_langevin import Langevin
from tests.conftest import Ebmkit, Install
from tests.run.test_program import SHAPE, Bowl, _in_a_folder_of_its_own, new  # noqa: F401 - a fixture

RunFile = Callable[[str], Path]

FAILING = """
    import torch
    from ebmkit.core import Source
    from ebmkit.errors import DataError
    from ebmkit.plugin import hookimpl

    class Failing(Source):
        '''Cannot be read any more after a while.

        Args:
            last: how often it can be read.
        '''
        def __init__(self, *, last: int = 9):
            Failing.read, self.last, self.shape = 0, last, (1, 16, 16)

        def __len__(self):
            return 12

        def __getitem__(self, index):
            Failing.read += 1
            if Failing.read > self.last:
                raise DataError("the disk is gone")
            return (index / 12)[:, None, None, None] * torch.linspace(-1, 1, 256).view(1, 1, 16, 16)

    @hookimpl
    def ebmkit_sources():
        return {"failing": Failing}
"""


def ended(name: str) -> str:
    read: str = json.loads(Path(f"runs/{name}/ended.json").read_text())["status"]
    return read


def saved(name: str) -> int:
    return newest_checkpoint(Path(f"runs/{name}/checkpoints"))[0].iteration


def test_a_run_begins_with_what_it_is_and_ends_with_where_it_went(run_file: RunFile, ebmkit: Ebmkit) -> None:
    begun = ebmkit("run", run_file("descriptor-only"), "--set", "run.iterations=2")
    first, *_, last = begun.out.splitlines()
    assert first == f"ebmkit {__version__} · run descriptor-only · 2 iterations · seed 0"
    assert last == "done: 2 iterations; samples, metrics and checkpoints are in runs/descriptor-only"
    assert (begun.code, ended("descriptor-only"), saved("descriptor-only")) == (0, "finished", 2)
    resumed = ebmkit("resume", "descriptor-only", "--set", "run.iterations=3")
    assert resumed.out.splitlines()[0].endswith(" · from iteration 2 to 3 · seed 0")
    assert (resumed.code, saved("descriptor-only")) == (0, 3)


def test_data_that_cannot_be_read_any_more_end_the_run_with_the_iteration_and_the_way_on(
    run_file: RunFile, install: Install, ebmkit: Ebmkit
) -> None:
    install("failing-data", "failing_data", FAILING)
    file = run_file("descriptor-only")
    text = file.read_text()
    start, end = text.index("[data]"), text.index("[energy]")
    data = '[data]\nuse = "failing"\nbatch = 2\nlast = '
    file.write_text(f"{text[:start]}{data}100\n\n{text[end:]}")
    assert ebmkit("run", file, "--set", "run.output=runs/whole", "--set", "run.iterations=2").code == 0
    read = sys.modules["failing_data"].Failing.read  # in two iterations
    outcome = ebmkit("run", file, "--set", f"data.last={read}")
    assert outcome.code == 3
    assert "error: iteration 3: the disk is gone\n" in outcome.err
    assert "The last checkpoint is intact (ebmkit resume descriptor-only)." in outcome.err
    assert (ended("descriptor-only"), saved("descriptor-only")) == ("failed", 2)


def bowl() -> DescriptorOnly:
    return DescriptorOnly(Bowl(), Chain(Langevin(step_size=0.1), 1), SHAPE, chains=3)


def test_a_loop_that_is_left_early_saves_what_is_done() -> None:
    for report in new("it", bowl(), checkpoint_every=100).train(9):
        if report.iteration == 4:
            break
    assert (ended("it"), saved("it")) == ("stopped", 4)


def test_an_error_in_the_programs_loop_is_the_programs_and_leaves_the_run_stopped() -> None:
    reports = new("it", bowl(), checkpoint_every=100).train(9)
    with pytest.raises(ZeroDivisionError):
        _fail_at(reports, 3)
    reports.close()  # type: ignore[attr-defined]
    assert (ended("it"), saved("it")) == ("stopped", 3)


def _fail_at(reports: Iterator[object], iteration: int) -> None:
    for _ in range(iteration):
        next(reports)
    raise ZeroDivisionError


def poisoned(run: Run, schedule: DescriptorOnly, at: int) -> None:
    """Train with a weight that is no number after an iteration."""
    for report in run.train(9):
        if report.iteration == at:
            with torch.no_grad():
                schedule.get_parameter("energy.a").fill_(torch.nan)


def test_a_divergence_that_nothing_helps_is_how_it_ended() -> None:
    schedule = bowl()
    run = Run.new("it", schedule, data=torch.linspace(-1, 1, 768).view(12, *SHAPE), guard={"rollbacks": 0})
    with pytest.raises(DivergedError, match="iteration 3"):
        poisoned(run, schedule, 2)
    assert ended("it") == "diverged"


def test_what_a_part_raises_is_an_error_of_the_training_with_its_line() -> None:
    class Strange(Bowl):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) == 7:  # a look takes four rows
                raise LookupError("out of cheese")
            return super().forward(x)

    schedule = DescriptorOnly(Strange(), Chain(Langevin(step_size=0.1), 1), SHAPE, chains=7)
    with pytest.raises(TrainingError) as failed:
        list(new("it", schedule).train(2))
    assert str(failed.value).startswith(
        "iteration 1 failed in energy 'test_what_a_part_raises_is_an_error_of_"
    )
    assert f"{__file__}:" in str(failed.value)
    assert "LookupError: out of cheese\nThe last checkpoint is intact (ebmkit resume it);" in str(
        failed.value
    )
    assert (ended("it"), saved("it")) == ("failed", 0)
