"""CoopNets from Python: build the parts, train them in a run folder, draw from what was trained.

    python examples/ten_lines.py

Small images of one bright square each; the run is in runs/squares.
"""

from __future__ import annotations

import torch

import ebmkit
from ebmkit.core import Chain
from ebmkit_convnets import ConvDescriptor, ConvGenerator
from ebmkit_coopnets import CoopNets
from ebmkit_langevin import Langevin


def squares(count: int) -> torch.Tensor:
    """Images ``(count, 1, 16, 16)`` in [-1, 1]: a bright square of 6 pixels somewhere."""
    images = torch.full((count, 1, 16, 16), -0.7)
    for number, image in enumerate(images):
        top, left = (7 * number) % 11, (3 * number) % 11
        image[:, top : top + 6, left : left + 6] = 0.7
    return images


def main(iterations: int = 300) -> torch.Tensor:
    """Train, and return 64 samples."""
    shape, layers = (1, 16, 16), {"channels": (16, 32), "kernels": (4, 4), "strides": (2, 2)}
    energy = ConvDescriptor(shape, reference_std=0.1, **layers)
    generator = ConvGenerator(shape, channels=(32, 16))
    schedule = CoopNets(energy, generator, Chain(Langevin(step_size=0.03), steps=10))
    rates = {"energy": 5e-3, "generator": 2e-3}
    run = ebmkit.Run.new("squares", schedule, data=squares(121), batch=32, rates=rates)
    for report in run.train(iterations):
        if report.iteration % 50 == 0:
            print(report.iteration, f"{report.metrics()['reconstruction_error']:.3f}")
    return ebmkit.load("squares").sample(64, seed=1).revised


if __name__ == "__main__":
    main()
