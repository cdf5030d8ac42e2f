from __future__ import annotations

from pathlib import Path

import pytest

from ebmkit.config import ConfigProblemsError, read_document
from ebmkit.errors import ConfigError

TEXT = """\
[run]
seed = 1

[energy]
use = "mlp"
optimizer = { use = "adam", lr = 0.1 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "it.toml").write_text(TEXT)
    return tmp_path / "it.toml"


def test_of_several_overrides_the_last_one_wins_of_a_table_with_all_that_is_in_it(file: Path) -> None:
    sets = ["run.seed=2", "energy.optimizer.lr=0.3", "run.seed=3", 'energy.optimizer={use="sgd"}']
    document = read_document(file, sets)
    assert document.problems == ()
    assert document.data["run"] == {"seed": 3}
    assert document.data["energy"]["optimizer"] == {"use": "sgd"}
    assert document.overrides == {("run", "seed"): sets[2], ("energy", "optimizer"): sets[3]}
    again = read_document(file, [*sets, "energy.optimizer.lr=0.4", "guard.window=5"])
    assert again.data["energy"]["optimizer"] == {"use": "sgd", "lr": 0.4}
    assert again.data["guard"] == {"window": 5}


def test_what_is_left_out_is_gone_before_the_overrides_come(file: Path) -> None:
    document = read_document(file, ["energy.use=resnet"], ["energy", "run.seed"])
    assert document.data == {"run": {}, "energy": {"use": "resnet"}}


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("seed=3", "--set takes table.key=value, got 'seed=3'"),
        ("run.seed", "--set takes table.key=value, got 'run.seed'"),
        ("run..seed=3", "--set takes table.key=value, got 'run..seed=3'"),
        ("run.seed= ", "--set run.seed= gives no value: is a shell variable not set?"),
        ("run.seed.low=3", "'seed' is a value in {file}, not a table"),
    ],
)
def test_an_override_that_sets_nothing_is_a_problem_and_the_file_is_read(
    argument: str, said: str, file: Path
) -> None:
    document = read_document(file, [argument, "energy.use=resnet"])
    (problem,) = document.problems
    assert (problem.code, problem.message) == ("E110", said.replace("{file}", str(file)))
    assert (document.data["run"]["seed"], document.data["energy"]["use"]) == (1, "resnet")


def test_a_key_that_stands_twice_is_one_problem_and_its_first_value_is_read(file: Path) -> None:
    file.write_text(TEXT + 'use = "resnet"\n[run]\nseed = 2\n')
    document = read_document(file)
    assert [(each.line, each.message) for each in document.problems] == [
        (7, "key 'use' stands twice"),
        (8, "table [run] stands twice"),
    ]
    assert document.data["energy"]["use"] == "mlp"
    assert document.data["run"] == {"seed": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a = " + b"[" * 100_000, "nests values deeper than can be read"),
        (b"a = " + b"9" * 5000, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_message_with_the_file(text: bytes, said: str, file: Path) -> None:
    file.write_bytes(text)
    with pytest.raises(ConfigError, match=said) as refused:
        read_document(file)
    assert str(file) in str(refused.value)
    with pytest.raises(ConfigError, match="No such file or directory"):
        read_document(file.with_name("none.toml"))
    with pytest.raises(ConfigError, match="Is a directory"):
        read_document(file.parent)


def test_a_line_that_is_no_toml_has_its_place(file: Path) -> None:
    file.write_text(TEXT.replace('use = "mlp"', "use = mlp"))
    with pytest.raises(ConfigProblemsError) as refused:
        read_document(file)
    (problem,) = refused.value.problems
    assert (problem.code, problem.line, problem.column) == ("E101", 5, 7)
    assert problem.label == 'write: use = "mlp"'
