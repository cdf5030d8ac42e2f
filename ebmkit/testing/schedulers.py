"""What every schedule must respect, on a tiny problem."""

from __future__ import annotations

from typing import TypeAlias

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ebmkit.core import Batch, CooperativeScheduler, Examples, Rng, Update
from ebmkit.testing.claims import SchedulerClaims
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.parts import EXAMPLES, build_part
from ebmkit.testing.randomness import unmoved
from ebmkit.testing.report import CheckFailedError, CheckSkippedError
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, demand_same, same_bits, snapshot

__all__ = ["CHECKS"]

ScheduleSubject: TypeAlias = Subject[SchedulerClaims]

_SHAPE = (1, 4, 4)
_BATCH = 5
_RATE = 0.01


def _build(subject: ScheduleSubject, *, seed: int = 0) -> CooperativeScheduler:
    schedule = build_part(subject, _SHAPE, seed=seed)
    demand(
        isinstance(schedule, CooperativeScheduler),
        f"{type(schedule).__name__} does not inherit from CooperativeScheduler",
    )
    return schedule  # type: ignore[no-any-return]


def _batch(iteration: int) -> Batch:
    data = Rng(5).fold_in("data").normal(torch.empty(EXAMPLES, *_SHAPE)).tanh()
    positions = Rng(6).fold_in("batch", iteration).permutation(EXAMPLES)[:_BATCH]
    return Batch(data[positions], positions)


def _train(schedule: CooperativeScheduler, iterations: range) -> list[tuple[list[Update], Examples]]:
    """Plain gradient steps, which have no state of their own."""
    return [_iteration(schedule, iteration) for iteration in iterations]


def _iteration(schedule: CooperativeScheduler, iteration: int) -> tuple[list[Update], Examples]:
    seen = []
    turn = schedule.updates(_batch(iteration), rng=Rng(7).fold_in(iteration))
    try:
        while True:
            update = next(turn)
            seen.append(update)
            part = _part(schedule, update)
            if update.loss is not None:
                _descend(part, update.loss)
    except StopIteration as end:
        return seen, end.value


def _part(schedule: CooperativeScheduler, update: Update) -> nn.Module:
    demand(isinstance(update, Update), f"updates() yields Update, not {type(update).__name__}")
    try:
        return schedule.get_submodule(update.part)
    except AttributeError:
        raise CheckFailedError(f"update.part is {update.part!r}, not a part of the schedule") from None


def _descend(part: nn.Module, loss: Tensor) -> None:
    demand(loss.shape == () and loss.requires_grad, f"a loss is 0-dim with a graph, not {tuple(loss.shape)}")
    demand(bool(torch.isfinite(loss)), f"a loss is {float(loss.detach())} on an ordinary batch")
    learning = [each for each in part.parameters() if each.requires_grad]
    gradients = torch.autograd.grad(loss, learning, allow_unused=True)
    with torch.no_grad():
        for each, gradient in zip(learning, gradients, strict=True):
            if gradient is not None:
                each.sub_(_RATE * gradient)


def parameters(subject: ScheduleSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def updates(subject: ScheduleSubject) -> str:
    """Each iteration yields updates of named parts with finite losses, and returns its Examples."""
    parts: list[str] = []
    for seen, examples in _train(_build(subject), range(3)):
        parts = [update.part for update in seen]
        demand(bool(parts), "an iteration yields no update: nothing learns")
        demand(isinstance(examples, Examples), f"updates() returns Examples, not {type(examples).__name__}")
        for update in seen:
            for name, value in update.stats.items():
                plain = isinstance(value, Tensor) and value.shape == () and not value.requires_grad
                demand(plain, f"the statistic {name!r} is not a detached 0-dim tensor")
    return ", ".join(parts)


def learns(subject: ScheduleSubject) -> str:
    """The parts that updates name have other weights after them."""
    schedule = _build(subject)
    before = snapshot(schedule.state_dict())
    made = [update for updates, _ in _train(schedule, range(3)) for update in updates]
    seen = [update.part for update in made if update.loss is not None]
    if not seen:
        raise CheckSkippedError("no update carries a loss: it teaches nothing")
    after = schedule.state_dict()
    for part in sorted(set(seen)):
        weights = [name for name, _ in schedule.named_parameters() if name.startswith(f"{part}.")]
        demand(any(not same_bits(before[name], after[name]) for name in weights), f"{part} has not learned")
    return ", ".join(sorted(set(seen)))


def deterministic(subject: ScheduleSubject) -> str:
    """The same seed gives the same weights, and torch's global generator is neither moved nor read."""
    ends = []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            schedule = _build(subject)
            torch.manual_seed(seed)
            with unmoved():
                _train(schedule, range(3))
            ends.append(schedule.state_dict())
    demand_same(ends[0], ends[1], "two runs of the same seed differ in")
    return ""


def resume(subject: ScheduleSubject) -> str:
    """``state_dict()`` is the whole state: saved after 2 of 4 iterations, a new instance ends the same."""
    whole = _build(subject)
    _train(whole, range(2))
    saved = save({name: value.detach().contiguous().clone() for name, value in whole.state_dict().items()})
    _train(whole, range(2, 4))
    resumed = _build(subject, seed=1)
    resumed.load_state_dict(load(saved))
    _train(resumed, range(2, 4))
    demand_same(whole.state_dict(), resumed.state_dict(), "a resumed training ends with another")
    return f"{len(whole.state_dict())} tensors"


def propose(subject: ScheduleSubject) -> str:
    """``propose`` starts as many samples as asked for, of the shape of the data, each time the same."""
    schedule = _build(subject)
    _train(schedule, range(1))
    with torch.no_grad():
        first, second = (schedule.propose(3, rng=Rng(9)) for _ in range(2))
    demand(first.x.shape == (3, *_SHAPE), f"3 proposals have the shape {tuple(first.x.shape)}")
    demand(same_bits(first.x, second.x), "the same rng proposes other samples")
    demand(bool(torch.isfinite(first.x).all()), "proposals are not finite")
    return "with latents" if first.z is not None else ""


CHECKS = {
    "parameters": parameters,
    "updates": updates,
    "learns": learns,
    "deterministic": deterministic,
    "resume": resume,
    "propose": propose,
}
