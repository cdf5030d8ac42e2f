from __future__ import annotations

import math
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from ebmkit.core import (
    Annealing,
    Batch,
    Chain,
    CooperativeScheduler,
    Energy,
    EnergyFn,
    Info,
    Ramp,
    Rng,
    Sampler,
    State,
    reconstruction_loss,
    run_chain,
)
from ebmkit_algebra.sampling import Sampling
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.dual import Dual
from ebmkit_coopnets.generator_only import GeneratorOnly
from ebmkit_coopnets.multigrid import MultiGrid
from ebmkit_coopnets.replay import Replay
from ebmkit_langevin.langevin import Langevin
from tests.models import double
from tests.plugins.coopnets.linear import SIGMA, STD, batch, one_iteration, parts, revision


def test_a_linear_iteration_has_its_closed_form() -> None:
    energy, generator = parts()
    schedule = CoopNets(energy, generator, revision(6, noise=False), chains=3)
    data = batch()
    updates, made = one_iteration(schedule, data)
    assert [update.part for update in updates] == ["energy", "generator"]
    assert made.proposal is not None
    assert made.revised is not None
    assert made.latents is not None
    assert torch.allclose(made.proposal, generator(made.latents))
    keep = (1 - 0.3**2 / (2 * STD**2)) ** 6
    assert torch.allclose(made.revised, keep * made.proposal + (1 - keep) * STD**2 * energy.weight)
    assert energy.weight.grad is not None
    assert torch.allclose(energy.weight.grad, made.revised.mean(0) - data.x.mean(0))
    assert generator.matrix.grad is not None
    residual = made.revised - made.proposal
    assert torch.allclose(generator.matrix.grad, -(residual.T @ made.latents) / (3 * SIGMA**2))


def test_with_noise_the_revised_mean_is_the_closed_form_within_five_standard_errors() -> None:
    energy, generator = parts()
    chains, steps = 20_000, 6
    _, made = one_iteration(CoopNets(energy, generator, revision(steps), chains=chains), batch())
    assert made.proposal is not None
    assert made.revised is not None
    a = 0.3**2 / (2 * STD**2)
    expected = (1 - a) ** steps * made.proposal.mean(0) + (1 - (1 - a) ** steps) * STD**2 * energy.weight
    variance = 0.3**2 * (1 - (1 - a) ** (2 * steps)) / (1 - (1 - a) ** 2)
    assert torch.all((made.revised.mean(0) - expected).abs() < 5 * math.sqrt(variance / chains))


def test_rigorous_inference_of_no_step_is_the_simple_version_bit_for_bit() -> None:
    gradients = []
    for inference in (None, Chain(Langevin(step_size=0.1), 0)):
        energy, generator = parts()
        _, made = one_iteration(CoopNets(energy, generator, revision(), inference), batch())
        gradients.append((energy.weight.grad, generator.matrix.grad, generator.bias.grad, *made[:4]))
    for simple, rigorous in zip(*gradients, strict=True):
        assert simple is not None
        assert torch.equal(simple, rigorous)


def test_rigorous_inference_moves_towards_the_posterior_of_the_revised_samples() -> None:
    energy, generator = parts()
    inference = Chain(Langevin(step_size=0.15, noise=False), 200)
    _, made = one_iteration(CoopNets(energy, generator, revision(), inference), batch())
    assert made.revised is not None
    assert made.latents is not None
    assert torch.allclose(made.latents, generator.posterior_law(made.revised)[0], atol=1e-6)
    residual = made.revised - generator(made.latents)
    assert generator.matrix.grad is not None
    assert torch.allclose(generator.matrix.grad, -(residual.T @ made.latents) / (5 * SIGMA**2))


def test_rigorous_inference_starts_from_the_known_latents() -> None:
    energy, generator = parts()
    inference = Chain(Langevin(step_size=0.1, noise=False), 1)
    _, simple = one_iteration(CoopNets(energy, generator, revision()), batch())
    _, made = one_iteration(CoopNets(energy, generator, revision(), inference), batch())
    assert simple.latents is not None
    assert made.revised is not None
    assert made.latents is not None
    residual = made.revised - generator(simple.latents)
    gradient = simple.latents - residual @ generator.matrix / SIGMA**2
    assert torch.allclose(made.latents, simple.latents - 0.1**2 / 2 * gradient)


