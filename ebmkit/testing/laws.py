"""Statistics: do the chains have the law that the sampler claims?

One run of the kit has one false-alarm rate, ``battery.FALSE_ALARM``, shared equally by the laws.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core import run_chain
from ebmkit.testing.battery import Statistic, chi_squared, standard_normal
from ebmkit.testing.comparison import count_of, gaussian_law, judge, other_law, rng_of, share_of_one
from ebmkit.testing.report import CheckSkippedError
from ebmkit.testing.samplers import SamplerSubject, build, states
from ebmkit.testing.targets import Banana, Funnel, Gaussian, LogExponential, Mixture
from ebmkit.testing.tensors import demand

__all__ = ["CHECKS"]


_SEEDS, _CHAINS_A_SEED, _ENOUGH = 50, 200, 10


def _independent() -> Gaussian:
    """Two coordinates of their own means and standard deviations."""
    variances = torch.tensor([1.0, 0.7], dtype=torch.float64).square()
    return Gaussian(torch.tensor([1.5, -0.7], dtype=torch.float64), torch.diag(variances), (2,))


def _correlated() -> Gaussian:
    """An image of 1x2x2 correlated pixels in float32, as trainings have them."""
    angles = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    turn = angles.double()
    covariance = turn @ torch.diag(torch.tensor([0.5, 0.8, 1.1, 1.4], dtype=torch.float64)) @ turn.T
    mean = torch.tensor([0.5, -0.5, 0.0, 1.0], dtype=torch.float64)
    return Gaussian(mean, covariance, (1, 2, 2), torch.float32)


def _single() -> Gaussian:
    """One number per chain: states without any dimension but the batch's."""
    return Gaussian(torch.zeros(1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64), ())


def law_gaussian(subject: SamplerSubject) -> str:
    """On independent Gaussians in float64 the chains have the claimed law, from a start far away."""
    return gaussian_law(_independent, subject)


def law_correlated_gaussian(subject: SamplerSubject) -> str:
    """On images of correlated Gaussian pixels in float32 the chains have the claimed law."""
    return gaussian_law(_correlated, subject)


def law_scalar(subject: SamplerSubject) -> str:
    """Of one number per chain, states ``(B,)``, under N(0, 1) the chains have the claimed law."""
    return gaussian_law(_single, subject)


def law_log_exponential(subject: SamplerSubject) -> str:
    """The asymmetric log-exponential law: invariant, or the exact first step of an unadjusted sampler."""
    return other_law(LogExponential(), subject)


def law_mixture(subject: SamplerSubject) -> str:
    """A mixture of unequal weights: invariant, or the exact first step."""
    return other_law(Mixture(), subject)


def law_banana(subject: SamplerSubject) -> str:
    """A bent Gaussian: invariant, or the exact first step."""
    return other_law(Banana(), subject)


def law_funnel(subject: SamplerSubject) -> str:
    """A funnel: invariant, or the exact first step."""
    return other_law(Funnel(), subject)


def law_far_modes(subject: SamplerSubject) -> str:
    """Chains that all begin in the smaller of two far modes reach both in the right shares."""
    claims = subject.claims
    if not claims.crosses_modes:
        raise CheckSkippedError("crosses_modes is not claimed")
    target, sampler = Mixture(distance=3.0, std=1.0), build(subject)
    start = torch.tensor([[-3.0, 0.0]], dtype=torch.float64).repeat(count_of(subject), 1)
    steps = claims.warmup + claims.steps
    x = run_chain(sampler, target.energy, start, steps=steps, rng=rng_of(subject, "far modes")).x
    judge(standard_normal(target.to_normal(x)), share_of_one(), f"{steps} steps after a start in one mode")
    return f"{len(x):,} chains, {steps} steps"


def law_independence(subject: SamplerSubject) -> str:
    """Chains of one seed are no more alike than chains of different seeds: they share no random number."""
    if not subject.claims.random:
        raise CheckSkippedError("random=False is claimed")
    sampler, start = build(subject), torch.full((_CHAINS_A_SEED, 2), 0.5, dtype=torch.float64)
    energy = LogExponential().energy
    keys = [rng_of(subject, "independence", number) for number in range(_SEEDS)]
    ends = torch.stack([[*states(sampler, energy, start, 2, rng)][-1].x for rng in keys])
    features = {
        "their positions": ends[..., 0],
        "their energies": energy(ends.flatten(0, 1)).view(_SEEDS, -1),
        "which of them stay": (ends == start).all(2).double(),
    }
    # Few chains that stay are Poisson numbers, for which chi-squared is no good limit.
    enough = {name: values for name, values in features.items() if _CHAINS_A_SEED * values.var() >= _ENOUGH}
    demand(bool(enough), "no chain has moved after two steps")
    statistics = [_between(values, name) for name, values in enough.items()]
    judge(statistics, share_of_one(), "two steps from one start")
    return f"{_SEEDS} seeds of {_CHAINS_A_SEED} chains"


def _between(values: Tensor, name: str) -> Statistic:
    """Analysis of variance, ``(seeds, chains)``: the spread of the seeds' means against that of chains."""
    seeds, chains = values.shape
    total = chains * float(values.mean(1).var()) * (seeds - 1) / float(values.var())
    return chi_squared(total, seeds - 1, f"the spread of the means of {name} over seeds")


CHECKS = {
    "law-independence": law_independence,
    "law-gaussian": law_gaussian,
    "law-correlated-gaussian": law_correlated_gaussian,
    "law-scalar": law_scalar,
    "law-log-exponential": law_log_exponential,
    "law-mixture": law_mixture,
    "law-banana": law_banana,
    "law-funnel": law_funnel,
    "law-far-modes": law_far_modes,
}
