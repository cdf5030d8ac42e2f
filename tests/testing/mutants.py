"""Deliberately wrong samplers: the kit has to refuse each of them.

Six right samplers are written once, in small methods; a mutant overrides one of them. ``MUTANTS``
names for each the check that must notice it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from ebmkit.core import EnergyFn, Position, Rng, Sampler, as_rows, run_chain, value_and_gradient
from ebmkit.core.stopping import Stopped
from ebmkit.testing import Exact, Linear, LinearLaw, SamplerClaims
from ebmkit_mcmc.mala import MALA
from ebmkit_mcmc.underdamped import Underdamped


class Mutant(NamedTuple):
    """A wrong sampler.

    Attributes:
        component: its class.
        claims: what its right original claims.
        killer: a check that must fail.
    """

    component: type[Sampler]
    claims: SamplerClaims
    killer: str


MUTANTS: dict[str, Mutant] = {}


def _mutant(claims: SamplerClaims, killer: str) -> Callable[[type[Sampler]], type[Sampler]]:
    def register(component: type[Sampler]) -> type[Sampler]:
        MUTANTS[component.__name__] = Mutant(component, claims, killer)
        return component

    return register


# --- Langevin dynamics -------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Euler(Sampler):
    """Right: x - δ²/2 ∇E(x) + δ √T ε.

    Args:
        step_size: δ.
        temperature: T.
    """

    step_size: float = 0.8
    temperature: float = 1.0

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        gradient = self.gradient(energy, state.x)
        return Position(self.move(state.x, gradient, self.noise(state.x, rng))), {
            "drift": as_rows(gradient).mean(1)
        }

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        return value_and_gradient(energy, x).gradient

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return rng.normal(x)

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return x - self.step_size**2 / 2 * gradient + self.step_size * math.sqrt(self.temperature) * noise


def _euler_law(sampler: Euler, precision: Tensor) -> LinearLaw:
    identity = torch.eye(len(precision), dtype=precision.dtype)
    noise = sampler.temperature * sampler.step_size**2 * identity
    return LinearLaw(identity - sampler.step_size**2 / 2 * precision, noise)


EULER = SamplerClaims(law=Linear(_euler_law), steps=60, gradients=lambda _: 1)


@_mutant(EULER, "law-log-exponential")
class NoiseTimesRootTwo(Euler):
    """The noise of η = δ² instead of η = δ²/2."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient, math.sqrt(2) * noise)


@_mutant(EULER, "law-log-exponential")
class NoiseTenPercentTooLarge(Euler):
    """The noise times 1.1."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient, 1.1 * noise)


@_mutant(EULER, "law-log-exponential")
class NoiseFivePercentTooSmall(Euler):
    """The noise times 0.95."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient, 0.95 * noise)


@_mutant(EULER, "law-log-exponential")
class HalfForgotten(Euler):
    """The gradient times δ² instead of δ²/2."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, 2 * gradient, noise)


@_mutant(EULER, "law-log-exponential")
class StepNotSquared(Euler):
    """The gradient times δ/2."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient / self.step_size, noise)


@_mutant(EULER, "law-log-exponential")
class WrongSign(Euler):
    """Uphill."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, -gradient, noise)


@_mutant(EULER, "law-gaussian")
class TemperatureSquared(Euler):
    """The noise times T instead of √T."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient, math.sqrt(self.temperature) * noise)


@_mutant(EULER, "law-gaussian")
class TemperatureIgnored(Euler):
    """T is never read."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient, noise / math.sqrt(self.temperature))


@_mutant(EULER, "law-log-exponential")
class UniformNoise(Euler):
    """Noise of mean 0 and variance 1 that is not normal."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return (rng.uniform(x) - 0.5) * math.sqrt(12)


