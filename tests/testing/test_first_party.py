"""Every installed sampler passes the kit that third parties are given."""

from __future__ import annotations

import pytest

from ebmkit.registry.discovery import Component, Registry
from ebmkit.testing import CHECKS, check

SAMPLERS = Registry.discover().components("sampler")
LAWS = ("law-independence", "law-gaussian", "law-scalar", "law-funnel")


@pytest.mark.parametrize("component", SAMPLERS, ids=lambda each: each.name)
def test_installed_samplers_pass_the_quick_kit(component: Component) -> None:
    cheap = [
        name for name in CHECKS["sampler"] if name in LAWS or not name.startswith(("law-", "memory", "cost"))
    ]
    report = check(component.factory, quick=True, only=cheap)
    assert report.passed, report
    assert {result.outcome for result in report.results if result.check == "law-gaussian"} == {"passed"}


@pytest.mark.slow
@pytest.mark.parametrize("component", SAMPLERS, ids=lambda each: each.name)
def test_installed_samplers_pass_the_whole_kit(component: Component) -> None:
    report = check(component.factory)
    assert report.passed, report
