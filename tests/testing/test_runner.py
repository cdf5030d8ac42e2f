"""How the checks of a part are run, whatever it does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

from ebmkit.errors import PluginError
from ebmkit.testing import (
    CHECKS,
    EnergyClaims,
    Exact,
    Outcome,
    Result,
    SamplerClaims,
    check,
)
from ebmkit.testing.parts import TinyEnergy
from ebmkit.testing.runner import claims_of
from tests.conftest import Ebmkit
from tests.testing.mutants import ADJUSTED, MUTANTS, AcceptsAlways, Adjusted
from tests.testing.test_energies import CLAIMS as ENERGY
from tests.testing.test_energies import NeverLearns
from tests.testing.test_kit import RETURNS


def test_a_known_failure_is_told_and_one_that_passes_is_reported() -> None:
    known = attrs.evolve(ENERGY, expected_failures={"learns": "one is for later", "shape": "never"})
    results = {each.check: each for each in check(NeverLearns, known).results}
    assert results["learns"].outcome is Outcome.EXPECTED_FAILURE
    assert "one is for later" in results["learns"].detail
    assert results["shape"].outcome is Outcome.UNEXPECTED_PASS
    assert not check(NeverLearns, known).passed


def test_another_seed_is_another_experiment_and_the_same_seed_the_same() -> None:
    details = [
        check(AcceptsAlways, ADJUSTED, quick=True, seed=seed, only=["law-funnel"]).results[0].detail
        for seed in (0, 0, 1)
    ]
    assert details[0] == details[1] != details[2]


def test_what_a_part_raises_is_a_failure_with_its_line() -> None:
    def broken(**settings: float) -> Adjusted:
        raise RuntimeError("no such luck")

    (result,) = check(broken, SamplerClaims(law=Exact()), quick=True, only=["resume"]).results
    assert result.outcome is Outcome.FAILED
    assert "RuntimeError: no such luck" in result.detail
    assert f"{Path(__file__).name}:" in result.detail


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


def test_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PluginError, match="no check of a sampler is named 'law-gausian'"):
        check(Adjusted, ADJUSTED, only=["law-gausian"])
    with pytest.raises(PluginError, match="is not a part"):
        check(int)


def test_a_wrong_part_does_not_leave_its_mark_on_the_process() -> None:
    mutant = MUTANTS["SwitchesGradientsOff"]
    check(mutant.component, mutant.claims, quick=True, only=["no-graph"])
    assert torch.is_grad_enabled()


def test_whatever_a_part_changes_of_the_process_ends_with_its_check(tmp_path: Path) -> None:
    class Changes(TinyEnergy):
        def forward(self, x: Tensor) -> Tensor:
            torch.set_default_dtype(torch.float64)
            torch.manual_seed(5)
            os.chdir(tmp_path)
            return super().forward(x)

    before, here = torch.random.get_rng_state(), Path.cwd()
    check(Changes, ENERGY, only=["shape"])
    assert torch.get_default_dtype() is torch.float32
    assert torch.equal(torch.random.get_rng_state(), before)
    assert Path.cwd() == here


def test_a_mapping_that_a_part_returns_is_its_settings_and_claims_nothing_else() -> None:
    class Says(Adjusted):
        @staticmethod
        def conformance() -> Mapping[str, Any]:
            return {"step_size": 0.25}

    assert claims_of(Says) == SamplerClaims(settings={"step_size": 0.25})
    assert claims_of(Adjusted) == SamplerClaims()


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (
            EnergyClaims(),
            "Says is a sampler, but its conformance() returns EnergyClaims instead of SamplerClaims",
        ),
        (3, "Says is not a part: it inherits from none of energy, generator, "),
    ],
)
def test_claims_of_another_kind_are_refused(claimed: object, said: str) -> None:
    class Says(Adjusted):
        @staticmethod
        def conformance() -> object:
            return claimed

    with pytest.raises(PluginError, match=re.escape(said)):
        claims_of(Says)


def test_results_come_one_by_one_in_the_order_of_the_checks() -> None:
    seen: list[Result] = []
    report = check(TinyEnergy, ENERGY, progress=seen.append)
    assert tuple(seen) == report.results
    assert [each.check for each in seen] == list(CHECKS["energy"])
