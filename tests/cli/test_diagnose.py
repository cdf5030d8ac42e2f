from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit


def test_a_run_is_diagnosed_in_80_columns_and_as_json(
    ebmkit: Ebmkit, run_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=2").code == 0
    short = ("--chains", 4, "--steps", 20, "--warmup", 10)
    code, out, err = ebmkit("diagnose", "coopnets", *short)
    assert code == 0, err
    assert all(
        word in out for word in ("R-hat", "ESS bulk", "energy", "projection 4", "auto-encoder residual")
    )
    assert max(map(len, out.splitlines())) <= 80
    code, out, err = ebmkit(
        "diagnose", "coopnets", *short, "--sampler", "mala", "--step-size", 0.01, "--json"
    )
    found = json.loads(out)
    assert 0 < found["stats"]["acceptance"] <= 1
    assert [each["name"] for each in found["figures"]][:2] == ["energy", "mean pixel"]
    again = json.loads(
        ebmkit("diagnose", "coopnets", *short, "--sampler", "mala", "--step-size", 0.01, "--json").out
    )
    assert again == found


def test_what_cannot_be_diagnosed_is_refused(ebmkit: Ebmkit, run_file: Callable[[str], Path]) -> None:
    assert ebmkit("run", run_file("generator-only"), "--set", "run.iterations=1").code == 0
    code, _, err = ebmkit("diagnose", "generator-only")
    assert code == 2
    assert "has no energy" in err
    assert ebmkit("run", run_file("descriptor-only"), "--set", "run.iterations=1").code == 0
    assert ebmkit("diagnose", "descriptor-only", "--sampler", "malla").code == 4
    assert ebmkit("diagnose", "descriptor-only", "--step-size", -1).code == 2
    code, _, err = ebmkit("diagnose", "descriptor-only", "--steps", 20, "--thin", 5)
    assert code == 2
    assert "8 draws" in err


def test_a_diagnosis_is_kept_for_the_report(run_file: Callable[[str], Path], ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets")).code == 0
    outcome = ebmkit("diagnose", "coopnets", "--chains", 4, "--steps", 16, "--warmup", 0, "--json")
    stored = json.loads(Path("runs/coopnets/diagnosis.json").read_text())
    assert stored == json.loads(outcome.out)
    assert stored["iteration"] == 6
    assert stored["sampler"].startswith("Langevin(")
    assert ebmkit("report", "coopnets").code == 0
    assert "Diagnosis of long chains" in Path("runs/coopnets/report.html").read_text()
