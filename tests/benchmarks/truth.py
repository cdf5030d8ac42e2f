"""What a fast chain must not lose: the gradient, the noise, and changes of the weights."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Rng, run_chain
from ebmkit_langevin.langevin import Langevin
from tests.benchmarks.nets import Net

FEW = 8


class Truth(NamedTuple):
    """Errors of a step.

    Attributes:
        gradient: relative to float64, the median over images: a ReLU whose input rounds across zero
            moves the gradient of its image by up to 1e-3, in any float32 arithmetic, and is rare.
        batch: the same over all images together, such flips included.
        stale: as ``gradient``, after a fused optimizer has changed the weights unseen; None where there are
            none.
        noise_mean: of the noise, in its own standard errors.
        noise_variance: minus 1, in its own standard errors.
    """

    gradient: float
    batch: float
    stale: float | None
    noise_mean: float
    noise_variance: float


def examine(energy: EnergyFn, x: Tensor) -> Truth:
    """Check the steps that a chain takes now; the weights of ``energy`` are left changed."""
    noise = _noise(energy, x)
    gradient, batch = _gradient_error(energy, x[:FEW])
    stale = None
    if isinstance(energy, Net):
        _change(energy, x[:FEW])
        stale, _ = _gradient_error(energy, x[:FEW])
    count = noise.numel()
    return Truth(
        gradient,
        batch,
        stale,
        float(noise.mean()) * math.sqrt(count),
        (float(noise.var()) - 1) * math.sqrt(count / 2),
    )


def _step(energy: EnergyFn, x: Tensor, step_size: float, *, noise: bool) -> Tensor:
    return run_chain(Langevin(step_size=step_size, noise=noise), energy, x, steps=1, rng=Rng(0)).x


def _noise(energy: EnergyFn, x: Tensor) -> Tensor:
    step = 1e-3
    return (_step(energy, x, step, noise=True).double() - _step(energy, x, step, noise=False)) / step


def _gradient_error(energy: EnergyFn, x: Tensor) -> tuple[float, float]:
    """Of a function; of a network alone, for the reference's share would hide it."""
    if not isinstance(energy, Net):
        return _error(energy, energy, x)
    reference, energy.reference_std = energy.reference_std, math.inf
    try:
        return _error(energy, copy.deepcopy(energy).double(), x)
    finally:
        energy.reference_std = reference


def _error(energy: EnergyFn, exact_energy: EnergyFn, x: Tensor) -> tuple[float, float]:
    """Of the median row and of all together, beside an energy for float64."""
    exact_x = x.double().requires_grad_()
    (exact,) = torch.autograd.grad(exact_energy(exact_x).sum(), exact_x)
    # A step so long that the rounding of x itself does not count.
    step = math.sqrt(2e4 / float(exact.square().mean().sqrt()))
    found = (x.double() - _step(energy, x, step, noise=False).double()) / (step**2 / 2)
    errors = (found - exact).flatten(1).norm(dim=1)
    sizes = exact.flatten(1).norm(dim=1)
    return float((errors / sizes).median()), float(errors.norm() / sizes.norm())


def _change(energy: Net, x: Tensor) -> None:
    optimizer = torch.optim.Adam(energy.parameters(), 1e-2, fused=True)
    energy(x).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
