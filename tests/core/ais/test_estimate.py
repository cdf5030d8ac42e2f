"""Annealing against constants that are known: in closed form, by a grid, by enumeration.

Up and down, the mean weight is exact for whatever ladder, however badly the chains mix: so it is compared
with the truth by its own standard error, to 5 of them, a false alarm of 6e-7 each (weights have finite
variance here, and many enough are drawn for the normal law of their mean).
"""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Info, Rng, Sampler, State
from ebmkit.core.ais import Annealed, Estimate, Ladder, Reference, anneal_down, anneal_up, resampled
from ebmkit.errors import DivergedError
from ebmkit.testing.targets import Banana, Mixture
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from tests.models import double


@attrs.frozen(eq=False)
class Known:
    """An energy with its exact log Z and exact draws."""

    energy: Callable[[Tensor], Tensor]
    draw: Callable[[int, Rng], Tensor]
    log_z: float
    size: int


def gaussian() -> Known:
    """N((.5, -.4, .2), diag(.5, .8, .7)²), with a constant of 3 added to its energy."""
    mean, std = (torch.tensor(each, dtype=torch.float64) for each in ((0.5, -0.4, 0.2), (0.5, 0.8, 0.7)))
    law = Reference(mean, std)
    return Known(
        lambda x: law.energy(x) + 3,
        lambda count, rng: law.draw(count, rng=rng, dtype=torch.float64),
        law.log_z - 3,
        3,
    )


def on_a_grid(target: Banana | Mixture) -> Known:
    """By the midpoint rule: its error is far below 1e-9 for analytic densities that vanish at the border."""
    axis = torch.arange(-11, 11, 0.02, dtype=torch.float64)
    values = -target.energy(torch.cartesian_prod(axis, axis))
    return Known(target.energy, target.draw, float(values.logsumexp(0)) + 2 * math.log(0.02), 2)


def machine() -> Known:
    """A Gaussian-binary machine of 10 hidden units over 4 visible ones, its hidden states enumerated.

    E(x) = ||x||² / 2 - Σ_j log(1 + exp(w_j · x + b_j)); given h, x is N(W h, I).
    """
    weights, biases = 0.6 * double(4, 10), double(10, seed=1) - 1
    hidden = torch.tensor(list(itertools.product((0.0, 1.0), repeat=10)), dtype=torch.float64)
    means = hidden @ weights.T
    logs = hidden @ biases + means.square().sum(1) / 2
    shares = logs.softmax(0).cumsum(0)

    def draw(count: int, rng: Rng) -> Tensor:
        luck = rng.uniform(torch.empty(count, dtype=torch.float64))
        return means[torch.searchsorted(shares, luck).clamp(max=1023)] + rng.normal(double(count, 4))

    def energy(x: Tensor) -> Tensor:
        return x.square().sum(1) / 2 - torch.nn.functional.softplus(x @ weights + biases).sum(1)

    return Known(energy, draw, float(logs.logsumexp(0)) + 2 * math.log(2 * math.pi), 4)


KNOWN = {
    "gaussian": gaussian(),
    "banana": on_a_grid(Banana()),
    "mixture": on_a_grid(Mixture()),
    "machine": machine(),
}
KERNELS = {
    "one step, badly mixed": Ladder((0.0, 1.0), (MALA(step_size=0.5),)),
    "uneven": Ladder((0.0, 0.1, 0.5, 1.0), (MALA(step_size=1.5), MALA(step_size=0.8), HMC(step_size=0.3)), 2),
    "many": Ladder.even(HMC(step_size=0.5, leapfrogs=2), 12),
}
CHAINS = 10_000


def pairs(*ladders: str) -> list[Any]:
    """Every energy on each of these ladders; on long ones all but the machine only with the slow tests."""
    return [
        pytest.param(name, ladder, marks=pytest.mark.slow if ladder == "many" and name != "machine" else ())
        for name in KNOWN
        for ladder in ladders
    ]


