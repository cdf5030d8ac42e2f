"""The bracket of the likelihood: it holds the truth, and where it cannot it is wide."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.applications.likelihood import Likelihood, log_likelihood, measure_likelihood
from ebmkit.core import Energy, Rng
from ebmkit.errors import ConfigError, DivergedError, InconclusiveError
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from tests.models import LinearDescriptor, double

HERE = HMC(step_size=0.3, leapfrogs=3)


class Halves(Energy):
    """N(0, I) and N((20, 0), 0.01 I), half and half; its reference covers the first."""

    reference_std = 1.0
    log_z = math.log(4 * math.pi)

    def forward(self, x: Tensor) -> Tensor:
        near = x.square().sum(1) / 2
        far = (x - torch.tensor([20.0, 0.0])).square().sum(1) / 0.02 + math.log(0.01)
        return -torch.logaddexp(-near, -far)


def descriptor(size: int = 3) -> tuple[LinearDescriptor, Tensor, float]:
    """f linear, s = 0.5: p = N(s² w, s² I) with log Z = D/2 log 2 π s² + s² ||w||² / 2; and draws of it."""
    weight, std = double(size, seed=3), 0.5
    log_z = size / 2 * math.log(2 * math.pi * std**2) + std**2 * float(weight.square().sum()) / 2
    return LinearDescriptor(weight, std), std**2 * weight + std * double(40, size, seed=4), log_z


def measured(seed: int, **settings: int) -> Likelihood:
    energy, x, _ = descriptor()
    settings = {"temperatures": 10, "chains": 16, "settle": 5} | settings
    return measure_likelihood(energy, x, sampler=HERE, rng=Rng(seed), **settings)


def holds(seed: int) -> bool:
    """Whether the bracket of this seed, below half a nat wide, holds the closed form."""
    energy, x, log_z = descriptor()
    found, mean = measured(seed), float(energy(x).detach().mean())
    assert found.log_z.width < 0.5
    assert found.log_p.low == pytest.approx(-mean - found.log_z.high, rel=1e-12)
    assert found.log_p.high == pytest.approx(-mean - found.log_z.low, rel=1e-12)
    return found.log_z.low < log_z < found.log_z.high


def test_the_bracket_of_a_descriptor_holds_the_closed_form() -> None:
    """Three seeds; the slow test below counts how often a seed fails: at most once in a hundred."""
    assert all(map(holds, range(3)))


@pytest.mark.slow
def test_brackets_hold_the_closed_form_in_nearly_all_seeds() -> None:
    """If one in a hundred failed, more than 8 of 200 would with a probability of 4e-4."""
    assert sum(not holds(seed) for seed in range(200)) <= 8


def test_equal_seeds_give_equal_figures_in_whatever_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured(1)
    assert measured(1) == first != measured(2)
    monkeypatch.setattr("ebmkit.applications.likelihood._CHUNK", 3)
    again = measured(1)
    assert again.up.log_z == pytest.approx(first.up.log_z, abs=1e-9)
    assert again.down["examples"].log_z == pytest.approx(first.down["examples"].log_z, abs=1e-9)


def test_an_energy_without_a_gaussian_gets_one_fitted_to_the_examples() -> None:
    """A Gaussian in closed form, so far from 0 and so narrow that no standard one would reach it."""
    mean, std = (
        torch.tensor([30.0, -7.0], dtype=torch.float64),
        torch.tensor([0.01, 2.0], dtype=torch.float64),
    )
    x = mean + std * double(200, 2)
    truth = float(-(((x - mean) / std).square().sum(1) / 2).mean() - math.log(2 * math.pi) - std.log().sum())

    class Plain(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return ((x - mean) / std).square().sum(1) / 2 + 5

    found = log_likelihood(
        Plain(), x, sampler=HMC(step_size=0.01, leapfrogs=5), rng=Rng(1), temperatures=20, settle=10
    )
    assert found.log_p.low < truth < found.log_p.high
    assert found.log_p.width < 0.2
    assert found.spread == pytest.approx(
        float((((x - mean) / std).square().sum(1) / 2).std()) / math.sqrt(200)
    )


def test_a_mode_that_no_chain_finds_is_seen_from_the_examples_in_it_and_the_figure_refused() -> None:
    """From the Gaussian alone one would say log Z = log 2π, wrong by log 2, and never know."""
    x = torch.tensor([20.0, 0.0]) + 0.1 * double(50, 2).float()
    found = measure_likelihood(Halves(), x, sampler=HERE, rng=Rng(1), temperatures=40, chains=32, settle=10)
    assert found.up.log_z == pytest.approx(math.log(2 * math.pi), abs=0.05)
    assert found.down["chains"].log_z == pytest.approx(math.log(2 * math.pi), abs=0.05)
    assert found.log_z.low < Halves.log_z < found.log_z.high
    with pytest.raises(InconclusiveError) as refused:
        log_likelihood(Halves(), x, sampler=HERE, rng=Rng(1), temperatures=40, chains=32, settle=10)
    message = str(refused.value)
    assert message == found.doubt(0.05)
    assert f"log p(x) lies between {found.log_p.low:.6g} and {found.log_p.high:.6g} nats" in message
    assert "is more than 5% of it" in message
    assert "take more temperatures than 40, or more moves" in message


def test_a_bracket_is_wide_by_its_share_of_the_figure_but_half_a_nat_is_enough() -> None:
    narrow = measured(1)
    assert narrow.log_p.width < 0.5
    assert narrow.doubt(0.0) is None
    wide = measured(1, temperatures=1, chains=4)
    assert wide.log_p.width > 0.5
    share = wide.log_p.width / abs((wide.log_p.low + wide.log_p.high) / 2)
    assert wide.doubt(1.01 * share) is None
    assert wide.doubt(0.99 * share) is not None


@pytest.mark.parametrize(("examples", "chains"), [(1, 8), (5, 2), (5, 7)])
def test_too_little_to_go_by_is_told(examples: int, chains: int) -> None:
    with pytest.raises(ConfigError, match=f"an even number, not {examples} and {chains}"):
        measure_likelihood(
            LinearDescriptor(torch.zeros(2), 1.0),
            torch.rand(examples, 2),
            sampler=HERE,
            rng=Rng(1),
            chains=chains,
        )


def test_examples_that_are_all_the_same_and_no_gaussian_are_told() -> None:
    energy = LinearDescriptor(torch.zeros(2), math.inf)
    with pytest.raises(
        ConfigError, match="cannot be annealed: a Gaussian is fitted to two different examples"
    ):
        measure_likelihood(energy, torch.ones(4, 2), sampler=HERE, rng=Rng(1))


def test_an_energy_that_is_nowhere_a_number_is_told() -> None:
    class Lost(Energy):
        reference_std = 1.0

        def forward(self, x: Tensor) -> Tensor:
            return x.sum(1) * math.nan

    with pytest.raises(ConfigError, match="cannot be annealed: the energy is too far from this Gaussian"):
        measure_likelihood(Lost(), torch.rand(4, 2), sampler=MALA(), rng=Rng(1))


@pytest.mark.filterwarnings("ignore:the gradient that Bridge.prepare knows:RuntimeWarning")
def test_chains_that_meet_no_number_are_told() -> None:
    class Holed(LinearDescriptor):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x[:, 0] > 0.5, math.nan, super().forward(x))

    with pytest.raises(DivergedError, match=r"not a number where \d+ of 8 chains came by"):
        measure_likelihood(
            Holed(torch.zeros(2), 1.0),
            torch.zeros(4, 2),
            sampler=HERE,
            rng=Rng(1),
            temperatures=5,
            chains=8,
            settle=1,
        )
