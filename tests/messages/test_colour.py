"""Errors are coloured on a terminal, and are the same letters in the same places everywhere."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ebmkit.messages.colour import coloured, wants_colour

ANSI = re.compile(r"\x1b\[[0-9;]*m")
MESSAGE = """\
error[E103]: unknown key 'stepsize' for sampler 'langevin'
  --> coop.toml:17:1
   |
17 | stepsize = 0.002
   | ^^^^^^^^ did you mean 'step_size'?
   = help: all parameters: ebmkit plugins show sampler/langevin

1 error in coop.toml; nothing was started."""


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_a_terminal_has_colours_unless_the_user_says_otherwise(
    variables: dict[str, str], terminal: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    assert wants_colour(stream) == wanted
    assert (coloured(MESSAGE, stream) != MESSAGE) == wanted


def test_only_the_marks_are_coloured() -> None:
    shown = coloured(MESSAGE, Terminal())
    assert ANSI.sub("", shown) == MESSAGE
    assert re.findall(r"\x1b\[1;3\dm(.*?)\x1b\[0m", shown) == [
        "error[E103]:",
        "  -->",
        "^^^^^^^^ did you mean 'step_size'?",
        "= help:",
    ]


def test_a_file_that_looks_like_marks_stays_as_it_is() -> None:
    line = '17 | note = "error: --> = helpless ^^^"'
    assert coloured(line, Terminal()) == line


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_the_command_itself_on_a_real_terminal(variables: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", **variables}
    command = [sys.executable, "-m", "ebmkit", "check", str(tmp_path / "none.toml")]
    subprocess.run(command, stderr=theirs, stdout=subprocess.DEVNULL, env=environment, check=False)
    os.close(theirs)
    told = os.read(ours, 10_000).decode()
    os.close(ours)
    assert told.startswith("error: cannot read" if variables else "\x1b[1;31merror:\x1b[0m cannot read")
