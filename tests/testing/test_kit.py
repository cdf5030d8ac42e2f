"""The kit as its users meet it: function, pytest class, command."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
import torch

from ebmkit.errors import PluginError
from ebmkit.testing import CHECKS, Exact, Outcome, SamplerClaims, check
from tests.conftest import Ebmkit
from tests.testing.mutants import ADJUSTED, MUTANTS, AcceptsAlways, Adjusted

COMPARISONS = ("independent-rows", "batch-split", "same-seed", "callables", "resume", "stops")
"""Checks that compare the bits of chains."""

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


def test_a_report_names_the_checks_that_failed() -> None:
    report = check(AcceptsAlways, ADJUSTED, quick=True, only=["law-funnel", "resume"])
    assert not report.passed
    assert [each.check for each in report.failures] == ["law-funnel"]
    assert "law-funnel: failed: 30 steps after exact draws" in str(report)


def test_another_seed_is_another_experiment_and_the_same_seed_the_same() -> None:
    details = [
        check(AcceptsAlways, ADJUSTED, quick=True, seed=seed, only=["law-funnel"]).results[0].detail
        for seed in (0, 0, 1)
    ]
    assert details[0] == details[1] != details[2]


def test_without_a_law_the_statistics_are_skipped_and_say_so() -> None:
    (result,) = check(Adjusted, SamplerClaims(), quick=True, only=["law-gaussian"]).results
    assert result.outcome is Outcome.SKIPPED
    assert "no law is claimed" in result.detail


def test_what_a_part_raises_is_a_failure_with_its_line() -> None:
    def broken(**settings: float) -> Adjusted:
        raise RuntimeError("no such luck")

    (result,) = check(broken, SamplerClaims(law=Exact()), quick=True, only=["resume"]).results
    assert result.outcome is Outcome.FAILED
    assert "RuntimeError: no such luck" in result.detail
    assert f"{Path(__file__).name}:" in result.detail


def test_a_sampler_that_knows_vectors_alone_is_told_which_states_it_fails_on() -> None:
    mutant = MUTANTS["KnowsNoPlainNumbers"]
    (result,) = check(mutant.component, mutant.claims, only=["shape-and-dtype"]).results
    assert "raised IndexError: Dimension out of range" in result.detail
    assert f"{Path(inspect.getfile(mutant.component))}:" in result.detail
    assert (
        "with states of shape (B,): a state may have any shape (B, *S), and ebmkit.core.as_rows"
        in result.detail
    )


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("Position(state.x)", "step returned a Position; wanted (state, info)"),
        ("(Position(state.x), 0.5)", "step returned a float as info; wanted a mapping"),
        (
            "(Position(state.x), {'a': state.x})",
            "info 'a' has shape (5, 3); wanted (5,), one number per chain, or ()",
        ),
    ],
)
def test_what_a_step_returns_is_held_against_what_it_should(
    returned: str, message: str, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    (tmp_path / "odd.py").write_text(RETURNS.replace("RETURNED", returned))
    checks = json.loads(ebmkit("plugins", "check", "odd.py", "--quick", "--json").out)["checks"]
    assert message in checks[0]["detail"]


@pytest.mark.parametrize(
    ("returned", "others"), [("Position(state.x)", 0), ("(Position(state.x), {'a': state.x})", 15)]
)
def test_nothing_else_is_checked_where_a_step_returns_no_pair(
    returned: str, others: int, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    (tmp_path / "odd.py").write_text(RETURNS.replace("RETURNED", returned))
    checks = json.loads(ebmkit("plugins", "check", "odd.py", "--quick", "--json").out)["checks"]
    assert [each["check"] for each in checks] == list(CHECKS["sampler"])
    assert sum(each["outcome"] != "skipped" for each in checks[1:]) >= others
    assert others or {each["outcome"] for each in checks[1:]} == {"skipped"}


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


@pytest.mark.parametrize(
    ("mutant", "root", "said"),
    [
        ("GlobalGenerator", "global-random", "the chain moved the global generator of torch"),
        ("InPlace", "input-unchanged", "the start of the chain was modified in place"),
    ],
)
def test_differing_bits_stand_under_the_mistake_that_makes_them(mutant: str, root: str, said: str) -> None:
    wrong = MUTANTS[mutant]
    report = check(wrong.component, wrong.claims, quick=True, only=[*COMPARISONS, root])
    others = [each.check for each in report.failures if each.check != root]
    assert others
    told = [(each.check, text) for each, text in report.told() if each.bad]
    assert told == [(root, f"{said}\nfollows from it, probably: {', '.join(others)}")]


def test_comparisons_that_fail_by_themselves_are_told_by_themselves() -> None:
    wrong = MUTANTS["ClipsByTheBatch"]
    report = check(wrong.component, wrong.claims, quick=True, only=[*COMPARISONS, "global-random"])
    assert "independent-rows" in {each.check for each, _ in report.told() if each.bad}
    assert "follows from it" not in repr(report)


LAWS = tuple(name for name in CHECKS["sampler"] if name.startswith("law-"))


@pytest.mark.parametrize("mutant", ["ForgetsTheProposalDensity", "NoiseTimesRootTwo", "HalfForgotten"])
def test_a_wrong_step_is_advised_where_every_law_fails_and_nothing_else(mutant: str) -> None:
    wrong = MUTANTS[mutant]
    report = check(wrong.component, wrong.claims, quick=True, only=[*LAWS, *COMPARISONS])
    assert "the acceptance ratio" in report.advice


@pytest.mark.parametrize("mutant", ["SharedNoise", "TemperatureIgnored", "ClipsByTheBatch"])
def test_other_mistakes_are_not_taken_for_a_wrong_step(mutant: str) -> None:
    wrong = MUTANTS[mutant]
    report = check(wrong.component, wrong.claims, quick=True, only=[*LAWS, *COMPARISONS])
    assert not report.passed
    assert not report.advice


def test_a_right_sampler_is_not_advised() -> None:
    assert not check(Adjusted, ADJUSTED, quick=True, only=LAWS).advice


def test_nothing_is_said_of_a_law_where_nothing_ran(tmp_path: Path, ebmkit: Ebmkit) -> None:
    (tmp_path / "odd.py").write_text(RETURNS.replace("RETURNED", "state"))
    assert ebmkit("plugins", "check", "odd.py", "--quick").out.endswith("odd.py fails 1 of 1 checks\n")


def test_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PluginError, match="no check of a sampler is named 'law-gausian'"):
        check(Adjusted, ADJUSTED, only=["law-gausian"])
    with pytest.raises(PluginError, match="is not a part"):
        check(int)


def test_the_class_collects_one_test_for_each_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.py").write_text(WRONG % {"input-unchanged": "it is a demonstration"})
    (tmp_path / "test_wrong.py").write_text(
        "from wrong import Wrong\nfrom ebmkit.testing import SamplerChecks\n\n\n"
        "class TestWrong(SamplerChecks):\n    component = Wrong\n    quick = True\n"
    )
    options = ["-q", "-rxs", "-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    pytest.main([*map(str, options), str(tmp_path / "test_wrong.py")])
    out = capsys.readouterr().out
    counts = {kind: int(n) for n, kind in re.findall(r"(\d+) (passed|failed|skipped|xfailed)", out)}
    assert sum(counts.values()) == len(CHECKS["sampler"]), out
    assert counts["xfailed"] == 1
    assert "it is a demonstration" in out
    assert "no law is claimed" in out


def test_a_wrong_part_does_not_leave_its_mark_on_the_process() -> None:
    mutant = MUTANTS["SwitchesGradientsOff"]
    check(mutant.component, mutant.claims, quick=True, only=["no-graph"])
    assert torch.is_grad_enabled()


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