@_mutant(EULER, "law-log-exponential")
class SharedNoise(Euler):
    """One noise for all chains."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return Rng(rng.key).normal(x[:1]).expand_as(x)


@_mutant(EULER, "law-log-exponential")
class AntitheticChains(Euler):
    """Every second chain takes its neighbour's noise with the other sign."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        noise = rng.normal(x)
        noise[1::2] = -noise[: len(x) // 2 * 2 : 2]
        return noise


@_mutant(EULER, "law-log-exponential")
class OneNumberAChain(Euler):
    """One number for all coordinates of a chain."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return rng.normal(x.flatten(1)[:, :1]).reshape(-1, *[1] * (x.ndim - 1)).expand_as(x)


@_mutant(EULER, "batch-split")
class FirstChainIgnored(Euler):
    """Row 0 is chain 0, whatever the process holds."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return Rng(rng.key).normal(x)


@_mutant(EULER, "batch-split")
class DrawsDependOnTheBatch(Euler):
    """All numbers of a batch as one row."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return rng.normal(x.reshape(1, -1)).reshape(x.shape)


@_mutant(EULER, "independent-rows")
class ClipsByTheBatch(Euler):
    """Gradients clipped by the norm of the whole batch."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        gradient = super().gradient(energy, x)
        return gradient / gradient.norm().clamp_min(1)


@_mutant(EULER, "independent-rows")
class CentresTheBatch(Euler):
    """The batch's mean gradient taken off each row."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        gradient = super().gradient(energy, x)
        return gradient - gradient.mean(0)


@_mutant(EULER, "global-random")
class GlobalGenerator(Euler):
    """torch.randn_like."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return torch.randn_like(x)


@_mutant(EULER, "global-random")
class GlobalGeneratorGivenBack(Euler):
    """Reads torch's global generator and sets it back."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            return torch.randn_like(x)


@_mutant(EULER, "same-seed")
class FreshEntropy(Euler):
    """A generator of its own, seeded by the clock."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return torch.from_numpy(np.random.default_rng().normal(size=tuple(x.shape))).to(x)


@_mutant(EULER, "other-seed")
class SeedIgnored(Euler):
    """Always seed 0."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        return Rng(0, first_chain=rng.first_chain).normal(x)


@_mutant(EULER, "input-unchanged")
class InPlace(Euler):
    """Moves the state it was given."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return x.copy_(super().move(x, gradient, noise))


@_mutant(EULER, "no-graph")
class GradientLeftOn(Euler):
    """Takes the gradient by itself and returns a position with a graph."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
        return gradient


@_mutant(EULER, "energy-untouched")
class BackwardFillsWeights(Euler):
    """``backward()`` instead of a gradient with respect to x alone."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            energy(x).sum().backward()
        return x.grad  # type: ignore[return-value]


@_mutant(EULER, "energy-untouched")
class SwitchesMode(Euler):
    """Puts the energy into train mode."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        gradient = super().gradient(energy, x)
        if isinstance(energy, nn.Module):
            energy.train(not energy.training)
        return gradient


@_mutant(EULER, "energy-untouched")
class FreezesWeights(Euler):
    """Switches the parameters' gradients off and forgets to switch them on."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        if isinstance(energy, nn.Module):
            energy.requires_grad_(False)
        return super().gradient(energy, x)


@_mutant(EULER, "no-graph")
class SwitchesGradientsOff(Euler):
    """Leaves torch's grad mode off."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        gradient = super().gradient(energy, x)
        torch.set_grad_enabled(False)
        return gradient


@_mutant(EULER, "shape-and-dtype")
class Downcast(Euler):
    """Computes in float32 and hides it."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x.float(), gradient.float(), noise.float()).to(x.dtype)


@_mutant(EULER, "shape-and-dtype")
class Flattens(Euler):
    """Images come back as rows of numbers."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient, noise).flatten(1)


@_mutant(EULER, "shape-and-dtype")
class InfoOfEveryPixel(Euler):
    """Watches ``(B, *S)`` numbers."""

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        state, _ = super().step(energy, state, rng)
        return state, {"x": state.x}


@_mutant(EULER, "nan-energy")
class HidesNaN(Euler):
    """NaN gradients become zeros, and the chain goes on."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        return super().gradient(energy, x).nan_to_num()


@_mutant(EULER, "stops")
class SwallowsInterrupts(Euler):
    """Catches whatever the energy raises."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        with suppress(BaseException):
            return super().gradient(energy, x)
        return torch.zeros_like(x)


@_mutant(EULER, "callables")
class NeedsAModule(Euler):
    """Asks the energy for its parameters."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        next(energy.parameters())  # type: ignore[attr-defined]
        return super().gradient(energy, x)


@_mutant(EULER, "cost")
class EvaluatesTwice(Euler):
    """A second evaluation for a figure."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        energy(x)
        return super().gradient(energy, x)


@_mutant(EULER, "law-gaussian")
class ClampsPositions(Euler):
    """Positions stay in [-2, 2]."""

    def move(self, x: Tensor, gradient: Tensor, noise: Tensor) -> Tensor:
        return super().move(x, gradient, noise).clamp(-2, 2)


@attrs.frozen(kw_only=True)
class Keeping(Euler):
    """Has a place for things that belong into the state."""

    kept: dict[str, Any] = attrs.field(factory=dict, init=False, repr=False)


@_mutant(EULER, "memory")
class KeepsEveryNoise(Keeping):
    """A list of all noises, for a plot some day."""

    def noise(self, x: Tensor, rng: Rng) -> Tensor:
        noise = super().noise(x, rng)
        self.kept.setdefault("noises", []).append(noise)
        return noise


@_mutant(EULER, "resume")
class RemembersOutsideTheState(Keeping):
    """A smoothed gradient on the instance, which a resumed chain does not have."""

    def gradient(self, energy: EnergyFn, x: Tensor) -> Tensor:
        new = super().gradient(energy, x)
        old = self.kept.get("gradient", new)
        self.kept["gradient"] = smooth = 0.5 * old + 0.5 * new if old.shape == new.shape else new
        return smooth


class History(NamedTuple):
    """A state that grows."""

    x: Tensor
    history: Tensor


@_mutant(EULER, "memory")
class GrowsItsState(Euler):
    """Keeps the trajectory in the state."""

    def init(self, energy: EnergyFn, x: Tensor) -> History:  # type: ignore[override]
        return History(x, x[:, None])

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        moved, info = super().step(energy, state, rng)
        return History(moved.x, torch.cat([state.history, moved.x[:, None]], 1)), info


class Counted(NamedTuple):
    """A state with a number that is no tensor."""

    x: Tensor
    steps: int


@_mutant(EULER, "state")
class CountsInPython(Euler):
    """Anneals by a Python integer in the state."""

    def init(self, energy: EnergyFn, x: Tensor) -> Counted:  # type: ignore[override]
        return Counted(x, 0)

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        moved, info = super().step(energy, state, rng)
        return Counted(moved.x, state.steps + 1), info


class Cached(NamedTuple):
    """Position and gradient."""

    x: Tensor
    gradient: Tensor


@_mutant(EULER, "law-gaussian")
class StaleGradient(Euler):
    """Moves by the gradient of the position before."""

    def init(self, energy: EnergyFn, x: Tensor) -> Cached:  # type: ignore[override]
        return Cached(x, self.gradient(energy, x))

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        x = self.move(state.x, state.gradient, self.noise(state.x, rng))
        return Cached(x, self.gradient(energy, state.x)), {}


class Frozen(NamedTuple):
    """Position and the noise of the first step; NaN before."""

    x: Tensor
    noise: Tensor


@_mutant(EULER, "law-gaussian")
class SameNoiseEveryStep(Euler):
    """The first step's noise at every step, kept in the state."""

    def init(self, energy: EnergyFn, x: Tensor) -> Frozen:  # type: ignore[override]
        return Frozen(x, torch.full_like(x, math.nan))

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        noise = torch.where(state.noise.isnan(), self.noise(state.x, rng), state.noise)
        return Frozen(self.move(state.x, self.gradient(energy, state.x), noise), noise), {}


@_mutant(EULER, "parameters")
@attrs.frozen(kw_only=True)
class Undocumented(Euler):
    """A parameter without an explanation."""

    secret: float = 1.0


# --- Metropolis-adjusted Langevin --------------------------------------------------------------


class Here(NamedTuple):
    """Position with its energy and gradient."""

    x: Tensor
    energy: Tensor
    gradient: Tensor


@attrs.frozen(kw_only=True)
class Adjusted(Sampler):
    """Right: a Langevin proposal, accepted or refused.

    Args:
        step_size: δ.
    """

    step_size: float = 0.9

    def init(self, energy: EnergyFn, x: Tensor) -> Here:  # type: ignore[override]
        return Here(x, *value_and_gradient(energy, x))

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        proposal = self.propose(energy, state, rng)
        ratio = state.energy - proposal.energy + self.correction(state, proposal)
        accepted = self.accept(ratio, rng)
        return self.choose(accepted, proposal, state), {"acceptance": accepted.double()}

    def propose(self, energy: EnergyFn, state: Here, rng: Rng) -> Here:
        x = state.x - self.step_size**2 / 2 * state.gradient + self.step_size * rng.normal(state.x)
        return Here(x, *value_and_gradient(energy, x))

    def correction(self, state: Here, proposal: Here) -> Tensor:
        return self.log_q(proposal, state) - self.log_q(state, proposal)

    def log_q(self, start: Here, end: Here) -> Tensor:
        offset = end.x - start.x + self.step_size**2 / 2 * start.gradient
        return -self.total(offset.square()) / (2 * self.step_size**2)

    def total(self, squares: Tensor) -> Tensor:
        return as_rows(squares).sum(1)

    def accept(self, ratio: Tensor, rng: Rng) -> Tensor:
        return rng.uniform(ratio).log() < ratio

    def choose(self, accepted: Tensor, new: Here, old: Here) -> Here:
        rows = accepted.view(-1, *[1] * (new.x.ndim - 1))
        return Here(
            torch.where(rows, new.x, old.x),
            torch.where(accepted, new.energy, old.energy),
            torch.where(rows, new.gradient, old.gradient),
        )


ADJUSTED = SamplerClaims(settings={"step_size": 0.9}, law=Exact(), steps=60, gradients=lambda _: 1)


@_mutant(ADJUSTED, "law-funnel")
class AcceptsAlways(Adjusted):
    """No rejection."""

    def accept(self, ratio: Tensor, rng: Rng) -> Tensor:
        return torch.ones_like(ratio, dtype=torch.bool)


@_mutant(ADJUSTED, "law-correlated-gaussian")
class RefusesAlways(Adjusted):
    """Nobody moves."""

    def accept(self, ratio: Tensor, rng: Rng) -> Tensor:
        return torch.zeros_like(ratio, dtype=torch.bool)


@_mutant(ADJUSTED, "law-funnel")
class ForgetsTheProposalDensity(Adjusted):
    """Metropolis' ratio for a proposal that is not symmetric."""

    def correction(self, state: Here, proposal: Here) -> Tensor:
        return torch.zeros_like(state.energy)


@_mutant(ADJUSTED, "law-funnel")
class ProposalDensityUpsideDown(Adjusted):
    """q(x'|x) / q(x|x')."""

    def correction(self, state: Here, proposal: Here) -> Tensor:
        return -super().correction(state, proposal)


@_mutant(ADJUSTED, "law-funnel")
class ProposalDensityTooNarrow(Adjusted):
    """The 2 of 2 δ² is missing."""

    def log_q(self, start: Here, end: Here) -> Tensor:
        return 2 * super().log_q(start, end)


@_mutant(ADJUSTED, "law-funnel")
class ProposalDensityOfTheOtherEnd(Adjusted):
    """Each way with the gradient of where it leads."""

    def log_q(self, start: Here, end: Here) -> Tensor:
        return super().log_q(start._replace(gradient=end.gradient), end)


@_mutant(ADJUSTED, "law-funnel")
class ProposalTenPercentTooWide(Adjusted):
    """The proposal's noise times 1.1, its density without."""

    def propose(self, energy: EnergyFn, state: Here, rng: Rng) -> Here:
        x = state.x - self.step_size**2 / 2 * state.gradient + 1.1 * self.step_size * rng.normal(state.x)
        return Here(x, *value_and_gradient(energy, x))


@_mutant(ADJUSTED, "nan-energy")
class AcceptsNaN(Adjusted):
    """A comparison the wrong way round: NaN is not refused."""

    def accept(self, ratio: Tensor, rng: Rng) -> Tensor:
        return ~(rng.uniform(ratio).log() >= ratio)


@_mutant(ADJUSTED, "law-funnel")
class ForgetsTheLogarithm(Adjusted):
    """u < log ratio."""

    def accept(self, ratio: Tensor, rng: Rng) -> Tensor:
        return rng.uniform(ratio) < ratio


@_mutant(ADJUSTED, "law-independence")
class OneDecisionForAll(Adjusted):
    """One uniform number for all chains."""

    def accept(self, ratio: Tensor, rng: Rng) -> Tensor:
        return Rng(rng.key).uniform(ratio[:1]).log() < ratio


@_mutant(ADJUSTED, "cached-values")
class RefusalReturnsTheProposal(Adjusted):
    """A refused chain keeps its energy and takes the new position."""

    def choose(self, accepted: Tensor, new: Here, old: Here) -> Here:
        return super().choose(accepted, new, old)._replace(x=new.x)


@_mutant(ADJUSTED, "cached-values")
class RefusalKeepsTheNewEnergy(Adjusted):
    """A refused chain keeps its position and takes the new energy."""

    def choose(self, accepted: Tensor, new: Here, old: Here) -> Here:
        return super().choose(accepted, new, old)._replace(energy=new.energy)


@_mutant(ADJUSTED, "cached-values")
class AcceptanceKeepsTheOldGradient(Adjusted):
    """The cached gradient never moves."""

    def choose(self, accepted: Tensor, new: Here, old: Here) -> Here:
        return super().choose(accepted, new, old)._replace(gradient=old.gradient)


@_mutant(ADJUSTED, "independent-rows")
class AcceptsByTheBatch(Adjusted):
    """The ratio of the whole batch decides for all."""

    def accept(self, ratio: Tensor, rng: Rng) -> Tensor:
        return rng.uniform(ratio).log() < ratio.mean()


@_mutant(ADJUSTED, "shape-and-dtype")
class KnowsNoPlainNumbers(Adjusted):
    """``flatten(1)``, which states of one number per chain, ``(B,)``, do not have."""

    def total(self, squares: Tensor) -> Tensor:
        return squares.flatten(1).sum(1)


@_mutant(ADJUSTED, "shape-and-dtype")
class SumsTheLastDimension(Adjusted):
    """``sum(-1)``: right for vectors alone."""

    def total(self, squares: Tensor) -> Tensor:
        return squares.sum(-1)


@_mutant(ADJUSTED, "shape-and-dtype")
class SumsLikeImages(Adjusted):
    """Three dimensions at most are summed: right up to images, not for videos."""

    def total(self, squares: Tensor) -> Tensor:
        return squares.sum(tuple(range(1, min(squares.ndim, 4)))) if squares.ndim > 1 else squares


@_mutant(ADJUSTED, "independent-rows")
class SumsTheBatchOfNumbers(Adjusted):
    """Where a chain is one number, ``(B,)`` is taken for one vector."""

    def total(self, squares: Tensor) -> Tensor:
        return (squares.flatten(1) if squares.ndim > 1 else squares).sum(-1)


@_mutant(ADJUSTED, "batch-split")
class StepByTheLastDimension(Adjusted):
    """The step shrinks with ``x.shape[-1]``, which for ``(B,)`` is the number of chains."""

    def propose(self, energy: EnergyFn, state: Here, rng: Rng) -> Here:
        return Adjusted.propose(self.smaller(state.x), energy, state, rng)

    def log_q(self, start: Here, end: Here) -> Tensor:
        return Adjusted.log_q(self.smaller(start.x), start, end)

    def smaller(self, x: Tensor) -> Adjusted:
        return Adjusted(step_size=self.step_size * x.shape[-1] ** (-1 / 6))


# --- Hamiltonian Monte Carlo -------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Hamiltonian(Sampler):
    """Right: HMC with L leapfrogs.

    Args:
        step_size: ε.
        leapfrogs: L.
    """

    step_size: float = 0.8
    leapfrogs: int = 3

    def init(self, energy: EnergyFn, x: Tensor) -> Here:  # type: ignore[override]
        return Here(x, *value_and_gradient(energy, x))

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        momentum = self.momentum(state, rng)
        proposal, end = self.trajectory(energy, state, momentum)
        ratio = state.energy - proposal.energy + self.kinetic(momentum) - self.kinetic(end)
        accepted = rng.uniform(ratio).log() < ratio
        return Adjusted.choose(self, accepted, proposal, state), {}  # type: ignore[arg-type]

    def momentum(self, state: Here, rng: Rng) -> Tensor:
        return rng.normal(state.x)

    def kinetic(self, momentum: Tensor) -> Tensor:
        return as_rows(momentum).square().sum(1) / 2

    def trajectory(self, energy: EnergyFn, state: Here, momentum: Tensor) -> tuple[Here, Tensor]:
        momentum = momentum - self.step_size / 2 * state.gradient
        for leap in range(self.leapfrogs):
            x = state.x + self.step_size * momentum
            state = Here(x, *value_and_gradient(energy, x))
            momentum = momentum - self.kick(last=leap == self.leapfrogs - 1) * state.gradient
        return state, momentum

    def kick(self, *, last: bool) -> float:
        return self.step_size / 2 if last else self.step_size


HAMILTONIAN = SamplerClaims(
    settings={"step_size": 0.8, "leapfrogs": 3}, law=Exact(), steps=40, gradients=lambda each: each.leapfrogs
)


@_mutant(HAMILTONIAN, "law-funnel")
class LastKickIsWhole(Hamiltonian):
    """The last kick is not halved."""

    def kick(self, *, last: bool) -> float:
        return self.step_size


@_mutant(HAMILTONIAN, "law-funnel")
class KineticEnergyWithTheWrongSign(Hamiltonian):
    """E - K instead of E + K."""

    def kinetic(self, momentum: Tensor) -> Tensor:
        return -super().kinetic(momentum)


@_mutant(HAMILTONIAN, "law-funnel")
class KineticEnergyForgotten(Hamiltonian):
    """Energies alone decide."""

    def kinetic(self, momentum: Tensor) -> Tensor:
        return 0 * super().kinetic(momentum)


@_mutant(HAMILTONIAN, "law-funnel")
class KineticEnergyWithoutTheHalf(Hamiltonian):
    """|p|² instead of |p|²/2."""

    def kinetic(self, momentum: Tensor) -> Tensor:
        return 2 * super().kinetic(momentum)


@_mutant(HAMILTONIAN, "law-funnel")
class MomentumTenPercentTooLarge(Hamiltonian):
    """p ~ N(0, 1.21 I)."""

    def momentum(self, state: Here, rng: Rng) -> Tensor:
        return 1.1 * super().momentum(state, rng)


@_mutant(HAMILTONIAN, "other-seed")
class MomentumNotResampled(Hamiltonian):
    """The same momenta at every step."""

    def momentum(self, state: Here, rng: Rng) -> Tensor:
        return Rng(0, first_chain=rng.first_chain).normal(state.x)


@_mutant(HAMILTONIAN, "cost")
class OneLeapTooMany(Hamiltonian):
    """L + 1 leapfrogs: right, but dearer than claimed."""

    def trajectory(self, energy: EnergyFn, state: Here, momentum: Tensor) -> tuple[Here, Tensor]:
        return attrs.evolve(self, leapfrogs=self.leapfrogs + 1)._whole(energy, state, momentum)

    def _whole(self, energy: EnergyFn, state: Here, momentum: Tensor) -> tuple[Here, Tensor]:
        return super().trajectory(energy, state, momentum)


class Moving(NamedTuple):
    """Position, gradient, and a momentum that is never drawn again; NaN before the first step."""

    x: Tensor
    energy: Tensor
    gradient: Tensor
    momentum: Tensor


@_mutant(HAMILTONIAN, "law-gaussian")
class MomentumKept(Hamiltonian):
    """The momentum of the last trajectory starts the next: the total energy never changes."""

    def init(self, energy: EnergyFn, x: Tensor) -> Moving:  # type: ignore[override]
        return Moving(x, *value_and_gradient(energy, x), torch.full_like(x, math.nan))

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        momentum = torch.where(state.momentum.isnan(), rng.fold_in("first").normal(state.x), state.momentum)
        start = Here(*state[:3])
        proposal, end = self.trajectory(energy, start, momentum)
        ratio = start.energy - proposal.energy + self.kinetic(momentum) - self.kinetic(end)
        accepted = rng.uniform(ratio).log() < ratio
        rows = accepted.view(-1, *[1] * (state.x.ndim - 1))
        chosen = Adjusted.choose(self, accepted, proposal, start)  # type: ignore[arg-type]
        return Moving(*chosen, torch.where(rows, end, -momentum)), {}


# --- Underdamped Langevin dynamics -------------------------------------------------------------


class Inert(NamedTuple):
    """Position, velocity (NaN before the first step) and gradient."""

    x: Tensor
    velocity: Tensor
    gradient: Tensor


@attrs.frozen(kw_only=True)
class Inertial(Sampler):
    """Right: BAOAB.

    Args:
        step_size: h.
        friction: γ.
        temperature: T.
    """

    step_size: float = 0.8
    friction: float = 1.0
    temperature: float = 1.0

    def init(self, energy: EnergyFn, x: Tensor) -> Inert:  # type: ignore[override]
        return Inert(x, torch.full_like(x, math.nan), value_and_gradient(energy, x).gradient)

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        keep, half = math.exp(-self.friction * self.step_size), self.step_size / 2
        first = math.sqrt(self.temperature) * rng.fold_in("velocity").normal(state.x)
        velocity = self.remember(state.velocity, first) - self.kick() * state.gradient
        x = state.x + half * velocity
        velocity = keep * velocity + self.spread(keep) * math.sqrt(self.temperature) * rng.normal(x)
        x = x + half * velocity
        gradient = value_and_gradient(energy, x).gradient
        return Inert(x, velocity - self.kick() * gradient, gradient), {}

    def remember(self, velocity: Tensor, first: Tensor) -> Tensor:
        return torch.where(velocity.isnan(), first, velocity)

    def kick(self) -> float:
        return self.step_size / 2

    def spread(self, keep: float) -> float:
        return math.sqrt(1 - keep**2)


INERTIAL = Underdamped.conformance()


@_mutant(INERTIAL, "law-log-exponential")
class FrictionWithoutTheSquare(Inertial):
    """Noise of variance 1 - e^(-γh) instead of 1 - e^(-2γh)."""

    def spread(self, keep: float) -> float:
        return math.sqrt(1 - keep)


@_mutant(INERTIAL, "law-log-exponential")
class KicksAreWhole(Inertial):
    """Both kicks of a step with h instead of h/2."""

    def kick(self) -> float:
        return self.step_size


@_mutant(INERTIAL, "law-gaussian")
class VelocityDrawnAnew(Inertial):
    """Every step forgets the velocity: right in the end, wrong on the way."""

    def remember(self, velocity: Tensor, first: Tensor) -> Tensor:
        return first


# --- A chain inside a step ---------------------------------------------------------------------

_MOVES = 3


@attrs.frozen(kw_only=True)
class Strides(Euler):
    """Right: three moves a step, by a chain of its own.

    Args:
        step_size: δ.
        temperature: T.
    """

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        return Position(self.stride(energy, state.x, rng)), {}

    def stride(self, energy: EnergyFn, x: Tensor, rng: Rng) -> Tensor:
        move = Euler(step_size=self.step_size, temperature=self.temperature)
        return run_chain(move, energy, x, steps=_MOVES, rng=rng).x


def _stride_law(sampler: Euler, precision: Tensor) -> LinearLaw:
    transition, noise = _euler_law(sampler, precision)[:2]
    powers = [torch.linalg.matrix_power(transition, n) for n in range(_MOVES + 1)]
    return LinearLaw(powers[-1], sum((each @ noise @ each.T for each in powers[1:-1]), start=noise))


STRIDES = SamplerClaims(law=Linear(_stride_law), steps=20, gradients=lambda _: _MOVES)


@_mutant(STRIDES, "stops")
class SwallowsStops(Strides):
    """Takes a stop inside its own chain for the end of a step, and goes on from where it was."""

    def stride(self, energy: EnergyFn, x: Tensor, rng: Rng) -> Tensor:
        with suppress(Stopped):
            return super().stride(energy, x, rng)
        return x


@_mutant(STRIDES, "stops")
class PutsOffStops(Strides):
    """Makes its moves first, and passes the interrupt on afterwards."""

    def stride(self, energy: EnergyFn, x: Tensor, rng: Rng) -> Tensor:
        interrupt: BaseException | None = None
        move = Euler(step_size=self.step_size, temperature=self.temperature)
        for number in range(_MOVES):
            try:
                x = run_chain(move, energy, x, steps=1, rng=rng.fold_in(number)).x
            except BaseException as raised:  # noqa: BLE001 - that is what is wrong with it
                interrupt = raised
        if interrupt is not None:
            raise interrupt
        return x


# --- A step size that adapts --------------------------------------------------------------------

ADAPTING = SamplerClaims(
    settings={"step_size": 0.3}, law=Exact(), steps=60, warmup=40, adapted=("tuning",), gradients=lambda _: 1
)


@attrs.frozen(kw_only=True)
class Adapting(Sampler):
    """Right: MALA whose step size adapts for 40 steps.

    Args:
        step_size: δ of the first step.
    """

    step_size: float = 0.3

    def init(self, energy: EnergyFn, x: Tensor) -> Any:
        return self.inner().init(energy, x)

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Any, Mapping[str, Tensor]]:
        return self.inner().step(energy, state, rng)

    def inner(self) -> MALA:
        return MALA(step_size=self.step_size, adapt_steps=ADAPTING.warmup)


@_mutant(ADAPTING, "law-banana")
class AdaptsForever(Adapting):
    """The step size goes on adapting: right on average, and the law of no chain."""

    def inner(self) -> MALA:
        return MALA(step_size=self.step_size, adapt_steps=10**6)
