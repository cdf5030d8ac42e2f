from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.core import Batch, CooperativeScheduler, LossAugmentation, Rng
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.replay import Replay
from tests.models import LinearDescriptor, double
from tests.plugins.coopnets.linear import STD, batch, one_iteration, parts, revision


def replay(**options: Any) -> Replay:
    return Replay(parts()[0], revision(), (4,), **{"slots": 12, "chains": 3} | options).double()


def states(schedule: CooperativeScheduler) -> list[dict[str, Tensor]]:
    """After each of four iterations that take plain gradient steps."""
    seen = []
    for key in range(4):
        for update in schedule.updates(batch(seed=key), rng=Rng(key)):
            assert update.loss is not None
            (gradient,) = torch.autograd.grad(update.loss, schedule.energy.weight)  # type: ignore[union-attr]
            with torch.no_grad():
                schedule.energy.weight.sub_(0.1 * gradient)  # type: ignore[union-attr]
        seen.append({name: value.clone() for name, value in schedule.state_dict().items()})
    return seen


def test_a_buffer_of_the_chains_alone_is_the_persistent_descriptor_bit_for_bit() -> None:
    chains: dict[str, Any] = {"chains": 5, "noise_until": 2}
    persistent = DescriptorOnly(parts()[0], revision(), (4,), noise_std=0.7, **chains).double()
    same = replay(slots=5, restart=0.0, noise="normal", noise_scale=0.7, **chains)
    for one, other in zip(states(persistent), states(same), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_sees_augmented_images_as_that_of_the_persistent_descriptor_does() -> None:
    def gradient(kind: Any, **options: Any) -> Tensor:
        torch.manual_seed(0)
        energy = ConvDescriptor((1, 4, 4), channels=(2,), kernels=(3,), strides=(1,), reference_std=0.3)
        schedule = kind(energy, revision(), (1, 4, 4), chains=5, **options).double()
        one_iteration(schedule, Batch(double(6, 1, 4, 4), torch.arange(6)))
        weight = next(energy.parameters()).grad
        assert weight is not None
        return weight

    law = LossAugmentation(translation=1, brightness=0.1)
    buffer: dict[str, Any] = {"slots": 5, "restart": 0.0, "noise": "normal", "noise_scale": 0.7}
    augmented = gradient(Replay, **buffer, augmentation=law)
    assert torch.equal(augmented, gradient(DescriptorOnly, noise_std=0.7, augmentation=law))
    assert not torch.equal(augmented, gradient(Replay, **buffer))


def test_chains_go_back_to_the_slots_that_they_came_from() -> None:
    schedule = replay(restart=0.0)
    for key in range(30):
        before = schedule.replay.samples.clone()
        kept = schedule.replay.started.clone()
        _, made = one_iteration(schedule, batch(), key)
        slots = Rng(key).fold_in("slots").permutation(12)[:3].sort().values
        assert torch.equal(schedule.replay.samples[slots], made.revised)  # type: ignore[arg-type]
        old = kept[slots]
        assert torch.equal(made.proposal[old], before[slots][old])  # type: ignore[index]
        others = [slot for slot in range(12) if slot not in slots]
        assert torch.equal(schedule.replay.samples[others], before[others])
    assert bool(schedule.replay.started.all())


def test_what_is_kept_starts_anew_as_often_as_asked_and_from_data_where_asked() -> None:
    schedule = replay(slots=2000, chains=1000, restart=0.2, start="data")
    schedule.replay.keep(torch.arange(2000), torch.full((2000, 4), 100.0).double())
    _, made = one_iteration(schedule, batch(5))
    assert made.proposal is not None
    anew = made.proposal[:, 0] < 50
    assert abs(anew.double().mean() - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 1000)
    rows = torch.arange(1000)[anew]
    assert torch.equal(made.proposal[anew], batch(5).x[rows % 5])


def test_a_buffer_of_the_chains_own_law_keeps_it() -> None:
    """Langevin with step δ on N(0, s²) has the variance s² / (1 - δ² / 4 s²), whatever slots are drawn."""
    energy = LinearDescriptor(torch.zeros(4).double(), STD)
    schedule = Replay(energy, revision(3), (4,), slots=3000, chains=1500, restart=0.0).double()
    law = STD**2 / (1 - 0.3**2 / (4 * STD**2))
    schedule.replay.keep(torch.arange(3000), math.sqrt(law) * double(3000, 4))
    for key in range(20):
        one_iteration(schedule, batch(), key)
    numbers = schedule.replay.samples.flatten()
    assert abs(numbers.mean()) < 5 * math.sqrt(law / len(numbers))
    assert abs(numbers.var() / law - 1) < 5 * math.sqrt(2 / len(numbers))


def test_noise_on_the_data_and_squared_energies_are_in_the_loss() -> None:
    energy = parts()[0]
    updates, made = one_iteration(replay(data_noise=0.3, energy_l2=0.25), batch())
    assert made.revised is not None
    noisy = batch().x + 0.3 * Rng(0).fold_in("data noise").normal(batch().x)
    observed, synthesized = energy(noisy), energy(made.revised)
    expected = observed.mean() - synthesized.mean()
    expected = expected + 0.25 * (observed.square().mean() + synthesized.square().mean())
    assert torch.allclose(updates[0].loss, expected)  # type: ignore[arg-type]
    assert torch.allclose(updates[0].stats["energy_observed"], observed.mean())


def test_what_is_drawn_is_augmented_and_the_buffer_keeps_what_the_chain_makes_of_it() -> None:
    class Brightness(LinearDescriptor):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.flatten(1))

    energy = Brightness(torch.zeros(48).double(), 5.0)
    schedule = Replay(energy, revision(1), (3, 4, 4), slots=6, chains=6, restart=0.0, mirror=True).double()
    kept = double(6, 3, 4, 4)
    schedule.replay.keep(torch.arange(6), kept)
    _, made = one_iteration(schedule, Batch(kept, torch.arange(6)))
    assert made.proposal is not None
    turned = (made.proposal != kept).flatten(1).any(1)
    assert 0 < turned.sum() < 6
    assert torch.equal(made.proposal, torch.where(turned[:, None, None, None], kept.flip(-1), kept))
    assert torch.equal(schedule.replay.samples, made.revised)  # type: ignore[arg-type]


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^13 chains need as many slots, and there are 12$"):
        replay(chains=13)
    with pytest.raises(
        ValueError, match=r"^mirror and shift need images .*, and examples have the shape \(4,\)$"
    ):
        replay(mirror=True)
