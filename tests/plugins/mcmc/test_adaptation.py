from __future__ import annotations

import math
from itertools import islice

import pytest
import torch

from ebmkit.core import Rng, walk
from ebmkit_mcmc.adaptation import DualAveraging
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from ebmkit_mcmc.preconditioned import Preconditioned
from tests.models import double
from tests.plugins.mcmc.standard import gaussian


@pytest.mark.parametrize(("sampler", "target"), [(MALA, 0.574), (HMC, 0.8), (Preconditioned, 0.574)])
def test_every_chain_adapts_to_its_target_and_then_stands_still(
    sampler: type[MALA | HMC | Preconditioned], target: float
) -> None:
    """From a first step 100 times too small, in 30 dimensions, where the acceptance depends smoothly on ε."""
    adapted = sampler(step_size=0.01, adapt_steps=150)
    states = list(islice(walk(adapted, gaussian, double(64, 30), rng=Rng(1)), 350))
    sizes = torch.stack([state.tuning[:, 1].exp() for state, _ in states])  # type: ignore[attr-defined]
    assert torch.all(sizes[149:] == sizes[149])
    assert torch.all(sizes[148] != sizes[149])
    assert sizes[-1].unique().numel() == 64
    acceptance = torch.stack([info["acceptance"] for _, info in states])
    # While it adapts the acceptance is the target's; the average of log ε is a little smaller than the ε
    # that would accept as often, the more so the shorter the adaptation.
    assert abs(acceptance[100:150].mean() - target) < 0.03
    assert target - 0.02 < acceptance[150:].mean() < target + 0.25


def test_dual_averaging_is_the_published_recursion() -> None:
    """Against the algorithm written with numbers, for one chain and given acceptance probabilities."""
    rule = DualAveraging(first=0.3, steps=20, target=0.65)
    tuning = rule.begin(torch.zeros(2, 1))
    short, average = 0.0, 0.0
    for t in range(1, 21):
        probability = (t * 0.37) % 1
        short = (1 - 1 / (t + 10)) * short + (0.65 - probability) / (t + 10)
        size = math.log(3.0) - math.sqrt(t) / 0.05 * short
        average = t**-0.75 * size + (1 - t**-0.75) * average
        tuning = rule.update(tuning, torch.full((2,), probability, dtype=torch.float64).log())
        expected = size if t < 20 else average
        assert torch.allclose(tuning[:, 1], torch.full((2,), expected, dtype=torch.float64))
    frozen = rule.update(tuning, torch.zeros(2, dtype=torch.float64))
    assert torch.equal(frozen, tuning)


def test_a_proposal_without_an_energy_makes_the_step_smaller() -> None:
    rule = DualAveraging(first=0.3, steps=20, target=0.65)
    refused = rule.update(rule.begin(torch.zeros(1, 1)), torch.tensor([math.nan], dtype=torch.float64))
    accepted = rule.update(rule.begin(torch.zeros(1, 1)), torch.zeros(1, dtype=torch.float64))
    assert refused[0, 1] < accepted[0, 1]
