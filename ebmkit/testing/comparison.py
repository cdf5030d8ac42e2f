"""Chains compared with the law that their sampler claims.

Adjusted samplers are compared with the target, unadjusted ones with their exact biased law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ebmkit.core import Rng, Sampler, as_rows, run_chain, value_and_gradient, walk
from ebmkit.testing.battery import FALSE_ALARM, Statistic, standard_normal, verdict, zero_mean
from ebmkit.testing.claims import Exact, Linear, LinearLaw, SamplerClaims
from ebmkit.testing.report import CheckSkippedError
from ebmkit.testing.samplers import SamplerSubject, build, states
from ebmkit.testing.targets import Gaussian, Target
from ebmkit.testing.tensors import demand, fields

__all__ = ["LAWS", "count_of", "gaussian_law", "judge", "other_law", "rng_of", "share_of_one"]

LAWS = 9
"""Checks that share the false-alarm rate of one run of the kit: those of ``laws``."""

_CHAINS, _QUICK_CHAINS = 40_000, 6_000
_FIRST_STEP_CHAINS = 40_000
_INVARIANCE_STEPS = 30
_TIMES, _LATE = (1, 2, 5), 20
_TEMPERATURE = 2.0
_ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-3}


def count_of(subject: SamplerSubject) -> int:
    """How many chains a law is tested with."""
    return _QUICK_CHAINS if subject.quick else _CHAINS


def rng_of(subject: SamplerSubject, *labels: int | str) -> Rng:
    """The random numbers of one check."""
    return Rng(subject.seed).fold_in("conformance", *labels)


def _variants(subject: SamplerSubject) -> list[Mapping[str, Any]]:
    """The settings under which the law is tested: the claimed ones, and a second temperature."""
    variants: list[Mapping[str, Any]] = [{}, *subject.claims.variants]
    if subject.takes("temperature"):
        variants.append({"temperature": _TEMPERATURE})
    return variants


def _temperature(sampler: Sampler) -> float:
    return float(getattr(sampler, "temperature", 1.0))


def judge(statistics: Iterable[Statistic], alpha: float, what: str) -> None:
    """Fail with the worst statistic unless all hold."""
    holds, worst = verdict(list(statistics), alpha)
    demand(holds, f"{what}: {worst}, in units of the exact law")


def _whiten(x: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """N(mean, covariance) to N(0, I), ``(n, *S) -> (n, d)`` float64."""
    offset = as_rows(x).double() - mean
    root = torch.linalg.cholesky(covariance)
    whitened: Tensor = torch.linalg.solve_triangular(root, offset.T, upper=False)
    return whitened.T


def gaussian_law(target: Callable[[], Gaussian], subject: SamplerSubject) -> str:
    """The claimed law on a Gaussian, under every setting that is claimed.

    Raises:
        CheckFailedError: with the worst statistic.
        CheckSkippedError: no law is claimed.
    """
    law = subject.claims.law
    if law is None:
        raise CheckSkippedError("no law is claimed: say law=Exact() or law=Linear(...)")
    gaussian, variants = target(), _variants(subject)
    for number, variant in enumerate(variants):
        sampler = build(subject, **variant)
        compare = _reaches if isinstance(law, Exact) else partial(_follows, law)
        rng = rng_of(subject, str(gaussian.shape), number)
        compare(subject, sampler, gaussian, rng, alpha=share_of_one() / len(variants), under=_say(variant))
    return f"{count_of(subject):,} chains" + (f", {len(variants)} settings" if len(variants) > 1 else "")


def _say(variant: Mapping[str, Any]) -> str:
    return "".join(f" with {name} = {value}" for name, value in variant.items())


def share_of_one() -> float:
    """The false-alarm rate of one check of a law."""
    return FALSE_ALARM / LAWS


def _reaches(
    subject: SamplerSubject, sampler: Sampler, target: Gaussian, rng: Rng, *, alpha: float, under: str
) -> None:
    """From far away, the chains come to have the target's law."""
    steps = subject.claims.warmup + subject.claims.steps
    x = run_chain(sampler, target.energy, target.start(count_of(subject)), steps=steps, rng=rng).x
    numbers = _whiten(x, target.mean, _temperature(sampler) * target.covariance)
    judge(standard_normal(numbers), alpha, f"after {steps} steps{under}")


def _follows(
    law: Linear,
    subject: SamplerSubject,
    sampler: Sampler,
    target: Gaussian,
    rng: Rng,
    *,
    alpha: float,
    under: str,
) -> None:
    """After every number of steps, the chains have the exact law of the discretisation."""
    start = target.start(count_of(subject))
    times = [*_TIMES, _LATE if subject.quick else subject.claims.steps]
    moves = islice(walk(sampler, target.energy, start, rng=rng), times[-1])
    exact = _recursion(law.step(sampler, target.precision), start[0].flatten().double() - target.mean)
    with torch.no_grad():
        for step, ((state, _), (mean, covariance)) in enumerate(zip(moves, exact, strict=False), start=1):
            if step not in times:
                continue
            when = f"after {step} step{'s' if step > 1 else ''}{under}"
            if float(covariance.diagonal().max()) == 0:
                _deterministic(state.x, mean + target.mean, when)
            else:
                numbers = _whiten(state.x, mean + target.mean, covariance)
                judge(standard_normal(numbers), alpha / len(times), when)


