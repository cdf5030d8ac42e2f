"""The checks as classes that pytest collects; pytest is imported only when it runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ebmkit.testing.claims import Claims
from ebmkit.testing.report import Outcome
from ebmkit.testing.runner import CHECKS, claims_of, run_check
from ebmkit.testing.subject import Subject

__all__ = [
    "BackendChecks",
    "ComponentChecks",
    "EncoderChecks",
    "EnergyChecks",
    "FeaturesChecks",
    "GeneratorChecks",
    "MetricChecks",
    "OptimizerChecks",
    "SamplerChecks",
    "SchedulerChecks",
    "SourceChecks",
    "TrackerChecks",
]


class ComponentChecks:
    """One test for each check; subclass the class of your kind and name the component.

    Attributes:
        component: the class under test, or a static method that takes its keyword parameters.
        claims: what it claims; by default what its ``conformance()`` returns.
        quick: fewer chains and steps.
        seed: of the statistics.
    """

    kind: ClassVar[str]
    component: ClassVar[Callable[..., Any]]
    claims: ClassVar[Claims | None] = None
    quick: ClassVar[bool] = False
    seed: ClassVar[int] = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in CHECKS[cls.kind] if "kind" in cls.__dict__ else ():
            test = _test(name)
            setattr(cls, test.__name__, test)

    @classmethod
    def subject(cls) -> Subject[Any]:
        """The component with its claims."""
        return Subject(cls.component, cls.claims or claims_of(cls.component), cls.quick, cls.seed)


def _test(name: str) -> Callable[[ComponentChecks], None]:
    """The check as a method that pytest collects."""

    def test(self: ComponentChecks) -> None:
        import pytest

        result = run_check(self.subject(), name)
        if result.outcome is Outcome.SKIPPED:
            pytest.skip(result.detail)
        if result.outcome is Outcome.EXPECTED_FAILURE:
            pytest.xfail(result.detail)
        assert not result.bad, f"{name}: {result.detail}"  # noqa: S101 - it is a test

    test.__name__ = f"test_{name.replace('-', '_')}"
    return test


class SamplerChecks(ComponentChecks):
    """Every check of a sampler as a test."""

    kind = "sampler"


class EnergyChecks(ComponentChecks):
    """Every check of an energy as a test."""

    kind = "energy"


class GeneratorChecks(ComponentChecks):
    """Every check of a generator as a test."""

    kind = "generator"


class SchedulerChecks(ComponentChecks):
    """Every check of a schedule as a test."""

    kind = "scheduler"


class SourceChecks(ComponentChecks):
    """Every check of a data source as a test."""

    kind = "source"


class BackendChecks(ComponentChecks):
    """Every check of a gradient backend as a test."""

    kind = "backend"


class EncoderChecks(ComponentChecks):
    """Every check of an encoder as a test."""

    kind = "encoder"


class OptimizerChecks(ComponentChecks):
    """Every check of an optimizer as a test."""

    kind = "optimizer"


class TrackerChecks(ComponentChecks):
    """Every check of a tracker as a test."""

    kind = "tracker"


class MetricChecks(ComponentChecks):
    """Every check of a metric as a test."""

    kind = "metric"


class FeaturesChecks(ComponentChecks):
    """Every check of a map to features as a test."""

    kind = "features"
