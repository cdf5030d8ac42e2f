"""What the checks of metrics say of what they saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
import pytest
from torch import Tensor

from ebmkit.core import Figure, Material
from ebmkit.testing import MetricClaims, check
from tests.testing.wrong.metrics import CLAIMS, Brightness, CountsBothSets


@attrs.frozen(kw_only=True)
class Twice(Brightness):
    def measure(self, material: Material) -> Sequence[Any]:
        return [*super().measure(material)] * 2


@attrs.frozen(kw_only=True)
class PlainNumber(Brightness):
    def figure(self, made: Tensor, real: Tensor) -> Any:
        return float(made.mean())


@attrs.frozen(kw_only=True)
class Silent(Brightness):
    def measure(self, material: Material) -> Sequence[Any]:
        return []


@attrs.frozen(kw_only=True)
class NeedsASetOfItsOwn(Brightness):
    needs: ClassVar[tuple[str, ...]] = ("real", "thrird")


@attrs.frozen(kw_only=True)
class Counts(Brightness):
    """Right: how many examples of each set it sees, and how many features."""

    needs: ClassVar[tuple[str, ...]] = ("training", "features")

    def measure(self, material: Material) -> Sequence[Any]:
        rows, width = material.features_of("generated").shape
        return [
            Figure("rows", float(rows), None, rows),
            Figure("width", float(width), None, rows),
            Figure("training", float(len(material.examples("training"))), None, rows),
        ]


@pytest.mark.parametrize(
    ("component", "name", "said"),
    [
        (Brightness, "figures", "brightness"),
        (Counts, "figures", "rows, width, training"),
        (Counts, "needs", "training, features"),
        (CountsBothSets, "figures", "brightness counts 32 examples"),
        (Twice, "figures", "two figures have one name: brightness, brightness"),
        (PlainNumber, "figures", "it gives float; wanted Figures"),
        (Silent, "figures", "it gives no figure"),
        (
            NeedsASetOfItsOwn,
            "needs",
            "needs names thrird; there are features, held_out, real, reconstruct, second, training",
        ),
    ],
)
def test_what_was_seen_is_said(component: type, name: str, said: str) -> None:
    (result,) = check(component, CLAIMS, only=[name]).results
    assert result.detail == said


def test_each_set_has_as_many_examples_as_are_claimed() -> None:
    seen = []

    @attrs.frozen(kw_only=True)
    class Looks(Brightness):
        def measure(self, material: Material) -> Sequence[Any]:
            seen.append((material.generated.shape, len(material.examples("held_out"))))
            return super().measure(material)

    check(Looks, MetricClaims(shape=(2, 4), count=9), only=["figures"])
    assert seen == [((9, 2, 4), 9)]