def reference_for(known: Known) -> Reference:
    """Wide enough for finite variances on the way up, not too wide for those on the way down."""
    return Reference.isotropic(1.6, torch.zeros(known.size))


@pytest.mark.parametrize(("name", "ladder"), pairs(*KERNELS))
def test_the_mean_weight_on_the_way_up_is_exact(name: str, ladder: str) -> None:
    known = KNOWN[name]
    reference = reference_for(known)
    weights = anneal_up(
        known.energy, reference, KERNELS[ladder], CHAINS, rng=Rng(1), dtype=torch.float64
    ).log_weights.exp()
    error = weights.std() / math.sqrt(CHAINS)
    assert abs(weights.mean() - math.exp(known.log_z - reference.log_z)) < 5 * error


@pytest.mark.parametrize(("name", "ladder"), pairs("uneven", "many"))
def test_from_exact_draws_the_mean_weight_on_the_way_down_is_exact(name: str, ladder: str) -> None:
    known = KNOWN[name]
    reference = Reference.isotropic(0.6, torch.zeros(known.size))  # lighter tails than the energy's
    start = known.draw(CHAINS, Rng(2))
    weights = anneal_down(known.energy, reference, KERNELS[ladder], start, rng=Rng(3)).log_weights.exp()
    error = weights.std() / math.sqrt(CHAINS)
    assert abs(weights.mean() - math.exp(reference.log_z - known.log_z)) < 5 * error


@pytest.mark.parametrize(
    "name",
    ["machine", *(pytest.param(each, marks=pytest.mark.slow) for each in ("gaussian", "banana", "mixture"))],
)
def test_a_long_ladder_finds_the_constant_from_both_sides(name: str) -> None:
    """256 chains: each estimate is within 5 of its own standard errors, and these are below 0.1 nats."""
    known = KNOWN[name]
    reference, ladder = reference_for(known), Ladder.even(HMC(step_size=0.4, leapfrogs=4), 40)
    up = anneal_up(known.energy, reference, ladder, 256, rng=Rng(4), dtype=torch.float64)
    down = anneal_down(known.energy, reference, ladder, known.draw(256, Rng(5)), rng=Rng(6))
    for found in (
        Estimate.of_up(reference, [up.log_weights]),
        Estimate.of_down(reference, [down.log_weights]),
    ):
        assert abs(found.log_z - known.log_z) < 5 * found.error
        assert found.error < 0.1
        assert 100 < found.ess <= 256


def test_ends_with_their_weights_are_draws_of_the_energy_s_law() -> None:
    """Of a ladder too short to arrive. 5 standard errors of the weighted mean."""
    known = KNOWN["gaussian"]
    up = anneal_up(
        known.energy, reference_for(known), KERNELS["many"], CHAINS, rng=Rng(7), dtype=torch.float64
    )
    shares = up.log_weights.softmax(0)
    mean = shares @ up.x
    error = (shares.square() @ (up.x - mean).square()).sqrt()
    assert torch.all((mean - torch.tensor([0.5, -0.4, 0.2])).abs() < 5 * error)


def test_chains_do_not_know_in_which_batch_they_run() -> None:
    known = KNOWN["machine"]
    reference, ladder = reference_for(known), Ladder.even(MALA(step_size=0.5), 5)
    start = known.draw(6, Rng(2))
    whole = anneal_up(known.energy, reference, ladder, 6, rng=Rng(1), dtype=torch.float64)
    part = anneal_up(known.energy, reference, ladder, 2, rng=Rng(1, first_chain=4), dtype=torch.float64)
    assert torch.allclose(whole.log_weights[4:], part.log_weights, atol=1e-10)
    whole = anneal_down(known.energy, reference, ladder, start, rng=Rng(1))
    part = anneal_down(known.energy, reference, ladder, start[4:], rng=Rng(1, first_chain=4))
    assert torch.allclose(whole.log_weights[4:], part.log_weights, atol=1e-10)
    assert torch.equal(
        whole.log_weights, anneal_down(known.energy, reference, ladder, start, rng=Rng(1)).log_weights
    )


