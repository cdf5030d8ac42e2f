"""What the samplers of ``ebmkit_mcmc`` promise beyond the kit that every sampler passes.

Where a law is tested, thresholds are 5 standard errors: a false alarm of 6e-7 each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.core import Rng, Sampler, run_chain
from ebmkit_mcmc.annealed import Annealed
from ebmkit_mcmc.descent import Descent
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from ebmkit_mcmc.preconditioned import Preconditioned
from ebmkit_mcmc.tempering import ParallelTempering
from tests.conftest import Ebmkit
from tests.models import LinearGenerator, double
from tests.plugins.mcmc.standard import STEP, gaussian

FAMILY = {
    "annealed": Annealed,
    "descent": Descent,
    "hmc": HMC,
    "mala": MALA,
    "parallel-tempering": ParallelTempering,
    "preconditioned": Preconditioned,
}


@pytest.mark.parametrize("name", FAMILY)
def test_energies_of_a_million_nats_change_nothing(name: str) -> None:
    """A descriptor's energy comes in float64: a constant of 10⁶ must drop out of every decision."""
    x = double(50, 1, 4, 4).float()
    sampler: Sampler = FAMILY[name](step_size=STEP)
    ends = [
        run_chain(sampler, lambda y, c=constant: gaussian(y.double()) + c, x, steps=10, rng=Rng(9)).x
        for constant in (0.0, 2.0**20)
    ]
    # Adaptation sees the last digits of the acceptance probabilities, nothing else does.
    assert torch.allclose(*ends, atol=1e-6)


@pytest.mark.parametrize("name", FAMILY)
def test_each_samples_a_posterior_of_latents(name: str) -> None:
    """p(z | x) of a linear generator is N(m, V). Descent goes to m itself."""
    generator = LinearGenerator(double(3, 2), double(3, seed=1), noise_std=0.8)
    x = double(1, 3, seed=2).expand(8000, 3)
    mean, covariance = generator.posterior_law(x)
    settings = {"anneal_steps": 20} if name == "annealed" else {}
    step = 0.08 if name == "annealed" else 0.5
    sampler: Sampler = FAMILY[name](step_size=step, **settings)
    steps = {"annealed": 1500, "preconditioned": 250}.get(name, 150)
    chains = 800 if name == "annealed" else 8000
    posterior = generator.posterior(x[:chains])
    z = run_chain(sampler, posterior, torch.zeros(chains, 2, dtype=torch.float64), steps=steps, rng=Rng(10)).x
    if name == "descent":
        assert torch.allclose(z, mean[:chains], atol=1e-6)
        return
    assert torch.all((z.mean(0) - mean[0]).abs() < 5 * covariance.diagonal().sqrt() / math.sqrt(chains))
    # The bias of annealed Langevin at this step is below a tenth of the standard error.
    assert torch.all((z.var(0) / covariance.diagonal() - 1).abs() < 5 * math.sqrt(2 / chains))


@pytest.mark.parametrize("name", FAMILY)
def test_each_trains_as_revision_and_inference(
    name: str, ebmkit: Ebmkit, run_file: Callable[[str], Path]
) -> None:
    file = run_file("coopnets-rigorous")
    use = ("--set", f"revision.use={name}", "--set", f"inference.use={name}", "--set", "run.iterations=2")
    assert ebmkit("run", file, *use).code == 0
