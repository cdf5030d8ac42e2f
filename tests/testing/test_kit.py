"""The kit as its users meet it: function, pytest class, command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebmkit.testing import CHECKS
from tests.conftest import Ebmkit

WRONG = """
from ebmkit.core import Position, Sampler, value_and_gradient
from ebmkit.testing import SamplerClaims

class Wrong(Sampler):
    def step(self, energy, state, rng):
        state.x.sub_(0.1 * value_and_gradient(energy, state.x).gradient)
        return Position(state.x), {}

    @staticmethod
    def conformance():
        return SamplerClaims(random=False, expected_failures=%s)
"""

RETURNS = """
from ebmkit.core import Position, Sampler

class Returns(Sampler):
    def step(self, energy, state, rng):
        return RETURNED
"""


def test_an_exception_that_many_checks_meet_is_told_once_and_whole(
    tmp_path: Path, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    folder = (
        tmp_path / "a-folder-with-a-name-that-is-longer-than-any-column" / "in-another-one-with-a-long-name"
    )
    folder.mkdir(parents=True)
    file = folder / "nameless.py"
    file.write_text(RETURNS.replace("RETURNED", "Position(stat.x), {}"))
    outcome = ebmkit("plugins", "check", file, "--quick")
    assert outcome.code == 4
    assert max(map(len, outcome.out.splitlines()[:-1])) <= 80
    lines = outcome.out.splitlines()
    table = "".join(line[lines[0].index("what was seen") : 76].rstrip() for line in lines)
    assert table.count("NameError: name 'stat'") == 1
    assert f"{file}:{RETURNS.splitlines().index('        return RETURNED') + 1}" in table
    assert "return Position(stat.x), {}" in table
    assert "likewise: independent-rows, batch-split" in table
    assert outcome.out.count("FAILED") == 1
    checks = json.loads(ebmkit("plugins", "check", file, "--quick", "--json").out)["checks"]
    assert sum(f"{file}:" in each["detail"] for each in checks) > 10


def test_the_command_checks_a_class_in_a_file(ebmkit: Ebmkit, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG % {})
    outcome = ebmkit("plugins", "check", "wrong.py", "--quick", "--json")  # it has but one part
    assert outcome.code == 4
    record = json.loads(outcome.out)
    assert not record["passed"]
    failed = {each["check"] for each in record["checks"] if each["outcome"] == "failed"}
    assert "input-unchanged" in failed
    assert {each["check"] for each in record["checks"]} == set(CHECKS["sampler"])


def test_every_check_is_in_the_docs_with_what_it_demands() -> None:
    page = (Path(__file__).parents[2] / "docs/conformance.md").read_text()
    for checks in CHECKS.values():
        for name, function in checks.items():
            assert function.__doc__
            assert f"| `{name}` | {function.__doc__.strip()} |" in page
