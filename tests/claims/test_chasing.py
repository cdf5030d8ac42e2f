"""The generator's examples become modes of the descriptor as the two chase each other."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core import Batch, Chain, Rng, value_and_gradient
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.adam import Adam

STD = 0.1


class Squares:
    """16x16 images, dark with a bright 6x6 square somewhere."""

    def __getitem__(self, iteration: int) -> Batch:
        rng = Rng(9).fold_in(iteration)
        corner = (rng.uniform(torch.empty(32, 2)) * 11).long()
        place = torch.arange(16)
        inside = (place >= corner[..., None]) & (place < corner[..., None] + 6)
        square = inside[:, 0, :, None] & inside[:, 1, None, :]
        return Batch(square.float().mul(1.4).sub(0.7)[:, None], torch.arange(32))


def residual(energy: ConvDescriptor, y: Tensor) -> float:
    """|Y - s^2 df/dY| / |Y|: 1 where f is flat, 0 at a mode."""
    decoded = STD**2 * -value_and_gradient(lambda z: -energy.score(z), y).gradient
    return float(((y - decoded).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).mean())


def test_the_auto_encoder_residual_of_generated_examples_falls() -> None:
    torch.manual_seed(0)
    energy = ConvDescriptor((1, 16, 16), channels=(16, 32), kernels=(4, 4), strides=(2, 2), reference_std=STD)
    generator = ConvGenerator((1, 16, 16), latents=8, channels=(32, 16), kernel=4)
    schedule = CoopNets(energy, generator, Chain(Langevin(step_size=0.02), 10))
    learners = {"energy": Learner(energy, Adam(lr=3e-4)), "generator": Learner(generator, Adam(lr=2e-3))}
    experiment = Experiment(schedule, learners, Squares(), Rng(0))  # type: ignore[arg-type]
    residuals = []
    for report in train(experiment, iterations=101):
        if report.iteration % 50 == 1:
            with torch.no_grad():
                generated = schedule.propose(64, rng=Rng(7)).x
            residuals.append(residual(energy, generated))
    # With a rate ten times larger the energy grows steep faster than the generator follows, and the
    # residual of its examples exceeds 1: this is a claim about slow descriptors.
    assert residuals[0] > 0.99
    assert residuals[1] < 0.8
    assert residuals[2] < 0.3
