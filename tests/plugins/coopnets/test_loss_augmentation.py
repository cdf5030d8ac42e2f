from __future__ import annotations

import pytest
import torch

from ebmkit.core import LossAugmentation, Rng, augmented, contrastive_divergence
from ebmkit_coopnets.shifting import DensityShift
from tests.models import LinearDescriptor, double


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
