from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ebmkit.scaffold.run_files import run_files
from tests.conftest import Ebmkit

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", [*run_files()])
def test_a_run_file_is_written_beside_the_user_and_says_its_own_commands(name: str, ebmkit: Ebmkit) -> None:
    file = run_files()[name]
    written = Path(file.path.name)
    result = ebmkit("new", name)
    assert f"wrote {written}" in result.out
    assert tomllib.loads(written.read_text()) == tomllib.loads(file.path.read_text())
    assert "examples/" not in written.read_text()
    assert f"ebmkit run {written}" in written.read_text()


def test_all_examples_are_offered_with_a_title_each(ebmkit: Ebmkit) -> None:
    out = ebmkit("new", "--list").out
    examples = [*(ROOT / "examples").glob("*.toml"), *(ROOT / "examples/paper").glob("*.toml")]
    assert {path.stem.replace("_", "-") for path in examples} == set(run_files())
    assert all(name in out and len(file.title) > 5 for name, file in run_files().items())


def test_what_is_written_is_valid_and_never_overwritten(ebmkit: Ebmkit) -> None:
    assert ebmkit("new", "coop").out.startswith("wrote coopnets_faces.toml: CoopNets on 360 real faces")
    assert "is valid" in ebmkit("check", "coopnets_faces.toml").out
    again = ebmkit("new", "coopnets_faces")
    assert (again.code, again.err.strip()) == (
        2,
        "error: coopnets_faces.toml exists already; --output names another file",
    )
    assert ebmkit("new", "coopnets-faces", "-o", "mine.toml").code == 0
    assert Path("mine.toml").read_text() == Path("coopnets_faces.toml").read_text()


def test_an_unknown_name_and_a_run_without_a_file_say_what_there_is(ebmkit: Ebmkit) -> None:
    wrong = ebmkit("new", "textur")
    assert (wrong.code, wrong.err) == (
        2,
        "error: no run file comes with ebmkit that is named 'textur'; there are texture, texture-small, "
        "texture-windows; ebmkit new --list shows them\n",
    )
    assert "did you mean 'descriptor-only'?" in ebmkit("new", "descripter-only").err
    assert "ebmkit new --list shows some to start from" in ebmkit("run").err
