from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from ebmkit.config import ConfigProblemsError, Reader, read_document, signature_of
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_every_misspelt_key_is_found_at_its_line_with_the_right_suggestion(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        if not equals or key in ("use", "optimizer"):
            continue
        wrong = key[:-1] + ("x" if key[-1] != "x" else "y")
        file.write_text("\n".join([*lines[:number], line.replace(key, wrong, 1), *lines[number + 1 :]]))
        err = ebmkit("check", file).err
        assert f"unknown key {wrong!r}" in err
        assert f"--> {file}:{number + 1}:1" in err
        assert f"did you mean {key!r}?" in err


@attrs.frozen(kw_only=True)
class Walk:
    """A table.

    Args:
        length: of each step.
        steps: how many.
        rate: learning rate of the walk.
    """

    length: float
    steps: int = 3
    rate: float = 0.5


def reader_of(text: str, folder: Path) -> Reader:
    (folder / "it.toml").write_text(text)
    return Reader(read_document(folder / "it.toml"))


def test_what_is_not_said_has_its_default_and_what_is_wrong_too(tmp_path: Path) -> None:
    reader = reader_of("[walk]\nlength = 2\nsteps = 'x'\n", tmp_path)
    values = reader.values(("walk",), signature_of(Walk).parameters, owner="the walk")
    assert values == {"length": 2.0, "steps": 3, "rate": 0.5}
    with pytest.raises(ConfigProblemsError) as raised:
        reader.finish()
    assert [each.code for each in raised.value.problems] == ["E104"]


@pytest.mark.parametrize(
    ("line", "codes", "suggestion"),
    [
        ("lenght = 2.0", ["E103"], "length"),  # one mistake, and the key is not missing too
        ("learning_rate = 2.0\nlength = 1.0", ["E103"], "rate"),  # by what the key is for
        ("old_length = 2.0", ["E103"], "length"),  # by the name that it had
        ("frobnicate = 2.0", ["E103", "E106"], None),
        ("lenght = 'far'", ["E103", "E104"], "length"),  # the value of what was meant is checked too
        ("elsewhere = 1\nlength = 1.0", [], None),
    ],
)
def test_an_unknown_key_is_taken_for_the_one_that_was_meant(
    line: str, codes: list[str], suggestion: str | None, tmp_path: Path
) -> None:
    reader = reader_of(f"[walk]\n{line}\n", tmp_path)
    parameters = signature_of(Walk).parameters
    former = {"old_length": "length"}
    reader.values(("walk",), parameters, owner="the walk", ignore=["elsewhere"], former=former)
    assert sorted(each.code for each in reader.problems) == codes
    assert [each.suggestion for each in reader.problems if each.code == "E103"] == [suggestion][: len(codes)]


def test_a_problem_met_twice_is_one_and_a_value_in_the_place_of_a_table_is_told(tmp_path: Path) -> None:
    reader = reader_of("walk = 3\n", tmp_path)
    for _ in range(2):
        assert reader.table(("walk",)) is None
    assert reader.table(("run",)) is None
    (problem,) = reader.problems
    assert (problem.code, problem.message) == ("E104", "'walk' must be a table, got 3")
