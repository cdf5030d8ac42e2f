"""Whatever training changes in an experiment is in its checkpoint, or is named here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import pytest
import torch
from torch import nn

from ebmkit.config import read_document
from ebmkit.config.plan import Plan, make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.storage.capture import capture, restore
from ebmkit.training.loop import Experiment, train
from tests.conftest import RUN_FILES, Install
from tests.run.test_resume import same_bits, state

RunFile = Callable[[str], Path]


def inventory(experiment: Experiment) -> dict[str, str]:
    """Every value an experiment holds, by its path; not the batches, which are a function of seed and k."""
    seen: set[int] = set()
    parts = {"schedule": experiment.schedule, "learners": experiment.learners, "rng": experiment.rng}
    return dict(_values(parts, "", seen))


def _values(thing: Any, path: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(thing, torch.Tensor):
        yield path, hashlib.sha256(thing.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
    elif isinstance(thing, torch.Generator):
        yield from _values(thing.get_state(), path, seen)
    elif thing is None or isinstance(thing, (bool, int, float, str)):
        yield path, repr(thing)
    elif id(thing) not in seen and not isinstance(thing, (type, FunctionType, MethodType)):
        seen.add(id(thing))
        for name, value in _children(thing):
            yield from _values(value, f"{path}.{name}", seen)


def _children(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, Mapping):  # an optimizer's keys are its parameters: their order names them
        keys = [str(index) if isinstance(key, torch.Tensor) else str(key) for index, key in enumerate(thing)]
        yield from zip(keys, thing.values(), strict=True)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from ((str(index), value) for index, value in enumerate(thing))
    else:
        slots = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
        names = dict.fromkeys([*slots, *getattr(thing, "__dict__", {})])
        names.pop("built_with", None)  # the arguments of a part, which it holds under names of its own
        yield from ((name, getattr(thing, name)) for name in names if hasattr(thing, name))


def not_saved(plan: Plan, prepare: Callable[[Experiment], None] = lambda experiment: None) -> list[str]:
    """What three iterations change, and a new experiment with their checkpoint does not have."""
    experiment, fresh = build_experiment(plan), build_experiment(plan)
    prepare(experiment)
    prepare(fresh)
    before = inventory(experiment)
    for _ in train(experiment, iterations=3):
        pass
    after = inventory(experiment)
    restore(capture(experiment, iteration=3), fresh)
    restored = inventory(fresh)
    changed = [path for path in after if after[path] != before.get(path)]
    assert changed
    return [path for path in changed if restored.get(path) != after[path]]


@pytest.mark.parametrize("name", RUN_FILES)
def test_what_training_changes_is_saved(name: str, run_file: RunFile) -> None:
    assert not_saved(make_plan(read_document(run_file(name)), Registry.discover())) == []


def test_averaged_weights_are_saved(run_file: RunFile) -> None:
    settings = ["energy.averaging.decay=0.9", "generator.averaging.start=1"]
    assert not_saved(make_plan(read_document(run_file("coopnets"), settings), Registry.discover())) == []


SAMPLERS = {
    "mala": ["adapt_steps=4"],
    "hmc": ["adapt_steps=2", "leapfrogs=2"],
    "underdamped": ["friction=0.5"],
    "parallel-tempering": ["replicas=2"],
    "preconditioned": ["adapt_steps=4"],
    "annealed": ["anneal_steps=4"],
    "my-inert": [],
}
"""Those whose steps remember more than where the chain is, with settings that make them."""

INERT = """
    from typing import NamedTuple

    import attrs
    from torch import Tensor

    from ebmkit.core import Sampler, value_and_gradient
    from ebmkit.plugin import hookimpl

    class Moving(NamedTuple):
        x: Tensor
        velocity: Tensor

    @attrs.frozen(kw_only=True)
    class Inert(Sampler):
        step_size: float = 0.01

        def init(self, energy, x):
            return Moving(x, x.new_zeros(x.shape))

        def step(self, energy, state, rng):
            force = -value_and_gradient(energy, state.x).gradient
            velocity = 0.9 * state.velocity + self.step_size * (force + rng.normal(state.x))
            return Moving(state.x + self.step_size * velocity, velocity), {"speed": velocity.abs().mean()}

    @attrs.frozen(kw_only=True)
    class Hoarding(Inert):
        kept: list = attrs.field(factory=list, init=False)

        def init(self, energy, x):
            return Moving(x, *(self.kept or [x.new_zeros(x.shape)]))

        def step(self, energy, state, rng):
            state, info = Inert.step(self, energy, state, rng)
            self.kept[:] = [state.velocity]
            return state, info

    @hookimpl
    def ebmkit_samplers():
        return {"my-inert": Inert, "my-hoarding": Hoarding}
"""


def plan_with(sampler: str, settings: list[str], file: Path) -> Plan:
    """A plan whose revision is this sampler."""
    keys = [f"use={sampler}", "step_size=0.02", *settings]
    return make_plan(read_document(file, [f"revision.{key}" for key in keys]), Registry.discover())


@pytest.mark.parametrize(
    ("name", "sampler"), [*(("descriptor-only", each) for each in SAMPLERS), ("coopnets", "my-inert")]
)
def test_samplers_with_a_state_of_their_own_resume_to_the_same_bits(
    name: str, sampler: str, run_file: RunFile, install: Install
) -> None:
    """That state lives for one chain; what outlives it is where persistent chains are."""
    install("my-inert", "my_inert", INERT)
    plan = plan_with(sampler, SAMPLERS[sampler], run_file(name))
    assert not_saved(plan) == []
    whole, stopped, resumed = (build_experiment(plan) for _ in range(3))
    for experiment, start, iterations in ((whole, 0, 4), (stopped, 0, 2), (resumed, 2, 4)):
        if start:
            restore(capture(stopped, iteration=2), experiment)
        for _ in train(experiment, iterations=iterations, start=start):
            pass
    assert same_bits(state(resumed), state(whole))
    assert not same_bits(state(stopped), state(whole))
    assert ("replay/samples" in state(whole)) == (name == "descriptor-only")


def test_a_sampler_that_keeps_its_state_to_itself_is_found_by_name(
    run_file: RunFile, install: Install
) -> None:
    install("my-inert", "my_inert", INERT)
    found = not_saved(plan_with("my-hoarding", [], run_file("descriptor-only")))
    assert found == [".schedule.revision.sampler.kept.0"]


class Counting(nn.Module):
    """A part with a state that it forgot to make a buffer."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        result: torch.Tensor = self.inner(x)
        return result


def test_a_state_that_is_not_saved_is_found_by_name(run_file: RunFile) -> None:
    def forget(experiment: Experiment) -> None:
        energy: Any = experiment.schedule.get_submodule("energy")
        name, inner = next(iter(energy.named_children()))
        setattr(energy, name, Counting(inner))

    plan = make_plan(read_document(run_file("coopnets")), Registry.discover())
    assert [path.rpartition(".")[2] for path in not_saved(plan, forget)] == ["calls"]
