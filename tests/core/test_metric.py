from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
import pytest
import torch

from ebmkit.core import Figure, Material, Metric, Need, standard_error
from ebmkit.errors import DataError
from tests.core.test_features import Corner


@attrs.frozen(kw_only=True)
class Apart(Metric):
    needs: ClassVar[tuple[Need, ...]] = ("training", "features")

    def measure(self, material: Material) -> Sequence[Figure]:
        apart = material.features_of("generated") - material.features_of("training")
        return [Figure("apart", float(apart.abs().mean()), None, len(apart), material.label())]


def test_a_figure_reads_with_all_it_was_made_of() -> None:
    assert str(Figure("kid", 12.3456, 0.789, 360, "lite0-112")) == "kid(lite0-112, n = 360) = 12.35 ± 0.79"
    assert str(Figure("fid", 50.0, None, 160)) == "fid(n = 160) = 50"


def test_what_a_metric_lacks_is_said_in_words() -> None:
    x = torch.zeros(4, 1, 3, 3)
    assert Material(generated=x).lacks(Apart()) == ["the training examples", "features"]
    assert Material(generated=x, training=x, features=Corner()).lacks(Apart()) == []
    with pytest.raises(DataError, match="this needs the training examples"):
        Apart().measure(Material(generated=x, features=Corner()))
    with pytest.raises(DataError, match="this needs features"):
        Apart().measure(Material(generated=x, training=x))


def test_features_are_computed_once_for_each_set_and_kept_ones_are_taken() -> None:
    x = torch.ones(4, 1, 3, 3)
    material = Material(
        generated=x, training=x + 1, features=Corner(), described={"training": torch.zeros(4, 2)}
    )
    (figure,) = Apart().measure(material)
    assert figure == Figure("apart", 1.0, None, 4, "corner")
    assert material.features_of("generated") is material.features_of("generated")
    assert set(material.described) == {"generated", "training"}


def test_sets_that_are_one_object_are_described_once() -> None:
    x = torch.ones(4, 1, 3, 3)
    material = Material(generated=x + 1, real=x, held_out=x, features=Corner())
    assert material.features_of("held_out") is material.features_of("real")


def test_the_standard_error_of_a_mean() -> None:
    assert standard_error(torch.tensor([1.0, 2.0, 3.0, 4.0])) == pytest.approx((5 / 3 / 4) ** 0.5)
    assert standard_error(torch.tensor([1.0])) is None
