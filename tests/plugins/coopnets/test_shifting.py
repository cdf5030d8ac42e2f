from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.core import (
    ConditionalEnergy,
    CooperativeScheduler,
    LossAugmentation,
    Rng,
    augmented,
    contrastive_divergence,
    pairwise_contrast,
)
from ebmkit.run.build import build_experiment
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.shifting import DensityShift, Shift
from tests.models import LinearDescriptor, double
from tests.plugins.coopnets.linear import batch, one_iteration, parts, revision


class ClassDescriptor(ConditionalEnergy):
    """A quartic energy of each of two classes, with curvature in its weights."""

    classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(double(2, 4, seed=2))

    def conditional(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return (x * self.weight[condition]).sum(1).square().square()


def test_without_any_help_it_is_the_contrastive_loss_bit_for_bit() -> None:
    energy = LinearDescriptor(double(4), 0.5)
    x, revised = double(5, 4), double(3, 4, seed=1)
    for law in (None, LossAugmentation()):
        shift = DensityShift(augmentation=law)(energy, x, revised, rng=Rng(1))
        assert torch.equal(shift.loss, contrastive_divergence(energy(x), energy(revised)))
        assert shift.observed is not None
        assert torch.equal(shift.observed, energy(x))


def test_both_sides_are_augmented_each_by_its_own_numbers() -> None:
    seen: list[torch.Tensor] = []

    def energy(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return x.flatten(1).sum(1)

    x = double(4, 1, 6, 6).float()
    law = LossAugmentation(translation=2, brightness=0.1, cutout=0.3)
    shift = DensityShift(augmentation=law)(energy, x, x, rng=Rng(1), revised_rng=Rng(1, first_chain=4))
    assert (shift.observed, shift.synthesized) == (None, None)
    assert torch.equal(seen[0], augmented(x, law, rng=Rng(1).fold_in("augment observed")))
    assert torch.equal(seen[1], augmented(x, law, rng=Rng(1, first_chain=4).fold_in("augment revised")))
    assert not torch.equal(*seen)
    assert float(shift.loss) == pytest.approx(float(energy(seen[0]).mean() - energy(seen[1]).mean()))


def test_pairs_take_the_place_of_the_means_and_the_rest_stays() -> None:
    energy = LinearDescriptor(double(4), 0.5)
    x, revised = double(5, 4), double(3, 4, seed=1)
    plain, pairs = (
        DensityShift(energy_l2=0.1, gradient_penalty=0.2, pairwise=width)(energy, x, revised, rng=Rng(1))
        for width in (0.0, 0.8)
    )
    means = contrastive_divergence(energy(x), energy(revised))
    instead = pairwise_contrast(energy(x), energy(revised), width=0.8)
    assert torch.allclose(pairs.loss - plain.loss, instead - means)


@pytest.mark.parametrize("width", [0.0, 0.8])
def test_penalties_at_every_third_row_are_those_at_all_rows_on_average(width: float) -> None:
    """Over the three places where the count may begin: each row of nine is then penalised once."""
    energy = ClassDescriptor()
    x, revised = double(9, 4), double(6, 4, seed=1)
    of_data, of_samples = energy.given(torch.arange(9) % 2), energy.given(torch.arange(6) % 2)

    def gradient(first: int, **keys: Any) -> Shift:
        energy.weight.grad = None
        shift = DensityShift(gradient_penalty=0.2, revised_penalty=0.3, pairwise=width, **keys)(
            of_data, x, revised, rng=Rng(1, first_chain=first), revised_energy=of_samples
        )
        shift.loss.backward()
        return shift

    whole = gradient(0)
    of_all = grad_of(energy)
    parts = []
    for first in range(3):
        part = gradient(first, penalty_stride=3)
        for energies, expected in ((part.observed, whole.observed), (part.synthesized, whole.synthesized)):
            assert energies is not None
            assert expected is not None
            assert torch.allclose(energies, expected, rtol=1e-12)
        parts.append((part.loss.detach(), grad_of(energy)))
    losses, gradients = zip(*parts, strict=True)
    assert torch.allclose(sum(losses) / 3, whole.loss)
    assert torch.allclose(sum(gradients) / 3, of_all)
    assert not torch.allclose(gradients[0], of_all)


def grad_of(energy: ClassDescriptor) -> torch.Tensor:
    assert energy.weight.grad is not None
    return energy.weight.grad.clone()


def regularised(name: str, **keys: Any) -> CooperativeScheduler:
    energy, generator = parts()
    if name == "coopnets":
        return CoopNets(energy, generator, revision(noise=False), **keys)
    return DescriptorOnly(energy, revision(noise=False), (4,), chains=5, **keys).double()


@pytest.mark.parametrize("name", ["coopnets", "descriptor-only"])
def test_the_energy_sees_fresh_noise_on_the_data(name: str) -> None:
    schedule, data = regularised(name, data_noise=0.2), batch()
    assert isinstance(schedule.energy, LinearDescriptor)
    for key in (1, 2):
        schedule.energy.zero_grad()
        _, made = one_iteration(schedule, data, key=key)
        assert made.observed is data.x
        noise = 0.2 * Rng(key).fold_in("data noise").normal(data.x)
        assert made.revised is not None
        assert schedule.energy.weight.grad is not None
        expected = made.revised.mean(0) - (data.x + noise).mean(0)
        assert torch.allclose(schedule.energy.weight.grad, expected)


@pytest.mark.parametrize("name", ["coopnets", "descriptor-only"])
def test_the_penalty_on_energies_has_the_gradient_written_by_hand(name: str) -> None:
    """On E = |x|² / 2s² - w·x the gradient of the mean of E² is that of -2 E x."""
    schedule, data = regularised(name, energy_l2=0.3), batch()
    energy = schedule.energy
    assert isinstance(energy, LinearDescriptor)
    _, made = one_iteration(schedule, data)
    assert made.revised is not None
    with torch.no_grad():
        plain = made.revised.mean(0) - data.x.mean(0)
        squares = sum(-2 * (energy(x)[:, None] * x).mean(0) for x in (data.x, made.revised))
    assert energy.weight.grad is not None
    assert torch.allclose(energy.weight.grad, plain + 0.3 * squares)


@pytest.mark.parametrize("at_data", [0.0, 0.3])
@pytest.mark.parametrize("at_samples", [0.0, 0.7])
@pytest.mark.parametrize("name", ["coopnets", "descriptor-only"])
def test_the_penalties_on_slopes_have_the_gradient_written_by_hand(
    name: str, at_samples: float, at_data: float
) -> None:
    """On E = |x|² / 2s² - w·x half the mean of |x / s² - w|² has the gradient w minus the mean of x / s²."""
    schedule = regularised(name, gradient_penalty=at_data, revised_penalty=at_samples)
    data = batch()
    energy = schedule.energy
    assert isinstance(energy, LinearDescriptor)
    _, made = one_iteration(schedule, data)
    assert made.revised is not None
    assert not made.observed.requires_grad
    assert not made.revised.requires_grad
    with torch.no_grad():
        plain = made.revised.mean(0) - data.x.mean(0)
        of_data, of_samples = (
            energy.weight - x.mean(0) / energy.reference_std**2 for x in (data.x, made.revised)
        )
    assert energy.weight.grad is not None
    assert torch.allclose(energy.weight.grad, plain + at_data * of_data + at_samples * of_samples)


@pytest.mark.parametrize("name", ["coopnets", "descriptor-only", "dual", "multigrid", "replay"])
def test_every_schedule_with_an_energy_hands_its_keys_on(name: str, run_file: Callable[[str], Path]) -> None:
    keys = {"data_noise": 0.125, "energy_l2": 0.25, "gradient_penalty": 0.5, "revised_penalty": 0.75}
    keys |= {"pairwise": 1.5, "penalty_stride": 3}
    plan = ebmkit.load_plan(run_file(name), overrides={f"schedule.{key}": keys[key] for key in keys})
    shifting: Any = build_experiment(plan).schedule.shifting
    for each in shifting.values() if name == "multigrid" else [shifting]:
        assert each == DensityShift(**keys)
