"""Conformance checks for plugin authors: point them at a part, and they tell what is wrong with it.

Under pytest, one class (pytest itself is not needed to run the checks):

    from ebmkit.testing import Exact, SamplerChecks, SamplerClaims

    class TestMALA(SamplerChecks):
        component = MALA
        claims = SamplerClaims(settings={"step_size": 0.9}, law=Exact())

The same as a function, and on the command line:

    report = check(MALA, SamplerClaims(settings={"step_size": 0.9}, law=Exact()))
    assert report.passed, report

    ebmkit plugins check samplers/mala            # or path/to/file.py:MALA; --quick, --json

What a part claims may stand with the part itself, where the command and the class find it:

    class MALA(Sampler):
        @staticmethod
        def conformance() -> SamplerClaims:
            from ebmkit.testing import Exact, SamplerClaims
            return SamplerClaims(settings={"step_size": 0.9}, law=Exact())

Every other kind has a class of checks and of claims too: ``EnergyChecks``, ``OptimizerChecks``. A
check that a part is known not to pass is listed with the reason in
``expected_failures={"check-name": "why"}``; when it passes after all, that is reported as a failure, so
that the entry goes.
"""

from ebmkit.testing.claims import (
    BackendClaims,
    Claims,
    EncoderClaims,
    EnergyClaims,
    Exact,
    FeaturesClaims,
    GeneratorClaims,
    Linear,
    LinearLaw,
    MetricClaims,
    OptimizerClaims,
    SamplerClaims,
    SchedulerClaims,
    SourceClaims,
    TrackerClaims,
)
from ebmkit.testing.report import CheckFailedError, Outcome, Report, Result
from ebmkit.testing.runner import CHECKS, check
from ebmkit.testing.suites import (
    BackendChecks,
    EncoderChecks,
    EnergyChecks,
    FeaturesChecks,
    GeneratorChecks,
    MetricChecks,
    OptimizerChecks,
    SamplerChecks,
    SchedulerChecks,
    SourceChecks,
    TrackerChecks,
)

__all__ = [
    "CHECKS",
    "BackendChecks",
    "BackendClaims",
    "CheckFailedError",
    "Claims",
    "EncoderChecks",
    "EncoderClaims",
    "EnergyChecks",
    "EnergyClaims",
    "Exact",
    "FeaturesChecks",
    "FeaturesClaims",
    "GeneratorChecks",
    "GeneratorClaims",
    "Linear",
    "LinearLaw",
    "MetricChecks",
    "MetricClaims",
    "OptimizerChecks",
    "OptimizerClaims",
    "Outcome",
    "Report",
    "Result",
    "SamplerChecks",
    "SamplerClaims",
    "SchedulerChecks",
    "SchedulerClaims",
    "SourceChecks",
    "SourceClaims",
    "TrackerChecks",
    "TrackerClaims",
    "check",
]
