from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Ebmkit


def test_nothing_is_overwritten_and_no_name_is_taken_twice(tmp_path: Path, ebmkit: Ebmkit) -> None:
    (tmp_path / "ebmkit-mine").mkdir()
    (tmp_path / "ebmkit-mine/thesis.tex").write_text("years of work")
    outcome = ebmkit("plugins", "new", "mine", "--kind", "energy")
    assert (outcome.code, "exists" in outcome.err) == (2, True)
    assert [path.name for path in (tmp_path / "ebmkit-mine").iterdir()] == ["thesis.tex"]
    outcome = ebmkit("plugins", "new", "hmc", "--kind", "sampler")
    assert (outcome.code, "has this name already" in outcome.err) == (2, True)
    assert ebmkit("plugins", "new", "x", "--kind", "smapler").code == 2


@pytest.mark.parametrize("word", ["sampler", "samplers"])
def test_it_says_where_to_write_and_commands_that_are_right(
    word: str, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("plugins", "new", "my-walk", "--kind", word)
    first, _, *commands = outcome.out.splitlines()
    assert first == "ebmkit-my-walk holds the sampler 'my-walk': write yours in ebmkit_my_walk/my_walk.py"
    assert (tmp_path / "ebmkit-my-walk/ebmkit_my_walk/my_walk.py").is_file()
    assert [each.strip() for each in commands] == [
        "cd ebmkit-my-walk",
        "pip install -e .",
        "ebmkit plugins check sampler/my-walk --quick",
        "ebmkit run example.toml",
    ]
    assert (tmp_path / "ebmkit-my-walk/example.toml").is_file()


def test_it_is_written_into_the_folder_that_is_named(tmp_path: Path, ebmkit: Ebmkit) -> None:
    (tmp_path / "code").mkdir()
    assert ebmkit("plugins", "new", "mine", "--kind", "energy", "--folder", "code").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["code"]
    assert (tmp_path / "code/ebmkit-mine/pyproject.toml").is_file()
