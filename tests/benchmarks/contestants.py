"""Who runs Langevin dynamics against whom, all with the same step on the same energy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Precision, Rng, computing_in, run_chain
from ebmkit_langevin.langevin import Langevin

STEP_SIZE = 0.002

GRAPH = "ebmkit, as a graph"

Walk = Callable[[EnergyFn, Tensor, int], Tensor]


def plain(energy: EnergyFn, x: Tensor, steps: int) -> Tensor:
    """What most repositories write."""
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(energy(x).sum(), x)
        x = x - STEP_SIZE**2 / 2 * gradient + STEP_SIZE * torch.randn_like(x)
    return x.detach()


def ebmkit(energy: EnergyFn, x: Tensor, steps: int) -> Tensor:
    """The public way, ``use = "langevin"``."""
    return run_chain(Langevin(step_size=STEP_SIZE), energy, x, steps=steps, rng=Rng(0)).x


def as_graph(energy: EnergyFn, x: Tensor, steps: int) -> Tensor:
    """The same with ``graph = true``."""
    return run_chain(Langevin(step_size=STEP_SIZE), energy, x, steps=steps, rng=Rng(0), graph=True).x


@contextmanager
def native(allowed: bool) -> Iterator[None]:
    """With or without transforms in C."""
    before = os.environ.get("EBMKIT_NATIVE")
    os.environ["EBMKIT_NATIVE"] = "1" if allowed else "0"
    try:
        yield
    finally:
        os.environ.pop("EBMKIT_NATIVE")
        if before is not None:
            os.environ["EBMKIT_NATIVE"] = before


def _with(precision: Precision, *, compiled: bool) -> Walk:
    def walk(energy: EnergyFn, x: Tensor, steps: int) -> Tensor:
        with native(compiled), computing_in(precision):
            return ebmkit(energy, x, steps)

    return walk


def torchebm() -> Walk | None:
    """Its LangevinDynamics; with eta = step_size^2 / 2 and noise_scale = 1 it takes the same step."""
    if find_spec("torchebm") is None:
        return None
    from torchebm.core import BaseModel
    from torchebm.samplers import LangevinDynamics

    class Model(BaseModel):  # type: ignore[misc]
        def __init__(self, energy: EnergyFn) -> None:
            super().__init__()
            self.energy = energy

        def forward(self, x: Tensor) -> Tensor:
            return self.energy(x)

    samplers: dict[EnergyFn, LangevinDynamics] = {}

    def walk(energy: EnergyFn, x: Tensor, steps: int) -> Tensor:
        if energy not in samplers:
            samplers[energy] = LangevinDynamics(Model(energy), step_size=STEP_SIZE**2 / 2, noise_scale=1.0)
        moved: Tensor = samplers[energy].sample(x=x, n_steps=steps)
        return moved

    return walk


def contestants(
    low: tuple[Precision, ...] = (), *, graph: bool = False, function: bool = False
) -> dict[str, Walk]:
    """By name; ``low`` asks for further precisions, ``graph`` for chains as one graph.

    Under a ``function`` that no plugin reads there is one way to walk.
    """
    rivals = {"plain loop": plain}
    if (of_torchebm := torchebm()) is not None:
        rivals["torchebm"] = of_torchebm
    if function:
        return rivals | {"ebmkit": ebmkit}
    ours = {
        "ebmkit, torch alone": _with("fp32", compiled=False),
        "ebmkit, compiled": _with("fp32", compiled=True),
    }
    if graph:
        ours |= {GRAPH: as_graph}
    return rivals | ours | {f"ebmkit, {each}": _with(each, compiled=True) for each in low}
