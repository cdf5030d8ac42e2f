"""What every metric must respect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ebmkit.core import Features, Figure, Material, Metric, Rng, as_rows
from ebmkit.testing.claims import MetricClaims
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.randomness import unmoved
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, same_bits

__all__ = ["CHECKS"]

MetricSubject: TypeAlias = Subject[MetricClaims]

_SETS = ("generated", "real", "second", "training", "held_out")


class _Projected(Features):
    """Eight sums of each image, as features that need no weights from anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "kit"

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, 8)``."""
        rows = as_rows(x).clamp(-1, 1)
        waves = torch.arange(1, 9)[:, None] * torch.linspace(0, 3, rows.shape[1])
        return rows @ waves.cos().T / rows.shape[1] ** 0.5  # type: ignore[no-any-return]


def _build(subject: MetricSubject) -> Metric:
    metric = subject.make()
    demand(isinstance(metric, Metric), f"{type(metric).__name__} does not inherit from Metric")
    return metric  # type: ignore[no-any-return]


def _material(subject: MetricSubject, *, seed: int = 0) -> Material:
    """Everything that a metric may ask for: smooth random images, the generated ones a little brighter."""
    sets: dict[str, Any] = {}
    for number, name in enumerate(_SETS):
        noise = Rng(seed).fold_in(name).normal(torch.empty(subject.claims.count, *subject.claims.shape))
        sets[name] = (noise * 0.3 + (0.1 if number == 0 else 0.0)).clamp(-1, 1)
    return Material(**sets, features=_Projected(), reconstruct=lambda x: 0.9 * x, rng=Rng(seed))


def _measured(metric: Metric, material: Material) -> Sequence[Figure]:
    found = metric.measure(material)
    demand(bool(found), "it gives no figure")
    wrong = [type(each).__name__ for each in found if not isinstance(each, Figure)]
    demand(not wrong, f"it gives {', '.join(wrong)}; wanted Figures")
    return found


def parameters(subject: MetricSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def figures(subject: MetricSubject) -> str:
    """It gives finite numbers of different names, each with an error that is None or not below 0."""
    found = _measured(_build(subject), _material(subject))
    names = [each.name for each in found]
    demand(len(set(names)) == len(names), f"two figures have one name: {', '.join(names)}")
    for each in found:
        demand(isinstance(each.value, float | int), f"{each.name} is a {type(each.value).__name__}")
        demand(math.isfinite(each.value), f"{each.name} is {each.value}")
        right = each.error is None or (math.isfinite(each.error) and each.error >= 0)
        demand(right, f"the error of {each.name} is {each.error}")
        demand(0 < each.count <= subject.claims.count, f"{each.name} counts {each.count} examples")
    return ", ".join(names)


def needs(subject: MetricSubject) -> str:
    """``needs`` is enough: without anything else it still gives figures."""
    metric = _build(subject)
    optional = {*_SETS[1:], "features", "reconstruct"}
    unknown = set(metric.needs) - optional
    demand(not unknown, f"needs names {', '.join(sorted(unknown))}; there are {', '.join(sorted(optional))}")
    bare = _material(subject)
    for name in optional - set(metric.needs):
        setattr(bare, name, None)
    _measured(metric, bare)
    return ", ".join(metric.needs)


def deterministic(subject: MetricSubject) -> str:
    """The same material gives the same figures, whatever was measured before; no global generator moves."""
    metric = _build(subject)
    with unmoved():
        one, other = (list(_measured(_build(subject), _material(subject))) for _ in range(2))
        demand(one == other, "the same material gives other figures the second time")
        _measured(metric, _material(subject, seed=1))
        after = list(_measured(metric, _material(subject)))
    demand(one == after, "after other material the same material gives other figures: it remembers something")
    return ""


def material_unchanged(subject: MetricSubject) -> str:
    """It changes none of the examples that it looks at, nor their features."""
    material, copy = _material(subject), _material(subject)
    _measured(_build(subject), material)
    changed = [name for name in _SETS if not same_bits(getattr(material, name), getattr(copy, name))]
    demand(not changed, f"it changes {', '.join(changed)}")
    others = [n for n, each in material.described.items() if not same_bits(each, copy.features_of(n))]
    demand(not others, f"it changes the features of {', '.join(others)}, which other metrics use too")
    return ""


CHECKS = {
    "parameters": parameters,
    "figures": figures,
    "needs": needs,
    "deterministic": deterministic,
    "material-unchanged": material_unchanged,
}
