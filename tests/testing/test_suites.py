"""The checks as classes that pytest collects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ebmkit.testing import CHECKS, Linear, SamplerChecks, SamplerClaims, suites
from ebmkit_langevin.langevin import Langevin
from tests.testing.test_kit import WRONG


def test_the_class_collects_one_test_for_each_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "collected.py").write_text(WRONG % {"input-unchanged": "it is a demonstration"})
    (tmp_path / "test_collected.py").write_text(
        "from collected import Wrong\nfrom ebmkit.testing import SamplerChecks\n\n\n"
        "class TestWrong(SamplerChecks):\n    component = Wrong\n    quick = True\n"
    )
    options = ["-q", "-rxs", "-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    pytest.main([*map(str, options), str(tmp_path / "test_collected.py")])
    out = capsys.readouterr().out
    counts = {kind: int(n) for n, kind in re.findall(r"(\d+) (passed|failed|skipped|xfailed)", out)}
    assert sum(counts.values()) == len(CHECKS["sampler"]), out
    assert counts["xfailed"] == 1
    assert "it is a demonstration" in out
    assert "no law is claimed" in out


SUITES = [getattr(suites, name) for name in suites.__all__ if name != "ComponentChecks"]


def test_every_kind_has_a_class_and_each_class_the_tests_of_its_kind_alone() -> None:
    assert sorted(suite.kind for suite in SUITES) == sorted(CHECKS)
    for suite in SUITES:
        tests = {name for name in vars(suite) if name.startswith("test_")}
        assert tests == {f"test_{name.replace('-', '_')}" for name in CHECKS[suite.kind]}


def test_what_the_class_says_of_claims_wins_over_what_the_part_says() -> None:
    class Own(SamplerChecks):
        component = Langevin
        quick = True
        seed = 7

    class Said(Own):
        claims = SamplerClaims(settings={"step_size": 0.25})

    own, said = Own.subject(), Said.subject()
    assert isinstance(own.claims.law, Linear)  # as Langevin.conformance() says
    assert said.claims.settings == {"step_size": 0.25}
    assert (
        (own.component, own.quick, own.seed) == (said.component, said.quick, said.seed) == (Langevin, True, 7)
    )