def test_inference_of_one_image_does_not_feel_the_others() -> None:
    _, generator = parts()
    chain = Chain(Langevin(step_size=0.1), 5)
    x, z = double(4, 4), double(4, 2, seed=3)
    other = x.clone()
    other[2] += 5
    a = chain(generator.posterior(x), z, rng=Rng(0)).x
    b = chain(generator.posterior(other), z, rng=Rng(0)).x
    assert torch.equal(a[[0, 1, 3]], b[[0, 1, 3]])
    assert not torch.equal(a[2], b[2])


def test_keeping_the_graph_of_generation_gives_the_gradient_of_a_new_pass() -> None:
    energy, generator = parts()
    _, made = one_iteration(CoopNets(energy, generator, revision()), batch())
    kept = generator.matrix.grad
    generator.zero_grad()
    assert made.latents is not None
    assert made.revised is not None
    loss = reconstruction_loss(made.revised, generator(made.latents), noise_std=SIGMA)
    loss.backward()  # type: ignore[no-untyped-call]
    assert kept is not None
    assert generator.matrix.grad is not None
    assert torch.equal(kept, generator.matrix.grad)


@pytest.mark.parametrize("chains", [1, 3, 12])
def test_chains_are_independent_of_the_batch(chains: int) -> None:
    energy, generator = parts()
    _, made = one_iteration(CoopNets(energy, generator, revision(), chains=chains), batch(5))
    assert made.revised is not None
    assert made.observed is not None
    assert len(made.revised) == chains
    assert len(made.observed) == 5


def test_each_generator_update_sees_the_generator_the_last_one_left() -> None:
    energy, generator = parts()
    schedule = CoopNets(energy, generator, revision(), generator_updates=3)
    optimizer = torch.optim.SGD(generator.parameters(), 1e-3)
    losses = []
    for update in schedule.updates(batch(), rng=Rng(0)):
        if update.part == "generator":
            optimizer.zero_grad()
            update.loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(update.loss.item())
    assert len(losses) == 3
    assert losses[0] > losses[1] > losses[2]


def test_the_observed_data_never_reach_the_generator() -> None:
    gradients = []
    for seed in (7, 8):
        energy, generator = parts()
        one_iteration(CoopNets(energy, generator, revision()), batch(seed=seed))
        gradients.append((energy.weight.grad, generator.matrix.grad))
    assert not torch.equal(gradients[0][0], gradients[1][0])  # type: ignore[arg-type]
    assert torch.equal(gradients[0][1], gradients[1][1])  # type: ignore[arg-type]


def test_proposal_noise_has_the_generators_sigma() -> None:
    energy, generator = parts()
    schedule = CoopNets(energy, generator, revision(0), chains=5000, proposal_noise=True)
    _, made = one_iteration(schedule, batch())
    assert made.proposal is not None
    assert made.latents is not None
    noise = made.proposal - generator(made.latents).detach()
    assert abs(noise.std() / SIGMA - 1) < 5 / math.sqrt(2 * noise.numel())


@pytest.mark.parametrize("name", ["coopnets", "descriptor-only"])
def test_the_noise_ends_after_its_iterations_and_the_count_is_saved(name: str) -> None:
    energy, generator = parts()
    schedule: CooperativeScheduler
    if name == "coopnets":
        schedule = CoopNets(energy, generator, revision(1), noise_until=2)
    else:
        schedule = DescriptorOnly(energy, revision(1), (4,), chains=5, noise_until=2).double()
    noisy = ["revision_noise" in one_iteration(schedule, batch())[0][0].stats for _ in range(3)]
    assert noisy == [True, True, False]
    assert int(schedule.state_dict()["annealing.done"]) == 3


