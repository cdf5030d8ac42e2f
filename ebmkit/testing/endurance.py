"""How a sampler behaves when it is stopped, when energies fail, and in the long run."""

from __future__ import annotations

import time
from itertools import islice

import torch
from torch import Tensor

from ebmkit.core import Rng, Sampler, as_rows, run_chain, walk
from ebmkit.core.stopping import Stopped, stoppable
from ebmkit.testing.claims import Exact
from ebmkit.testing.euler import Euler
from ebmkit.testing.memory import Alive, bytes_since, living_tensors, resident_bytes
from ebmkit.testing.probes import Probe, bowl, walled
from ebmkit.testing.samplers import SamplerSubject, build, start, states
from ebmkit.testing.tensors import demand, fields, same_bits

__all__ = ["CHECKS"]

_PLACES = 8
"""At so many evaluations of four steps a stop is asked for, and an interrupt raised."""

_MANY = 20
"""Steps of a chain that is not to get there."""


class _InterruptError(Exception):
    """Raised inside the energy, as a signal handler would."""


class _Counting:
    """``bowl`` that counts its evaluations."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return bowl(x)


class _Interrupting(_Counting):
    """``bowl`` for some calls, then an interrupt at every further one."""

    def __init__(self, interrupt: type[BaseException], first: int) -> None:
        super().__init__()
        self.interrupt = interrupt
        self.first = first

    def __call__(self, x: Tensor) -> Tensor:
        value = super().__call__(x)
        if self.calls >= self.first:
            raise self.interrupt
        return value


class _AskedOnce:
    """A stop flag that is up for the first look after an evaluation, and then never again."""

    def __init__(self, energy: _Counting, asked: int) -> None:
        self.energy = energy
        self.asked = asked
        self.seen = False

    def __call__(self) -> bool:
        if self.seen or self.energy.calls < self.asked:
            return False
        self.seen = True
        return True


def stops(subject: SamplerSubject) -> str:
    """A stop ends a chain within the step it is asked for in; what interrupts the energy ends it at once."""
    sampler = build(subject)
    for steps, here in enumerate(states(sampler, bowl, start(), 4), start=1):
        left = run_chain(sampler, bowl, start(), steps=steps, rng=Rng(2)).x
        demand(same_bits(left, here.x), f"a chain of {steps} steps is not the beginning of a longer one")
    ends = _evaluations(sampler, steps=4)
    places = range(1, ends[-1] + 1, max(1, -(-ends[-1] // _PLACES)))
    for interrupt in (_InterruptError, KeyboardInterrupt):
        for place in places:
            _interrupt_at(sampler, interrupt, place)
    after = [_stop_at(sampler, place, ends) - place for place in places]
    return f"{max(after, default=0)} more evaluations at most"


def _interrupt_at(sampler: Sampler, interrupt: type[BaseException], place: int) -> None:
    """Raise inside an evaluation: it has to be the last one."""
    energy = _Interrupting(interrupt, place)
    try:
        run_chain(sampler, energy, start(), steps=_MANY, rng=Rng(2))
    except interrupt:
        demand(energy.calls == place, "the energy was called again after an interrupt")
    else:
        demand(False, f"a {interrupt.__name__} inside the energy was swallowed")


def _stop_at(sampler: Sampler, place: int, ends: list[int]) -> int:
    """Ask for a stop at an evaluation; which one is the last.

    The flag is up for one look: whoever has a loop of its own and swallows the stop there goes on.
    """
    energy, stopped = _Counting(), False
    try:
        with stoppable(_AskedOnce(energy, place)):
            run_chain(sampler, energy, start(), steps=_MANY, rng=Rng(2))
    except Stopped:
        stopped = True
    demand(stopped, f"a stop asked for at evaluation {place} was swallowed: let Stopped through")
    end = min(each for each in ends if each >= place)
    demand(
        energy.calls <= end,
        f"a stop asked for at evaluation {place}, in a step that ends with evaluation {end}, "
        f"came after evaluation {energy.calls}",
    )
    return energy.calls


def _evaluations(sampler: Sampler, *, steps: int) -> list[int]:
    """How many evaluations a chain has made after each of its steps, those of its start included."""
    energy = _Counting()
    with torch.no_grad():
        return [energy.calls for _ in islice(walk(sampler, energy, start(), rng=Rng(2)), steps)]


def nan_energy(subject: SamplerSubject) -> str:
    """Where the energy is NaN a chain refuses to go or becomes NaN itself within 3 steps, never hiding it."""
    grace = 0 if isinstance(subject.claims.law, Exact) else 3
    x = 0.3 * start(64)
    outside = torch.zeros(len(x), dtype=torch.long)
    finite = torch.ones(len(x), dtype=torch.bool)
    for here in states(build(subject), walled, x, 40):
        finite = as_rows(here.x).isfinite().all(1)
        beyond = finite & ~torch.isfinite(walled(here.x))
        outside = torch.where(beyond, outside + 1, 0)
        hidden = int((outside > grace).sum())
        demand(hidden == 0, f"{hidden} of {len(x)} chains go on at finite positions whose energy is NaN")
    lost = int((~finite).sum())
    return f"{lost} of {len(x)} chains became NaN" if lost else "refused"


def memory(subject: SamplerSubject) -> str:
    """1,000 steps (90 when quick) take no more memory than 30, and the state does not grow."""
    steps, warm, x = 90 if subject.quick else 1000, 30, start(400, (2, 8))
    size = resident = 0
    living: Alive = {}
    sampler = build(subject)  # held until the end: what it keeps would go with it
    for step, here in enumerate(states(sampler, bowl, x, steps), start=1):
        held = sum(value.nbytes for value in fields(here).values())
        if step == warm:
            size, resident, living = held, resident_bytes(), living_tensors()
        demand(
            step <= warm or held == size, f"after {step} steps the state grew from {size:,} to {held:,} bytes"
        )
    del here  # the last state may be large: it is no leak
    kept, grown = bytes_since(living), resident_bytes() - resident
    # A tenth of one position a step is far below any leak of tensors; what the allocator does is larger.
    allowed = (steps - warm) * x.nbytes
    demand(kept < allowed / 10, f"tensors of {kept / 1e6:.1f} MB stayed alive in {steps - warm} steps")
    demand(grown < allowed, f"memory grew by {grown / 1e6:.0f} MB in {steps - warm} steps")
    return f"{max(kept, grown, 0) / 1e6:.1f} MB in {steps - warm} steps"


def cost(subject: SamplerSubject) -> str:
    """A step costs the claimed number of energy evaluations; its time is compared with a Langevin step's."""
    sampler, x, steps = build(subject), start(64, (16,), torch.float32), 20
    energy, calls = Probe(), 0
    for step, _ in enumerate(states(sampler, energy, x, steps)):
        calls = energy.calls if step == 0 else calls
    evaluations = (energy.calls - calls) / (steps - 1)
    if subject.claims.gradients is not None:
        claimed = subject.claims.gradients(sampler)
        demand(
            evaluations == claimed,
            f"a step evaluates the energy {evaluations:g} times, {claimed} are claimed",
        )
    times = 3 if subject.quick else 9
    ratio = _best_seconds(sampler, x, times) / _best_seconds(Euler(), x, times)
    # Machines are noisy: only what cannot be noise fails.
    demand(
        ratio < 50 * max(evaluations, 1),
        f"a step takes {ratio:.0f} times as long as Langevin's, for {evaluations:g} evaluations",
    )
    plural = "" if evaluations == 1 else "s"
    return f"{evaluations:g} evaluation{plural}, {ratio:.1f} x Langevin's time"


def _best_seconds(sampler: Sampler, x: Tensor, times: int) -> float:
    """The fastest of several chains of 10 steps under a cheap energy."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        run_chain(sampler, bowl, x, steps=10, rng=Rng(2))
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


CHECKS = {
    "stops": stops,
    "nan-energy": nan_energy,
    "memory": memory,
    "cost": cost,
}
