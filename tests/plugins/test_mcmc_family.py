"""What the samplers of ``ebmkit_mcmc`` promise beyond the kit that every sampler passes.

Where a law is tested, thresholds are 5 standard errors: a false alarm of 6e-7 each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng, Sampler, run_chain, walk
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.annealed import Annealed
from ebmkit_mcmc.descent import Descent
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from ebmkit_mcmc.preconditioned import Preconditioned
from ebmkit_mcmc.tempering import ParallelTempering
from tests.conftest import Ebmkit
from tests.models import LinearGenerator, double

FAMILY = {
    "annealed": Annealed,
    "descent": Descent,
    "hmc": HMC,
    "mala": MALA,
    "parallel-tempering": ParallelTempering,
    "preconditioned": Preconditioned,
}
STEP = 0.4


def gaussian(x: Tensor) -> Tensor:
    return x.square().flatten(1).sum(1) / 2


def stretched(x: Tensor) -> Tensor:
    """Independent coordinates of standard deviations 1, 10 and 100."""
    return (x / x.new_tensor([1.0, 10.0, 100.0])).square().sum(1) / 2


def two_modes(x: Tensor) -> Tensor:
    """N(-4, 0.5²) with weight 0.25 and N(4, 0.5²) with weight 0.75."""
    left, right = (-((x[:, 0] - mean) ** 2) / 0.5 for mean in (-4.0, 4.0))
    return -torch.logaddexp(math.log(0.25) + left, math.log(0.75) + right)


def test_the_preconditioner_finds_the_variances() -> None:
    """On independent coordinates M is proportional to s_i²; within a factor 3 of it after 300 steps."""
    sampler = Preconditioned(step_size=1.0, adapt_steps=300, damping=1e-6)
    start = double(200, 3) * torch.tensor([1.0, 10.0, 100.0])
    *_, (state, _) = islice(walk(sampler, stretched, start, rng=Rng(2)), 300)
    metric = sampler._metric(state.fisher)  # type: ignore[attr-defined]
    wanted = torch.tensor([1.0, 100.0, 10_000.0], dtype=torch.float64)
    ratio = metric / wanted
    spread = (ratio / ratio.prod(1, keepdim=True) ** (1 / 3)).log().abs()
    assert spread.median() < math.log(1.5)
    assert spread.max() < math.log(6)


def test_a_preconditioned_chain_forgets_where_mala_does_not() -> None:
    start = torch.full((4000, 3), 0.0, dtype=torch.float64) + torch.tensor([0.0, 0.0, 300.0])
    preconditioned = Preconditioned(step_size=1.0, adapt_steps=100, damping=1e-6)
    x = run_chain(preconditioned, stretched, start, steps=200, rng=Rng(3)).x
    assert abs(x[:, 2].mean()) < 5 * 100 / math.sqrt(len(x))
    assert abs(x[:, 2].var() / 100**2 - 1) < 5 * math.sqrt(2 / len(x))
    mala = run_chain(MALA(step_size=1.0, adapt_steps=100), stretched, start, steps=200, rng=Rng(3)).x
    assert mala[:, 2].mean() > 250


def test_cooling_follows_the_exact_law_of_every_step() -> None:
    """x to (1 - δ²/2) x + δ √T_t ε from 0: the variance of step t is a sum that is known."""
    hot, cold, n, chains = 16.0, 0.25, 12, 40_000
    sampler = Annealed(step_size=STEP, temperature_start=hot, temperature=cold, anneal_steps=n)
    start = torch.zeros(chains, 1, dtype=torch.float64)
    variance = 0.0
    for t, (state, info) in enumerate(islice(walk(sampler, gaussian, start, rng=Rng(4)), 20)):
        temperature = cold * (hot / cold) ** max(0.0, 1 - t / n)
        assert torch.allclose(info["temperature"], torch.full((chains,), temperature, dtype=torch.float64))
        variance = (1 - STEP**2 / 2) ** 2 * variance + STEP**2 * temperature
        assert abs(state.x.var() / variance - 1) < 5 * math.sqrt(2 / chains)


def test_without_cooling_it_is_langevin_dynamics_to_the_bit() -> None:
    x = double(5, 1, 4, 4)
    plain = run_chain(Langevin(step_size=STEP, temperature=1.0), gaussian, x, steps=5, rng=Rng(5)).x
    annealed = run_chain(Annealed(step_size=STEP, anneal_steps=0), gaussian, x, steps=5, rng=Rng(5)).x
    assert torch.allclose(plain, annealed, rtol=1e-15, atol=1e-15)


def test_parallel_tempering_gets_the_shares_of_modes_right_where_langevin_never_crosses() -> None:
    """16 standard deviations apart. All chains start in the mode of weight 0.25."""
    chains = 1500
    start = torch.full((chains, 1), -4.0, dtype=torch.float64)
    tempering = ParallelTempering(step_size=0.5, replicas=5, temperature_max=60.0)
    samples = run_chain(tempering, two_modes, start, steps=250, rng=Rng(6))
    right = (samples.x > 0).double().mean()
    assert abs(right - 0.75) < 5 * math.sqrt(0.75 * 0.25 / chains)
    inside = samples.x[samples.x > 0]
    assert abs(inside.mean() - 4) < 5 * 0.5 / math.sqrt(len(inside))
    assert abs(inside.var() / 0.25 - 1) < 5 * math.sqrt(2 / len(inside))
    assert samples.stats["swap"] > 0.2
    for plain in (Langevin(step_size=0.5), MALA(step_size=0.5)):
        assert torch.all(run_chain(plain, two_modes, start, steps=250, rng=Rng(6)).x < 0)


def test_the_hot_replicas_have_their_own_laws() -> None:
    sampler = ParallelTempering(step_size=0.9, replicas=3, temperature_max=9.0)
    *_, (state, _) = islice(walk(sampler, gaussian, double(20_000, 1), rng=Rng(7)), 80)
    hot = state.hot[..., 0]  # type: ignore[attr-defined]
    for column, temperature in enumerate((3.0, 9.0)):
        assert abs(hot[:, column].var() / temperature - 1) < 5 * math.sqrt(2 / len(hot))
    assert torch.equal(state.hot_energy[:, 1], gaussian(state.hot[:, 1]))  # type: ignore[attr-defined]


def test_descent_never_climbs_and_ends_where_the_gradient_does() -> None:
    def bumpy(x: Tensor) -> Tensor:
        return (x.square() / 2 + 3 * (4 * x).cos()).sum(1)

    states = list(islice(walk(Descent(step_size=3.0), bumpy, 3 * double(200, 2), rng=Rng(8)), 200))
    energies = torch.stack([state.energy for state, _ in states])  # type: ignore[attr-defined]
    assert torch.all(energies[1:] <= energies[:-1])
    assert states[0][1]["descended"].mean() < 1
    assert states[-1][1]["slope"].max() < 1e-6


def test_descent_finds_the_image_that_the_descriptor_reproduces() -> None:
    """x = s² ∇f(x) at a local mode: with f linear that is s² w in one step of δ²/2 = s²."""
    w, s = double(1, 1, 3, 3), 0.3
    energy = lambda x: (x.square() / (2 * s**2) - w * x).flatten(1).sum(1)  # noqa: E731
    descent = Descent(step_size=math.sqrt(2) * s)
    x = run_chain(descent, energy, double(4, 1, 3, 3, seed=1), steps=1, rng=Rng(0)).x
    assert torch.allclose(x, (s**2 * w).expand_as(x))


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_shares_of_modes_over_seeds(seed: int) -> None:
    start = torch.full((500, 1), -4.0, dtype=torch.float64)
    tempering = ParallelTempering(step_size=0.5, replicas=5, temperature_max=60.0)
    x = run_chain(tempering, two_modes, start, steps=250, rng=Rng(seed)).x
    assert abs((x > 0).double().mean() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 500)
