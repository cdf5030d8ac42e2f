from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Annealing,
    Batch,
    Chain,
    CooperativeScheduler,
    Energy,
    LossAugmentation,
    Ramp,
    Rng,
)
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_coopnets.dual import Dual
from ebmkit_coopnets.generator_only import GeneratorOnly
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, double
from tests.plugins.coopnets.linear import STD, batch, one_iteration, parts, revision

SHAPE = (1, 8, 8)
EXAMPLES = 6


class Flat(Energy):
    """E(x) = 0 everywhere, with a weight that learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return 0 * self.weight * x.flatten(1).sum(1)


def inference() -> Chain:
    return Chain(Langevin(step_size=0.1), 3)


def generator(norm: str) -> ConvGenerator:
    torch.manual_seed(0)
    return ConvGenerator(SHAPE, latents=2, channels=(4,), norm=norm)  # type: ignore[arg-type]


def descend(
    schedule: CooperativeScheduler, iterations: int = 4, rates: Mapping[str, float] | None = None
) -> None:
    """Plain gradient steps on four of six images per iteration."""
    data = double(EXAMPLES, *SHAPE).float()
    for iteration in range(iterations):
        positions = Rng(3).fold_in(iteration).permutation(EXAMPLES)[:4]
        for update in schedule.updates(Batch(data[positions], positions), rng=Rng(1).fold_in(iteration)):
            weights = list(schedule.get_submodule(update.part).parameters())
            assert update.loss is not None
            gradients = torch.autograd.grad(update.loss, weights)
            with torch.no_grad():
                for weight, gradient in zip(weights, gradients, strict=True):
                    weight.sub_((rates or {}).get(update.part, 1e-3) * gradient)


def same_generators(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_without_weight_on_revised_samples_it_is_generator_only_bit_for_bit(norm: str) -> None:
    alone = GeneratorOnly(generator(norm), inference(), EXAMPLES)
    dual = Dual(Flat(), generator(norm), revision(), inference(), EXAMPLES, revised_weight=0.0)
    descend(alone)
    descend(dual)
    assert same_generators(alone.generator, dual.generator)
    assert torch.equal(alone.latents, dual.latents.values)
    taught = Dual(Flat(), generator(norm), revision(), inference(), EXAMPLES, revised_weight=1e-3)
    descend(taught)
    assert not same_generators(alone.generator, taught.generator)


def test_an_energy_that_is_flat_teaches_the_generator_nothing() -> None:
    """Its chains without noise stand still: the revised samples are what g makes already."""
    alone = GeneratorOnly(generator("none"), inference(), EXAMPLES)
    dual = Dual(Flat(), generator("none"), revision(noise=False), inference(), EXAMPLES, revised_weight=50.0)
    descend(alone)
    descend(dual)
    assert same_generators(alone.generator, dual.generator)
    assert torch.equal(alone.latents, dual.latents.values)


def gradient(schedule: CooperativeScheduler) -> Tensor:
    """Of the linear generator after one iteration, as one vector."""
    one_iteration(schedule.double(), batch())
    made = schedule.generator
    assert made is not None
    return torch.cat([each.grad.flatten() for each in made.parameters()])  # type: ignore[union-attr]


def dual(weight: float) -> Dual:
    return Dual(*parts(), revision(), inference(), 5, chains=3, revised_weight=weight)


def test_the_generator_has_two_teachers_one_with_the_weight() -> None:
    _, alone = parts()
    of_data = gradient(GeneratorOnly(alone, inference(), 5))
    of_revised = gradient(CoopNets(*parts(), revision(), chains=3))
    assert 0.1 < of_data.norm() / of_revised.norm() < 10
    for weight in (0.0, 0.5, 7.0):
        expected = weight * of_revised + of_data
        assert torch.allclose(gradient(dual(weight)), expected, rtol=1e-12, atol=1e-10), weight
    many = gradient(dual(1e9))
    assert torch.nn.functional.cosine_similarity(many, of_revised, dim=0) > 1 - 1e-12
    assert torch.nn.functional.cosine_similarity(of_data, of_revised, dim=0) < 0.99


def convnets() -> tuple[ConvDescriptor, ConvGenerator]:
    torch.manual_seed(0)
    descriptor = ConvDescriptor(SHAPE, channels=(4,), kernels=(3,), strides=(1,), reference_std=0.3)
    return descriptor, generator("none")


@pytest.mark.parametrize(
    "helps",
    [
        {},
        {"annealing": Annealing(steps=Ramp(end=2.0, over=2)), "data_noise": 0.1, "energy_l2": 0.01},
        {"noise_until": 1, "augmentation": LossAugmentation(translation=2, brightness=0.1, cutout=0.3)},
    ],
)
def test_the_energy_learns_as_in_coopnets_to_the_bit(helps: dict[str, Any]) -> None:
    """For several iterations: the generator's rate is 0, so that both make the same proposals."""
    energies = []
    for kind, extra in ((CoopNets, ()), (Dual, (inference(), EXAMPLES))):
        schedule = kind(*convnets(), revision(), *extra, chains=3, **helps)  # type: ignore[arg-type]
        descend(schedule, rates={"energy": 1e-3, "generator": 0.0})
        energies.append(schedule.energy)
    assert same_generators(*energies)
    assert not same_generators(energies[0], convnets()[0])


def test_the_latents_of_the_images_never_see_a_revised_sample() -> None:
    latents, revised, gradients = [], [], []
    for seed in (0, 5):
        _, made = parts()
        energy = LinearDescriptor(double(4, seed=seed), STD)
        schedule = Dual(energy, made, revision(), inference(), 5, chains=3).double()
        for key in (1, 2):
            _, examples = one_iteration(schedule, batch(), key)
        latents.append(schedule.latents.values)
        revised.append(examples.revised)
        gradients.append(made.matrix.grad)
    assert not torch.equal(*revised)  # type: ignore[arg-type]
    assert not torch.equal(*gradients)  # type: ignore[arg-type]
    assert torch.equal(*latents)


def test_only_the_latents_of_the_batch_move_and_the_data_move_them() -> None:
    schedule = Dual(*parts(), revision(), inference(), 10, chains=3).double()
    one_iteration(schedule, Batch(double(10, 4), torch.arange(10)), key=1)
    before = schedule.latents.values.clone()
    chosen = torch.tensor([7, 2])
    one_iteration(schedule, Batch(double(2, 4, seed=3), chosen), key=2)
    moved = (schedule.latents.values != before).any(1)
    assert moved.nonzero().flatten().tolist() == [2, 7]


def test_what_is_saved_and_what_is_told() -> None:
    schedule = dual(1.0).double()
    updates, made = one_iteration(schedule, batch())
    buffers = {name for name, _ in schedule.named_buffers()}
    assert buffers == {"latents.values", "latents.started", "annealing.done"}
    assert made.latents is not None
    assert len(made.latents) == 3
    assert {"latent_std", "observed_error", "inference_drift"} <= updates[1].stats.keys()
    restored = schedule.generator(schedule.latents.values)
    error = (batch().x - restored).square().mean().sqrt()
    assert torch.allclose(updates[1].stats["observed_error"], error)
