"""What every sampler must respect, whatever its law."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Rng, Sampler, as_rows, run_chain, value_and_gradient, walk
from ebmkit.testing.claims import SamplerClaims
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.probes import Probe, bowl
from ebmkit.testing.randomness import given_back, unmoved
from ebmkit.testing.report import CheckSkippedError
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import (
    demand,
    demand_same,
    fields,
    same_bits,
    snapshot,
    through_safetensors,
)

__all__ = ["CHECKS", "SamplerSubject", "build", "start", "states"]

SamplerSubject: TypeAlias = Subject[SamplerClaims]

_STEP_SIZE = 0.8


def build(subject: SamplerSubject, **changes: Any) -> Sampler:
    """The sampler with its claimed settings; ``step_size`` 0.8 where they leave it open."""
    if "step_size" not in subject.claims.settings and subject.takes("step_size"):
        changes = {"step_size": _STEP_SIZE, **changes}
    sampler = subject.make(**changes)
    demand(isinstance(sampler, Sampler), f"{type(sampler).__name__} does not inherit from Sampler")
    return sampler  # type: ignore[no-any-return]


def start(count: int = 8, shape: tuple[int, ...] = (3,), dtype: torch.dtype = torch.float64) -> Tensor:
    """Where chains begin: reproducible N(0, 1) numbers, ``(count, *shape)``."""
    return Rng(1).fold_in("start").normal(torch.empty(count, *shape, dtype=dtype))


def states(
    sampler: Sampler,
    energy: EnergyFn,
    start: Any,
    steps: int,
    rng: Rng = Rng(2),  # noqa: B008 - has no state
) -> Iterator[Any]:
    """The states of a chain, step by step: what ``walk`` does, on the energy itself, not a prepared one.

    It begins at positions, or goes on from a state.
    """
    with torch.no_grad():
        here = sampler.init(energy, start) if isinstance(start, Tensor) else start
        for step in range(steps):
            here, _ = sampler.step(energy, here, rng.fold_in("step", step))
            yield here


def parameters(subject: SamplerSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def input_unchanged(subject: SamplerSubject) -> str:
    """Neither the start nor any earlier state is modified in place."""
    sampler, x = build(subject), start()
    before = x.clone()
    run_chain(sampler, bowl, x, steps=3, rng=Rng(2))
    demand(same_bits(x, before), "the start of the chain was modified in place")
    earlier: list[tuple[Any, dict[str, Tensor]]] = []
    for step, here in enumerate(states(sampler, bowl, x, 4)):
        for old, copied in earlier:
            demand_same(copied, fields(old), f"step {step} modified an earlier state in place")
        earlier.append((here, snapshot(fields(here))))
    return ""


def energy_untouched(subject: SamplerSubject) -> str:
    """The energy's parameters, their ``.grad``, its buffers and its train/eval modes stay as they are."""
    sampler, energy = build(subject), Probe()
    before, modes = snapshot(energy.tensors()), energy.modes()
    for _ in states(sampler, energy, start(), 3):
        now = energy.tensors()
        demand_same(before, now, "a step changed the energy's")
        demand(now.keys() == before.keys(), f"a step filled {', '.join(sorted(now.keys() - before.keys()))}")
        demand(energy.modes() == modes, "a step changed train/eval mode")
        demand(energy.scale.requires_grad and not energy.frozen.requires_grad, "a step changed requires_grad")
    return ""


def no_graph(subject: SamplerSubject) -> str:
    """States and infos carry no graph, even where gradients are on; the grad mode stays as it is."""
    for here, info in islice(walk(build(subject), Probe(), start(), rng=Rng(2)), 3):
        graphs = [name for name, each in {**fields(here), **info}.items() if each.requires_grad]
        demand(not graphs, f"these require a gradient and keep a graph alive: {', '.join(graphs)}")
        demand(torch.is_grad_enabled(), "a step switched torch's gradients off for its caller")
    return ""


def global_random(subject: SamplerSubject) -> str:
    """torch's, NumPy's and Python's global generators are neither moved nor read."""
    ends = []
    with given_back():
        for seed in (1, 2):
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            with unmoved("the chain"):
                ends.append(run_chain(build(subject), bowl, start(), steps=3, rng=Rng(2)).x)
    demand(same_bits(*ends), "the chain depends on a global generator: draw from the rng it is given")
    return ""


