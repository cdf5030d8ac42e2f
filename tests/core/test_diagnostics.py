"""R-hat and effective sizes against ArviZ 0.23.4 (constants below), closed forms, and known failures."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import bulk_ess, r_hat, tail_ess
from tests.models import double


def formula(draws: int = 250, keep: float = 0.7, shift: float = 0.0) -> Tensor:
    """Four chains anybody can make again: x to keep x + u + shift c, u from a quadratic residue."""
    rows = []
    for chain in range(4):
        x, row = 0.0, []
        for place in range(chain * draws, (chain + 1) * draws):
            x = keep * x + ((place * place * 7919 + place * 104729 + 12345) % 65537) / 65537 - 0.5
            x += shift * chain
            row.append(x)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


ARVIZ = {
    "mixed": (formula(), 1.0066031185484319, 182.340480729774, 294.8819420079114),
    "alternating": (formula(keep=-0.5), 1.000337369415459, 3000.0, 858.5435065057834),
    "shifted": (formula(shift=0.03), 1.0732418301450164, 64.84198100605593, 304.15654733025985),
    "odd": (formula(draws=251), 1.0064505165512443, 181.439401088709, 288.9225983108149),
    "slow": (formula(keep=0.98), 1.3246855235680022, 10.36229977657183, 31.338704005141473),
    "ties": ((2 * formula()).round(), 1.008160579861032, 198.41442052181367, 273.94396415165795),
    "spread": (
        formula() * torch.tensor([[1.0], [1.0], [1.0], [4.0]]),
        1.1775514382105816,
        224.66595980622628,
        38.97221578242078,
    ),
}
"""``arviz.rhat(x)``, ``arviz.ess(x, method="bulk")``, ``arviz.ess(x, method="tail")``."""


@pytest.mark.parametrize("name", ARVIZ)
def test_the_figures_are_those_of_arviz(name: str) -> None:
    draws, *expected = ARVIZ[name]
    found = [r_hat(draws), bulk_ess(draws), tail_ess(draws)]
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9, -0.4])
def test_autoregressive_draws_have_the_size_of_the_closed_form(keep: float) -> None:
    """AR(1) has N (1 - φ) / (1 + φ) effective draws. Over 40,000 the estimate is within a few percent."""
    noise = double(4, 10_000, seed=3)
    draws = torch.empty_like(noise)
    draws[:, 0] = noise[:, 0]
    for t in range(1, noise.shape[1]):
        draws[:, t] = keep * draws[:, t - 1] + math.sqrt(1 - keep**2) * noise[:, t]
    assert bulk_ess(draws) / draws.numel() == pytest.approx((1 - keep) / (1 + keep), rel=0.15)


def test_any_monotone_map_leaves_bulk_figures_as_they_are() -> None:
    draws = formula()
    assert bulk_ess(draws.exp()) == pytest.approx(bulk_ess(draws), rel=1e-12)
    assert tail_ess(draws.exp()) == pytest.approx(tail_ess(draws), rel=1e-12)


def test_heavy_tails_do_not_hide_a_difference() -> None:
    """Cauchy draws, one chain shifted: the classic R-hat of infinite variances would say 1."""
    cauchy = torch.tan(math.pi * (torch.special.ndtr(double(4, 500)) - 0.5))
    assert r_hat(cauchy) < 1.02
    assert r_hat(cauchy + torch.tensor([[0.0], [0.0], [0.0], [3.0]])) > 1.1


def test_chains_of_one_place_and_other_spreads_are_noticed() -> None:
    draws = double(4, 500)
    assert r_hat(draws) < 1.02
    assert r_hat(draws * torch.tensor([[1.0], [1.0], [1.0], [5.0]])) > 1.1


def test_chains_that_stand_still() -> None:
    still = torch.arange(4.0)[:, None].expand(4, 20)
    assert r_hat(still) == math.inf
    assert math.isnan(r_hat(torch.zeros(4, 20)))


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        r_hat(torch.zeros(4, 7))
    with pytest.raises(ValueError, match="shape"):
        bulk_ess(torch.zeros(40))
