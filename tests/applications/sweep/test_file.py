"""Sweep files are read and checked without torch and without Optuna."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ebmkit.applications.sweep.file import read_sweep
from ebmkit.errors import ConfigError
from tests.applications.sweep.conftest import RunFile, Write


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