@attrs.frozen
class Counting(Sampler):
    """Stays where it is, and notes how many tensors of the shape of the chains are alive."""

    counts: list[int]

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        gc.collect()
        like = state.x.shape
        self.counts.append(sum(type(each) is Tensor and each.shape == like for each in gc.get_objects()))
        return state, {}


def test_memory_does_not_grow_with_the_ladder() -> None:
    """The states that are alive at the last temperature, of 5 and of 60."""
    counting = Counting([])
    reference = Reference.isotropic(1.0, torch.zeros(977))
    for temperatures in (5, 60):
        even = Ladder.even(MALA(step_size=0.1), temperatures)
        ladder = attrs.evolve(even, kernels=(*even.kernels[:-1], counting))
        anneal_up(lambda x: x.square().sum(1), reference, ladder, 3, rng=Rng(0))
    assert counting.counts[0] == counting.counts[1] > 0


def test_an_estimate_is_what_the_weights_say() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0, 4.0], dtype=torch.float64)
    reference = Reference.isotropic(1.0, torch.zeros(2))
    up = Estimate.of_up(reference, [weights[:3].log(), weights[3:].log()])
    down = Estimate.of_down(reference, [weights.log()])
    assert up.log_z == pytest.approx(reference.log_z + math.log(3))
    assert down.log_z == pytest.approx(reference.log_z - math.log(3))
    assert up.error == pytest.approx(float(weights.std()) / 2 / 3)
    assert up.ess == pytest.approx(144 / 46)
    assert (up.error, up.ess, up.chains) == (down.error, down.ess, 4)


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_an_energy_that_is_no_number_is_told(bad: float) -> None:
    reference, start = Reference.isotropic(1.0, torch.zeros(2)), torch.zeros(3, 2)
    start[1] = 5.0

    def energy(x: Tensor) -> Tensor:
        return torch.where(x[:, 0] > 2.5, bad, x.square().sum(1) / 2)

    with pytest.raises(DivergedError, match="not a number where 1 of 3 chains came by"):
        anneal_down(energy, reference, Ladder.even(MALA(step_size=0.01), 1), start, rng=Rng(0))


def test_where_no_chain_has_a_weight_there_is_no_estimate() -> None:
    with pytest.raises(DivergedError, match="of 2 annealed chains none has a weight"):
        Estimate.of_up(Reference.isotropic(1.0, torch.zeros(1)), [torch.full((2,), -math.inf)])


def test_chains_that_weigh_nothing_lower_the_mean_and_do_no_more() -> None:
    reference = Reference.isotropic(1.0, torch.zeros(1))
    found = Estimate.of_up(reference, [torch.tensor([0.0, -math.inf], dtype=torch.float64)])
    assert found.log_z == pytest.approx(reference.log_z - math.log(2))


def test_chains_are_taken_again_as_often_as_they_weigh() -> None:
    """Systematic: never a whole copy more or less than its share."""
    shares = torch.tensor([0.05, 0.5, 0.2, 0.25], dtype=torch.float64)
    annealed = Annealed(torch.arange(4.0)[:, None], shares.log() + 700, math.nan)
    for seed in range(20):
        counts = torch.bincount(resampled(annealed, 10, rng=Rng(seed)).flatten().long(), minlength=4)
        assert counts.sum() == 10
        assert torch.all((counts - 10 * shares).abs() < 1)


def test_modes_and_gradients_of_a_module_are_given_back() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop, self.line = torch.nn.Dropout(0.5), torch.nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            assert not self.drop.training
            return x.square().sum(1) / 2 + self.drop(self.line(x).sin()).squeeze(1)

    net = Net()
    anneal_up(net, Reference.isotropic(1.0, torch.zeros(2)), Ladder.even(HMC(), 3), 4, rng=Rng(0))
    assert net.training
    assert net.drop.training
    assert net.line.weight.grad is None
