from __future__ import annotations

import math
from itertools import pairwise

import pytest

from ebmkit.core.rates import DECAYS
from ebmkit_optim.adam import Adam
from ebmkit_optim.sgd import SGD


def test_rates_start_at_lr_and_never_rise() -> None:
    for decay in DECAYS:
        settings = Adam(lr=0.5, lr_decay=decay, lr_span=100)
        rates = [settings.rate(iteration) for iteration in range(300)]
        assert rates[0] == 0.5
        assert rates == sorted(rates, reverse=True)


def test_plateaus_are_eighty_and_log_spaced_down_to_a_hundredth() -> None:
    settings = SGD(lr=1.0, lr_decay="plateaus", lr_span=800)
    rates = [settings.rate(iteration) for iteration in range(1000)]
    levels = sorted(set(rates), reverse=True)
    assert len(levels) == 80
    assert levels[-1] == pytest.approx(0.01)
    ratios = {round(b / a, 9) for a, b in pairwise(levels)}
    assert ratios == {round(0.01 ** (1 / 79), 9)}
    assert [rates.count(level) for level in levels[:3]] == [10, 10, 10]


def test_robbins_monro_sums_diverge_and_squares_converge() -> None:
    settings = SGD(lr=1.0, lr_decay="robbins-monro", lr_span=10)
    rates = [settings.rate(iteration) for iteration in range(100_000)]
    # sum 1/(1+k/10) ~ 10 log(N/10 + 1); sum of squares < 10 + 1.
    assert sum(rates) == pytest.approx(10 * math.log(100_000 / 10), rel=0.02)
    assert sum(rate**2 for rate in rates) < 11


def test_the_span_of_an_exponential_is_its_half_life() -> None:
    for turns in (0.0, 0.3, 2.5):
        assert DECAYS["exponential"](turns + 1) == pytest.approx(DECAYS["exponential"](turns) / 2)


def test_after_its_span_the_plateaus_stay_at_a_hundredth() -> None:
    assert DECAYS["plateaus"](1.0) == DECAYS["plateaus"](50.0) == pytest.approx(0.01)


def test_a_rate_depends_on_the_iteration_over_the_span_alone() -> None:
    for decay in DECAYS:
        long, short = (Adam(lr=0.2, lr_decay=decay, lr_span=span) for span in (1000, 10))
        assert [long.rate(100 * k) for k in range(20)] == [short.rate(k) for k in range(20)]
