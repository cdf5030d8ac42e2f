from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.config import read_document
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_mistakes_of_overrides_are_shown_in_the_override(run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit(
        "check",
        run_file("coopnets"),
        *("--set", "revision.stepsize=0.1", "--set", "revison.steps=2", "--set", "energy.leak=high"),
    )
    for shown in (
        " | --set revision.stepsize=0.1\n |                ^^^^^^^^ did you mean 'step_size'?",
        " | --set revison.steps=2\n |       ^^^^^^^ did you mean 'revision'?",
        " | --set energy.leak=high\n |                   ^^^^",
    ):
        assert shown in outcome.err


MISSPELT = """\
[revision]
use = "langevin"

[revison]
steps = 3
use = "mala"
step_size = 0.1
"""


def test_a_renamed_table_is_laid_together_with_its_namesake_and_every_place_is_remembered(
    tmp_path: Path,
) -> None:
    file = tmp_path / "it.toml"
    file.write_text(MISSPELT)
    document = read_document(file, ["revison.step_size=0.2"])
    renamed = document.renamed(("revison",), "revision")
    assert renamed.data == {"revision": {"use": "langevin", "steps": 3, "step_size": 0.2}}
    assert renamed.place(("revision", "steps")) == f"{file}:5"
    assert renamed.place(("revision", "use")) == f"{file}:2"
    assert renamed.place(("revision", "step_size")) == "--set revison.step_size=0.2"
    assert set(document.data) == {"revision", "revison"}  # what it was made of is left as it is


def test_what_does_not_stand_in_the_file_has_the_place_of_the_table_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("it.toml")
    file.write_text(MISSPELT)
    document = read_document(file, ["data.path=a", "data.size=8"])
    assert document.place(("revision", "temperature", "end")) == f"{file}:1"
    assert document.place(("data",)) == "--set data.path=a"
    assert document.place(("schedule", "use")) == str(file)


def test_a_value_is_told_as_it_was_written_in_the_file_or_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "it.toml"
    file.write_bytes(b"[energy]\r\nchannels = [ 4,\r\n 8 ]\r\nwidth = 1e-3  # thin\r\n")
    document = read_document(file, ["energy.use = 0x10 "])
    assert document.text_of(("energy", "channels")) == "[ 4,"
    assert document.text_of(("energy", "width")) == "1e-3"
    assert document.text_of(("energy", "use")) == ""
    assert document.text_set(("energy", "use")) == "0x10"
    assert document.text_set(("energy", "width")) is None
