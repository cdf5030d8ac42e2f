from __future__ import annotations

import math
import statistics

import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_evaluation import two_samples
from ebmkit_evaluation.kid import kernel_distance
from ebmkit_evaluation.two_samples import Estimate
from tests.plugins.evaluation.samples import by_hand, drawn


def test_the_error_is_the_jackknife_that_leaves_each_example_out() -> None:
    x, y = drawn(7, 1).tolist(), drawn(5, 2, 1.5).tolist()
    left_out = [
        [by_hand(x[:i] + x[i + 1 :], y) for i in range(7)],
        [by_hand(x, y[:i] + y[i + 1 :]) for i in range(5)],
    ]
    variance = sum((len(each) - 1) * statistics.pvariance(each) for each in left_out)
    found = kernel_distance(torch.tensor(x), torch.tensor(y)).error
    assert found == pytest.approx(math.sqrt(variance), rel=1e-5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = drawn(23, 1), drawn(17, 2)
    whole = kernel_distance(x, y)
    monkeypatch.setattr(two_samples, "_BLOCK", 5)
    assert kernel_distance(x, y) == pytest.approx(whole, abs=1e-12)


@pytest.fixture(scope="module")
def equal_laws() -> list[Estimate]:
    """200 pairs of sets of one Gaussian."""
    draws = drawn(200 * 80, 3, d=8).view(200, 2, 40, 8)
    return [kernel_distance(x, y) for x, y in draws]


def test_two_draws_of_one_law_are_at_distance_0_on_average(equal_laws: list[Estimate]) -> None:
    """A z-test of 200 repeats: |z| > 3.9 in one of 10,000 seeds."""
    values = [each.value for each in equal_laws]
    z = statistics.fmean(values) / (statistics.stdev(values) / math.sqrt(200))
    assert abs(z) < 3.9
    assert 60 < sum(value < 0 for value in values) < 160  # the law is skewed: more than half lie below


def test_the_error_is_not_too_small_and_at_most_by_root_2_too_large(equal_laws: list[Estimate]) -> None:
    """The spread of 200 repeats is known to 5 %, four times that is allowed for."""
    stated = math.sqrt(statistics.fmean(each.error**2 for each in equal_laws))
    ratio = stated / statistics.stdev(each.value for each in equal_laws)
    assert 0.8 < ratio < math.sqrt(2) * 1.2


def test_the_error_of_different_laws_is_the_spread_of_repeats() -> None:
    draws = drawn(200 * 80, 4, d=4).view(200, 2, 40, 4)
    found = [kernel_distance(x, y + 1) for x, y in draws]
    stated = math.sqrt(statistics.fmean(each.error**2 for each in found))
    assert stated / statistics.stdev(each.value for each in found) == pytest.approx(1, abs=0.25)


def test_sets_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match=r"at least 3 examples each .*, not \(2, 3\) and \(5, 3\)"):
        kernel_distance(drawn(2, 1), drawn(5, 1))
    with pytest.raises(DataError, match=r"the same number of features .*, not \(5, 3\) and \(5, 4\)"):
        kernel_distance(drawn(5, 1), drawn(5, 1, d=4))
