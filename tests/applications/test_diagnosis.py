"""Chains diagnosed on laws where it is known what must be said."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.applications.diagnosis import Diagnosis, diagnose
from ebmkit.core import Energy, Rng, as_rows
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from tests.models import LinearDescriptor, double


class Wells(Energy):
    """Two modes at ±6 in the first coordinate, which chains of these lengths never leave."""

    def forward(self, x: Tensor) -> Tensor:
        distance = (x[:, 0].abs() - 6) ** 2
        return 2 * distance + x[:, 1:].square().sum(1) / 2


def seen(
    energy: Energy, sampler: MALA | HMC | Langevin, start: Tensor, *, warmup: int = 100, steps: int = 400
) -> Diagnosis:
    return diagnose(energy, sampler, start, warmup=warmup, steps=steps, thin=1, rng=Rng(0))


def test_a_law_that_is_sampled_well_gives_no_advice_and_its_own_moments() -> None:
    energy = LinearDescriptor(torch.full((4,), 2.0).double(), 0.5)
    found = seen(energy, HMC(step_size=0.4, leapfrogs=3), 0.5 * double(16, 4))
    assert found.advice == ()
    pixel = next(each for each in found.figures if each.name == "mean coordinate")
    # The mean of 4 pixels of N(s² w, s²): 5 standard errors of the effective draws.
    assert abs(pixel.mean - 0.5) < 5 * 0.25 / math.sqrt(pixel.bulk_ess)
    assert pixel.std == pytest.approx(0.25, rel=0.05)
    assert found.draws == 400
    assert len(found.energy_trace) == 500
    # |x - s² ∇f| = |x - mean| there, which is about s √d = 1 against |x| about 1.4.
    assert found.residual == pytest.approx(0.7, abs=0.25)


@pytest.mark.parametrize("shape", [(), (6,), (1, 6), (2, 1, 3, 1)], ids=str)
def test_examples_of_any_shape_are_diagnosed_alike(shape: tuple[int, ...]) -> None:
    class Round(Energy):
        reference_std = 1.0

        def forward(self, x: Tensor) -> Tensor:
            return as_rows(x).square().sum(1) / 2

    start = double(8, *shape)
    found, flat = (seen(Round(), MALA(step_size=0.7), x, steps=50) for x in (start, as_rows(start)))
    assert found == flat
    names = [each.name for each in found.figures]
    assert names == ["energy", "mean coordinate", *(f"projection {k}" for k in (1, 2, 3, 4) if shape)]
    assert found.residual == pytest.approx(1)


def test_the_residual_of_a_reference_for_each_channel_takes_each_by_its_own() -> None:
    std = torch.tensor([0.5, 2.0, 8.0]).double()

    class Ellipse(Energy):
        reference_std = std

        def forward(self, x: Tensor) -> Tensor:
            return (x / std[:, None]).square().sum((1, 2)) / 2

    found = seen(Ellipse(), HMC(step_size=0.4, leapfrogs=3), std[:, None] * double(8, 3, 2), steps=50)
    assert found.residual == pytest.approx(1)  # s² ∇E = x


def test_modes_that_are_never_left_are_told() -> None:
    found = seen(Wells(), Langevin(step_size=0.4), 6 * double(8, 2).sign())
    assert "R-hat" in found.advice[0]
    assert next(each for each in found.figures if each.name == "mean coordinate").r_hat > 1.5


def test_a_start_far_away_is_told_while_the_energy_falls() -> None:
    energy = LinearDescriptor(torch.zeros(4).double(), 1.0)
    found = seen(energy, Langevin(step_size=0.05), 100 + double(8, 4), warmup=0, steps=100)
    assert any("energy still falls" in each for each in found.advice)


def test_step_sizes_that_refuse_or_creep_are_told() -> None:
    energy = LinearDescriptor(torch.zeros(4).double(), 1.0)
    refusing, creeping = (seen(energy, MALA(step_size=size), double(8, 4), steps=40) for size in (4.0, 0.01))
    assert any("most moves are refused" in each for each in refusing.advice)
    assert any("nearly every move is accepted" in each for each in creeping.advice)


def test_chains_that_blow_up_are_counted_and_left_out() -> None:
    class Steep(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return (x**4).sum(1)

    start = torch.cat([0.1 * double(6, 2), torch.full((2, 2), 1e3, dtype=torch.float64)])
    found = seen(Steep(), Langevin(step_size=0.1), start, steps=40)
    assert found.lost == 2
    assert "2 of 8 chains stopped being finite" in found.advice[0]
    assert all(math.isfinite(each.mean) for each in found.figures)


def test_thinning_keeps_every_so_many_draws() -> None:
    energy = LinearDescriptor(torch.zeros(4).double(), 1.0)
    whole = diagnose(energy, Langevin(step_size=0.5), double(4, 4), warmup=10, steps=40, thin=1, rng=Rng(0))
    thinned = diagnose(energy, Langevin(step_size=0.5), double(4, 4), warmup=10, steps=40, thin=4, rng=Rng(0))
    assert thinned.draws == 10
    assert thinned.energy_trace[2:] == whole.energy_trace[13::4]
