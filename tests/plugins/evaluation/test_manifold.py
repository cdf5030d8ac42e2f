from __future__ import annotations

import pytest
from torch import Tensor

from ebmkit.core import Material
from ebmkit.errors import DataError
from ebmkit_evaluation import neighbours
from ebmkit_evaluation.manifold import Manifold, memberships
from ebmkit_evaluation.pixels import Pixels
from tests.plugins.evaluation.images import smooth
from tests.plugins.evaluation.samples import drawn


def figures(generated: Tensor, real: Tensor, k: int = 5) -> tuple[float, ...]:
    return tuple(float(each.mean()) for each in memberships(generated, real, k=k))


def by_definition(generated: Tensor, real: Tensor, k: int) -> tuple[float, ...]:
    """The four sums as the papers write them, a pair of points at a time, with closed balls."""
    g, r = generated.tolist(), real.tolist()

    def apart(a: list[float], b: list[float]) -> float:
        return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))

    radius = [[sorted(apart(a, b) for b in each)[k] for a in each] for each in (g, r)]
    in_real = [[apart(a, b) <= radius[1][j] for j, b in enumerate(r)] for a in g]
    in_generated = [[apart(a, b) <= radius[0][i] for i, a in enumerate(g)] for b in r]
    return (
        sum(map(any, in_real)) / len(g),
        sum(map(any, in_generated)) / len(r),
        sum(map(sum, in_real)) / k / len(g),
        sum(any(column) for column in zip(*in_real, strict=True)) / len(r),
    )


@pytest.mark.parametrize("block", [4, 500])
def test_they_are_what_the_papers_define(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    monkeypatch.setattr("ebmkit_evaluation.manifold.BLOCK", block)
    generated, real = drawn(30, 1), drawn(21, 2, 2.0)
    expected = by_definition(generated, real, 3)
    assert figures(generated, real, 3) == pytest.approx(expected, abs=1e-12)
    assert min(expected) > 0
    assert max(expected[:2]) < 1


def test_equal_sets_are_precise_complete_and_covered() -> None:
    """Every point lies in the ball of each of its k nearest and in its own: the density is (k + 1)/k."""
    x = drawn(50, 1)
    assert figures(x, x.flip(0)) == pytest.approx((1, 1, 6 / 5, 1), abs=0.05)
    assert figures(x, x.flip(0))[:2] == (1, 1)


def test_sets_far_apart_have_nothing_in_common() -> None:
    assert figures(drawn(20, 1), drawn(20, 2) + 100) == (0, 0, 0, 0)


def test_copies_of_a_few_real_points_are_precise_and_reach_nothing_else() -> None:
    """Balls around copies have the radius 0, and still hold their copies after rounding: ties count."""
    real = drawn(100, 1, d=40)
    copies = real[:5].repeat(8, 1)
    precision, recall, _, coverage = figures(copies * (1 + 1e-8), real)
    assert (precision, recall) == (1, 0.05)
    assert coverage < 0.6


def test_exchanging_the_sets_exchanges_precision_and_recall() -> None:
    x, y = drawn(40, 1), drawn(30, 2) + 1
    assert figures(x, y)[:2] == figures(y, x)[1::-1]


def test_no_fewer_points_than_neighbours_are_taken() -> None:
    with pytest.raises(DataError, match=r"more than k = 5 examples each .*, not \(5, 3\) and \(9, 3\)"):
        memberships(drawn(5, 1), drawn(9, 1))


def test_the_figures_carry_their_errors_their_features_and_their_number() -> None:
    found = Manifold(k=2).measure(Material(generated=smooth(20, 1), real=smooth(30, 2), features=Pixels()))
    assert [each.name for each in found] == ["precision", "recall", "density", "coverage"]
    assert {(each.count, each.features) for each in found} == {(20, "pixels")}
    for figure, of in ((found[0], 20), (found[3], 30)):
        assert figure.error == pytest.approx((figure.value * (1 - figure.value) / (of - 1)) ** 0.5)
