from __future__ import annotations

import pytest
import torch

from ebmkit.core import Batch, LossAugmentation, Samples
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.figures import revision_figures
from tests.models import double
from tests.plugins.coopnets.linear import batch, one_iteration, parts, revision


def test_the_energies_reported_are_those_of_the_loss() -> None:
    energy, generator = parts()
    descriptor_only = DescriptorOnly(energy, revision(), (4,), chains=3).double()
    for schedule in (CoopNets(energy, generator, revision(), chains=3), descriptor_only):
        updates, made = one_iteration(schedule, batch())
        stats = updates[0].stats
        for name in ("observed", "proposal", "revised"):
            examples = getattr(made, name)
            assert torch.allclose(stats[f"energy_{name}"], energy(examples).mean()), name
        assert stats["energy_gap"] == updates[0].loss
        assert not any(value.requires_grad for value in stats.values())


def test_figures_of_augmented_images_are_left_to_whoever_looks() -> None:
    torch.manual_seed(0)
    data = Batch(double(3, 1, 8, 8).float(), torch.arange(3))
    for law, known in ((LossAugmentation(translation=1), False), (None, True)):
        schedule = DescriptorOnly(
            ConvDescriptor((1, 8, 8), channels=(3,), kernels=(3,), strides=(1,)), revision(1), (1, 8, 8),
            chains=3, augmentation=law,
        )  # fmt: skip
        updates, made = one_iteration(schedule, data)
        assert ("energy_observed" in updates[0].stats) is known
        assert made.observed is data.x


def test_what_the_revision_watched_is_told_under_its_name_and_unknown_energies_are_not() -> None:
    revised = Samples(double(3, 4), {"noise": torch.tensor(0.6)}, torch.tensor([1.0, 2.0, 6.0]))
    observed = torch.tensor([1.0, 3.0], requires_grad=True)
    figures = revision_figures(revised, observed=observed, synthesized=torch.tensor([5.0]))
    assert {name: float(value) for name, value in figures.items()} == {
        "revision_noise": pytest.approx(0.6),
        "energy_proposal": 3.0,
        "energy_observed": 2.0,
        "energy_revised": 5.0,
        "energy_gap": -3.0,
    }
    assert not any(value.requires_grad for value in figures.values())
    unknown = revision_figures(revised._replace(start_energy=None), observed=None, synthesized=None)
    assert unknown.keys() == {"revision_noise"}
