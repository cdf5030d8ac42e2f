from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