class Squared(Energy):
    """E(x) = |x|^2 / 2 of images."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().flatten(1).sum(1) / 2


def test_no_name_of_the_checkpoint_format_is_private() -> None:
    energy, generator = parts()
    schedules = (
        CoopNets(energy, generator, revision(), revision()),
        DescriptorOnly(energy, revision(), (4,)),
        GeneratorOnly(generator, revision(), 3, (1, 8, 8), hidden="square", hidden_size=4),
        Sampling(energy, revision(), (1, 8, 8), hidden="square", hidden_size=4),
    )
    for schedule in schedules:
        names = [word for key in schedule.state_dict() for word in key.split(".")]
        assert names
        assert not [name for name in names if name.startswith("_")]


@pytest.mark.parametrize("hidden", ["none", "square"])
def test_states_of_former_names_go_on_to_the_same_bits(hidden: Literal["none", "square"]) -> None:
    """As 0.1.0 wrote them: the buffers of the chains were the schedule's own, with one flag for all."""
    energy = Squared()
    data = Batch(double(3, 1, 8, 8).float(), torch.arange(3))

    def schedules() -> tuple[CooperativeScheduler, ...]:
        sampling = Sampling(energy, revision(2), (1, 8, 8), chains=5, hidden=hidden, hidden_size=4)
        return sampling, DescriptorOnly(energy, revision(2), (1, 8, 8), chains=5, noise_until=1)

    for now, fresh in zip(schedules(), schedules(), strict=True):
        list(now.updates(data, rng=Rng(1)))
        state = now.state_dict()
        former = {
            key.replace("replay.", "").replace("annealing", "_annealing"): value
            for key, value in state.items()
        }
        former["started"] = torch.tensor(True)
        assert former.keys() != state.keys()
        fresh.load_state_dict(former)
        for schedule in (now, fresh):
            list(schedule.updates(data, rng=Rng(2)))
        assert fresh.state_dict().keys() == state.keys()
        assert all(torch.equal(value, now.state_dict()[key]) for key, value in fresh.state_dict().items())


def test_ending_the_noise_of_a_sampler_without_any_is_refused() -> None:
    class Still(Sampler):
        def step(self, energy: EnergyFn, state: State, rng: Rng) -> tuple[State, Info]:
            return state, {}

    with pytest.raises(ValueError, match="Still has no parameter noise"):
        CoopNets(*parts(), Chain(Still(), 1), noise_until=5)


@pytest.mark.parametrize("name", ["coopnets", "descriptor-only", "replay"])
def test_a_schedule_runs_its_chain_as_the_iteration_has_it(name: str) -> None:
    energy, generator = parts()
    annealing = Annealing(temperature=Ramp(start=4.0, end=1.0, after=1))
    schedule: CooperativeScheduler = CoopNets(energy, generator, revision(1), annealing=annealing)
    if name == "descriptor-only":
        schedule = DescriptorOnly(energy, revision(1), (4,), chains=5, annealing=annealing).double()
    if name == "replay":
        schedule = Replay(energy, revision(1), (4,), slots=9, chains=5, annealing=annealing).double()
    noises = [float(one_iteration(schedule, batch())[0][0].stats["revision_noise"]) for _ in range(2)]
    assert noises == pytest.approx([0.6, 0.3])


@pytest.mark.parametrize("name", ["coopnets", "descriptor-only", "replay", "dual", "multigrid"])
def test_samples_are_revised_by_the_chain_that_training_ended_with(name: str) -> None:
    """Half the step, twice the steps and no noise from the second iteration on."""
    keys: dict[str, Any] = {
        "chains": 5,
        "noise_until": 1,
        "annealing": Annealing(step_size=Ramp(end=0.5, after=1), steps=Ramp(end=2.0, after=1)),
    }
    schedule = annealed(name, keys)
    images = Batch(double(6, 1, 8, 8).float(), torch.arange(6))
    for key in (1, 2):
        one_iteration(schedule, images, key=key)
    chain = schedule.sampling_chain()
    assert chain == Chain(Langevin(step_size=0.15, noise=False), 8)
    made = schedule.eval().sample(3, rng=Rng(3))
    assert schedule.energy is not None
    rng = Rng(3).fold_in("revision")
    expected = run_chain(chain.sampler, schedule.energy, made.proposal, steps=8, rng=rng).x
    assert made.revised is not None
    assert torch.equal(made.revised, expected)


def annealed(name: str, keys: dict[str, Any]) -> CooperativeScheduler:
    torch.manual_seed(0)
    shape = (1, 8, 8)
    energy = ConvDescriptor(shape, channels=(3,), kernels=(3,), strides=(2,), reference_std=0.5)
    generator, chain = ConvGenerator(shape, latents=2, channels=(4,)), revision(4)
    if name == "coopnets":
        return CoopNets(energy, generator, chain, **keys)
    if name == "dual":
        return Dual(energy, generator, chain, chain, 6, **keys)
    if name == "multigrid":
        return MultiGrid({"8": energy}, chain, shape, generator, **keys)
    if name == "replay":
        return Replay(energy, chain, shape, slots=9, **keys)
    return DescriptorOnly(energy, chain, shape, **keys)