def same_seed(subject: SamplerSubject) -> str:
    """The same seed gives the same bits, from a second instance and from the same one used twice."""
    sampler = build(subject)
    first, second, third = (
        run_chain(each, bowl, start(), steps=6, rng=Rng(3)).x for each in (sampler, sampler, build(subject))
    )
    demand(same_bits(first, second), "a second chain of the same instance gives other bits: it remembers")
    demand(same_bits(first, third), "a second instance gives other bits")
    return ""


def other_seed(subject: SamplerSubject) -> str:
    """Another seed gives other chains; a sampler that claims to draw nothing gives the same."""
    sampler = build(subject)
    ends = [run_chain(sampler, bowl, start(64), steps=6, rng=Rng(seed)).x for seed in (3, 4)]
    if not subject.claims.random:
        demand(same_bits(*ends), "random=False is claimed, but another seed gives other positions")
        return "draws nothing"
    alike = int(as_rows(ends[0] == ends[1]).all(1).sum())
    demand(alike <= len(ends[0]) // 2, f"{alike} of {len(ends[0])} chains end the same under another seed")
    return ""


def callables(subject: SamplerSubject) -> str:
    """A module, a function and a lambda of the same values give the same bits."""
    energies: list[Callable[[Tensor], Tensor]] = [bowl, lambda x: bowl(x), Probe()]  # noqa: PLW0108
    ends = [run_chain(build(subject), energy, start(), steps=3, rng=Rng(2)).x for energy in energies]
    demand(all(same_bits(ends[0], end) for end in ends), "the kind of callable changes the chain")
    return ""


def state(subject: SamplerSubject) -> str:
    """The state is a named tuple of tensors that safetensors gives back bit for bit."""
    *_, last = states(build(subject), bowl, start(), 3)
    before = fields(last)
    demand_same(before, fields(through_safetensors(last)), "changed by saving and loading")
    return ", ".join(before)


def resume(subject: SamplerSubject) -> str:
    """A chain stopped after any step, saved and continued by a new instance ends at the same bits."""
    whole = list(states(build(subject), bowl, start(), 6))
    for stopped in range(1, 6):
        sampler, here = build(subject), through_safetensors(whole[stopped - 1])
        with torch.no_grad():
            for step in range(stopped, 6):
                here, _ = sampler.step(bowl, here, Rng(2).fold_in("step", step))
        demand_same(fields(whole[-1]), fields(here), f"resumed after step {stopped}, the end differs in")
    return "stopped after each of 5 steps"


def no_hidden_state(subject: SamplerSubject) -> str:
    """A chain leaves the sampler's own attributes as they were: what a step needs is in its state."""
    sampler = build(subject)
    before = _attributes(sampler)
    run_chain(sampler, bowl, start(), steps=3, rng=Rng(2))
    changed = [name for name, text in _attributes(sampler).items() if before.get(name) != text]
    demand(not changed, f"these attributes changed, move them into the state: {', '.join(changed)}")
    return ""


def _attributes(sampler: Sampler) -> dict[str, str]:
    slots = (name for each in type(sampler).__mro__ for name in getattr(each, "__slots__", ()))
    names = {*slots, *getattr(sampler, "__dict__", {})}
    return {
        name: repr(getattr(sampler, name))
        for name in names
        if not name.startswith("__") and hasattr(sampler, name)
    }


def cached_values(subject: SamplerSubject) -> str:
    """State fields called ``energy`` and ``gradient`` are those of the position ``x``."""
    names: list[str] = []
    for here in states(build(subject), bowl, start(), 4):
        exact = value_and_gradient(bowl, here.x)
        wanted = {"energy": exact.value, "gradient": exact.gradient}
        held = fields(here)
        names = [name for name in wanted if name in held and held[name].shape == wanted[name].shape]
        for name in names:
            close = torch.allclose(held[name].double(), wanted[name].double(), rtol=1e-6, atol=1e-9)
            demand(close, f"the cached {name} is not that of the position")
    if not names:
        raise CheckSkippedError("the state caches neither")
    return ", ".join(names)


CHECKS = {
    "parameters": parameters,
    "input-unchanged": input_unchanged,
    "energy-untouched": energy_untouched,
    "no-graph": no_graph,
    "global-random": global_random,
    "same-seed": same_seed,
    "other-seed": other_seed,
    "callables": callables,
    "state": state,
    "resume": resume,
    "no-hidden-state": no_hidden_state,
    "cached-values": cached_values,
}