def _recursion(law: LinearLaw, offset: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Mean and covariance of the position after 1, 2, 3, ... steps from ``offset``."""
    d, k = len(offset), len(law.transition)
    mean = torch.cat([offset, offset.new_zeros(k - d)])
    covariance = offset.new_zeros(k, k)
    if law.hidden is not None:
        covariance[d:, d:] = law.hidden
    while True:
        mean = law.transition @ mean
        covariance = law.transition @ covariance @ law.transition.T + law.noise
        yield mean[:d], covariance[:d, :d]


def _deterministic(x: Tensor, expected: Tensor, when: str) -> None:
    error = float((as_rows(x).double() - expected).abs().max())
    demand(error < _ROUNDING[x.dtype], f"{when}: a position is {error:.3g} from where the law puts it")


def other_law(target: Target, subject: SamplerSubject) -> str:
    """The claimed law on any other target: invariant, or the first step of an unadjusted sampler.

    Raises:
        CheckFailedError: with the worst statistic.
        CheckSkippedError: no law is claimed, or none is known here.
    """
    law = subject.claims.law
    if law is None:
        raise CheckSkippedError("no law is claimed: say law=Exact() or law=Linear(...)")
    rng = rng_of(subject, type(target).__name__)
    sampler = build(subject)
    if isinstance(law, Linear):
        return _first_step(law, sampler, target, rng)
    if _temperature(sampler) != 1:
        raise CheckSkippedError("only Gaussians have a closed form at a temperature other than 1")
    x = target.draw(count_of(subject), rng.fold_in("start"))
    if subject.claims.adapted:
        steps = _INVARIANCE_STEPS
        x = _from_adapted(subject.claims, sampler, target, x, rng)
    else:
        steps = subject.claims.warmup + _INVARIANCE_STEPS
        x = run_chain(sampler, target.energy, x, steps=steps, rng=rng).x
    judge(standard_normal(target.to_normal(x)), share_of_one(), f"{steps} steps after exact draws")
    return f"{len(x):,} chains, {steps} steps"


def _from_adapted(claims: SamplerClaims, sampler: Sampler, target: Target, x: Tensor, rng: Rng) -> Tensor:
    """Where chains end that begin at ``x`` with what other chains have adapted."""
    demand(claims.warmup > 0, "adapted is claimed without warmup, the steps that the adaptation takes")
    elsewhere, of_warmup = target.draw(len(x), rng.fold_in("elsewhere")), rng.fold_in("warmup")
    *_, warm = states(sampler, target.energy, elsewhere, claims.warmup, of_warmup)
    held = fields(warm)
    unknown = [name for name in claims.adapted if name not in held]
    demand(not unknown, f"adapted names {', '.join(map(repr, unknown))}; the state has {', '.join(held)}")
    found = {name: held[name] for name in claims.adapted}
    with torch.no_grad():
        here: Any = sampler.init(target.energy, x)
    *_, last = states(sampler, target.energy, here._replace(**found), _INVARIANCE_STEPS, rng)
    return last.x  # type: ignore[no-any-return]


def _first_step(law: Linear, sampler: Sampler, target: Target, rng: Rng) -> str:
    """x1 given x0 is N(x0 - c ∇E(x0), v I) if the linear law is of one gradient; compare it row by row."""
    pull, variance = _first_step_law(law, sampler)
    x = target.draw(_FIRST_STEP_CHAINS, rng.fold_in("start"))
    gradient = value_and_gradient(target.energy, x).gradient
    mean = x - pull * gradient
    moved = run_chain(sampler, target.energy, x, steps=1, rng=rng).x
    if variance == 0:
        _deterministic(moved, mean, "one step from exact draws")
    else:
        error = (moved - mean) / math.sqrt(variance)
        # Errors that grow with the gradient cancel in the mean: here they add up.
        along = (error * gradient).sum(1) / gradient.square().sum(1).mean().sqrt()
        pulled = zero_mean(along, "error of the step along the gradient")
        judge([*standard_normal(error), pulled], share_of_one(), "one step from exact draws")
    return f"{len(x):,} chains, the first step"


def _first_step_law(law: Linear, sampler: Sampler) -> tuple[float, float]:
    """The pull c and the variance v, read from what the law says on flat and on curved energies."""
    means, variances = [], []
    for curvature in (0.0, 1.0, 2.0):
        start = torch.ones(1, dtype=torch.float64)
        mean, covariance = next(_recursion(law.step(sampler, torch.full((1, 1), curvature).double()), start))
        means.append(float(mean))
        variances.append(float(covariance))
    pull = means[0] - means[1]
    one_gradient = math.isclose(means[0], 1) and math.isclose(means[1] - means[2], pull, rel_tol=1e-9)
    if not one_gradient or max(variances) - min(variances) > 1e-9 * max(variances):
        raise CheckSkippedError("the first step is not x - c ∇E + noise, so that Gaussians alone have a law")
    return pull, variances[0]
