"""Sweep files are read and checked without torch and without Optuna."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.applications.sweep.file import SweepFile, read_sweep
from ebmkit.errors import ConfigError

RunFile = Callable[[str], Path]
Write = Callable[..., SweepFile]


@pytest.fixture
def write(run_file: RunFile) -> Write:
    """Read a sweep of the tiny run file with these ranges."""

    def read(ranges: str, keys: str = 'sampler = "grid"', *overrides: str) -> SweepFile:
        base = run_file("descriptor-only")
        path = base.with_name("search.toml")
        metric = 'metric = "loss_energy"\n'
        path.write_text(f'[sweep]\nbase = "{base.name}"\n{metric}{keys}\n[sweep.parameters]\n{ranges}\n')
        return read_sweep(path, overrides)

    return read


def test_a_grid_is_the_product_of_its_points_the_last_key_changing_fastest(write: Write) -> None:
    file = write(
        '"revision.step_size" = { low = 0.1, high = 0.3, step = 0.1 }\nrevision.steps = { low = 1, high = 2 }'
    )
    assert file.trials == 6
    points = [file.point(number) for number in range(file.trials)]
    assert [(each["revision.step_size"], each["revision.steps"]) for each in points] == [
        (step, count) for step in ("0.1", "0.2", "0.3") for count in ("1", "2")
    ]
    plan = file.plan(points[3])
    assert (plan.parts["revision"].values["step_size"], plan.parts["revision"].shared["steps"]) == (0.2, 2)


def test_choices_may_be_texts_and_lists(write: Write) -> None:
    file = write(
        '"schedule.start" = { choices = ["data", "noise"] }\n"energy.channels" = { choices = [[4, 8]] }'
    )
    file.check()
    plan = file.plan(file.point(1))
    assert plan.parts["schedule"].values["start"] == "noise"
    assert plan.parts["energy"].values["channels"] == (4, 8)


def test_the_run_file_may_stand_in_the_same_file(run_file: RunFile) -> None:
    path = run_file("descriptor-only")
    ranges = '"revision.steps" = { choices = [1] }\n'
    path.write_text(
        f'{path.read_text()}[sweep]\nsampler = "grid"\nmetric = "loss_energy"\n[sweep.parameters]\n{ranges}'
    )
    file = read_sweep(path, ["run.seed=4", "sweep.name=other"])
    file.check()
    assert (file.table.name, file.plan({}).run.seed) == ("other", 4)


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ('"revision.steps" = { choices = [] }', "must be a list that holds something"),
        ('"revision.steps" = { choices = [1], low = 1 }', "has choices and bounds"),
        ('"revision.steps" = { low = 1 }', "needs low and high, or choices"),
        ('"revision.steps" = { low = 3, high = 3 }', "is empty: low = 3 is not below high = 3"),
        ('"revision.step_size" = { low = 0.0, high = 1.0, log = true }', "low must be above 0"),
        ('"revision.step_size" = { low = 0.1, high = 1.0, log = true, step = 0.1 }', "it has no step"),
        ('"revision.step_size" = { low = 0.1, high = 1.0, step = -0.1 }', "must be above 0"),
        ('"revision.steps" = { low = 1, high = 3, step = 0.5 }', "are whole, so must be its step"),
        ('"revision.step_size" = { low = 0.1, high = 1.0 }', "to have choices or a step"),
        ('"steps" = { choices = [1] }', "'steps' names no key of a run file"),
        ('"revision.steps" = { lowest = 1, high = 3 }', "unknown key 'lowest'"),
        ('"revision.steps" = 3', "must be a range, got 3"),
        ("", "missing table [sweep.parameters]"),
    ],
)
def test_what_is_wrong_with_a_range_is_told_at_its_place(write: Write, ranges: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        write(ranges)
    assert said in str(refused.value)
    assert "search.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("ranges", "keys", "said"),
    [
        ('"revision.step" = { choices = [1] }', 'sampler = "grid"', "did you mean 'steps'?"),
        ('"revision.steps" = { choices = [1, -1] }', 'sampler = "grid"', "'steps' must be >= 0"),
        ('"revision.steps" = { low = -1, high = 2 }', 'sampler = "grid"', "'steps' must be >= 0"),
        ('"revision.steps" = { low = 1, high = 2 }', 'sampler = "random"', "needs trials = …: how many"),
        ('"revision.steps" = { low = 1, high = 2 }', 'sampler = "gird"', "did you mean 'grid'?"),
        (
            '"revision.steps" = { low = 1, high = 2 }',
            'trails = 3\nsampler = "grid"',
            "did you mean 'trials'?",
        ),
    ],
)
def test_keys_and_values_are_checked_before_anything_trains(
    write: Write, ranges: str, keys: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        write(ranges, keys).check()
    assert said in str(refused.value)


def test_a_metric_of_an_evaluation_needs_one(write: Write) -> None:
    ranges, keys = '"revision.steps" = { choices = [1] }', 'sampler = "grid"'
    with pytest.raises(ConfigError, match="needs trials to be evaluated while they train"):
        write(ranges, keys, "sweep.metric=evaluation_kid").check()
    write(ranges, keys, "sweep.metric=evaluation_kid", "evaluation.every=2").check()


def test_tables_beside_a_base_are_refused(write: Write, tmp_path: Path) -> None:
    write('"revision.steps" = { choices = [1] }')
    path = tmp_path / "search.toml"
    path.write_text(path.read_text() + "[run]\niterations = 3\n")
    with pytest.raises(ConfigError, match=r"whose tables are meant: \[run\] stands there"):
        read_sweep(path)


def test_reading_needs_neither_torch_nor_optuna() -> None:
    code = "import sys, ebmkit.applications.sweep.file; print({'torch', 'optuna'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
