"""What is going to run, in a few lines."""

from __future__ import annotations

from ebmkit.config.plan import Plan
from ebmkit.training.loop import Experiment
from ebmkit.training.precision import in_software

__all__ = ["describe"]

_MANY = 100_000
"""Parameters from which on they are counted in millions."""


def describe(plan: Plan, experiment: Experiment) -> list[tuple[str, str]]:
    """A few facts about what is going to run, each with its name: parts, sizes, data, device."""
    facts = []
    width = max(len(part.component.name) for part in plan.parts.values())
    for name, part in plan.parts.items():
        details = ", ".join(f"{key}={value}" for key, value in part.shared.items() if value is not False)
        if name in experiment.learners:
            weights = sum(each.numel() for each in experiment.learners[name].module.parameters())
            details = f"{weights / 1e6:.2f} M parameters" if weights >= _MANY else f"{weights} parameters"
        if name == "data":
            source = experiment.batches.source
            count = "1 example" if len(source) == 1 else f"{len(source)} examples"
            details = f"{count} {'x'.join(map(str, source.shape))}, {details}"
        name = "tracker" if name.startswith("trackers.") else name  # noqa: PLW2901
        facts.append((name, f"{part.component.name:<{width}}  {details}".rstrip()))
    codes = {each.code.origin: each.code.sha256 for each in plan.components() if each.code is not None}
    facts += [("code", f"{origin} SHA-256 {sha256}") for origin, sha256 in codes.items()]
    if classes := experiment.batches.source.classes:
        facts.append(("classes", ", ".join(classes)))
    facts += [("note", note) for note in experiment.batches.source.notes]
    return [*facts, ("device", str(experiment.batches.device)), *_of_precision(experiment)]


def _of_precision(experiment: Experiment) -> list[tuple[str, str]]:
    """A fact where the precision is not the usual one."""
    if experiment.precision == "fp32":
        return []
    software = in_software(experiment.precision, experiment.batches.device)
    note = " (this processor has no bfloat16 arithmetic: fp32 is faster here)" if software else ""
    return [("precision", f"{experiment.precision}{note}")]
