"""A look at what the parts of a run return, so that a plugin that breaks its promises is named.

A wrong shape broadcasts, a wrong dtype slows everything down, a NaN becomes a "diverged" training:
each shows far from where it was made. So before the first iteration, after the first few and then
rarely, every part is asked for a few rows on real data, and what comes back is compared with what
its kind promises. That costs a handful of evaluations of four examples; no draw and no weight of the
run changes by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Chain, EnergyFn, Rng, value_and_gradient
from ebmkit.core.chain import walk
from ebmkit.core.evaluating import evaluating
from ebmkit.errors import EbmkitError, PluginError
from ebmkit.plan import Plan
from ebmkit.registry import Component
from ebmkit.training import Experiment

__all__ = ["Inspector"]

_ROWS = 4
_STEPS = 3
_FIRST = 3
_EVERY = 1000
_FAR = 100.0
"""A chain this many times larger than what it started from has run away: nobody's broken promise."""


class _FaultError(Exception):
    """What a part did wrong."""


@final
@attrs.frozen
class Inspector:
    """Examines the parts of a run.

    Attributes:
        plan: says which plugin each part comes from.
        experiment: holds the parts.
    """

    plan: Plan
    experiment: Experiment

    def is_due(self, iteration: int) -> bool:
        """Whether to look after this many iterations: the first ones, then every thousandth."""
        return iteration <= _FIRST or iteration % _EVERY == 0

    def examine(self, iteration: int, *, steps: int = _STEPS) -> None:
        """Ask every part for a few rows on the data of an iteration.

        Args:
            iteration: whose batch is used.
            steps: of each sampler, at most as many as its chain has.

        Raises:
            PluginError: a part returned a wrong shape, dtype or device, or a number that is not finite,
                or raised; it names the part, its plugin and its distribution.
        """
        schedule = self.experiment.schedule
        rng = self.experiment.rng.fold("inspection", iteration)
        x = self._ask("data", self._batch, iteration)
        energy, generator = getattr(schedule, "energy", None), getattr(schedule, "generator", None)
        z = None
        if energy is not None:
            self._ask("energy", _examine_energy, energy, x)
        if generator is not None:
            z = generator.prior(len(x), rng=rng)
            self._ask("generator", _examine_generator, generator, z, x)
        for name, target, start in (
            ("revision", energy, x),
            ("inference", generator.posterior(x) if generator is not None else None, z),
        ):
            chain = getattr(schedule, name, None)
            if isinstance(chain, Chain) and target is not None and start is not None:
                count = min(steps, chain.steps)
                self._ask(name, _examine_sampler, chain, target, start, count, rng.fold(name))

    def where(self, traceback: TracebackType | None) -> str:
        """`` in sampler 'x' (plugin …), file:line``: in whose code an error was raised; or nothing."""
        packages = {
            part.component.place.partition(".")[0]: part.component for part in self.plan.parts.values()
        }
        found = ""
        while traceback is not None:
            frame = traceback.tb_frame
            component = packages.get(frame.f_globals.get("__name__", "").partition(".")[0])
            if component is not None:
                found = f" in {component.owner}, {frame.f_code.co_filename}:{traceback.tb_lineno}"
            traceback = traceback.tb_next
        return found

    def _batch(self, iteration: int) -> Tensor:
        source = self.experiment.batches.source
        x = self.experiment.batches[iteration].x[:_ROWS]
        _compare(x, shape=(len(x), *source.shape), dtype=torch.float32)
        return x

    def _ask(self, table: str, question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer of a part, whose fault every exception is."""
        try:
            return question(*arguments)
        except EbmkitError:
            raise
        except _FaultError as fault:
            raise PluginError(self._accuse(table, str(fault))) from None
        except Exception as error:
            raise PluginError(self._accuse(table, f"raised {type(error).__name__}: {error}")) from error

    def _accuse(self, table: str, what: str) -> str:
        part = self.plan.parts.get(table)
        if part is None:  # the schedule brought it itself
            return f"[{table}] {what}"
        component: Component = part.component
        advice = f"ebmkit plugins check {component.kind}/{component.name} tells more"
        return f"{component.owner} {what}\n{advice}"


def _examine_energy(energy: EnergyFn, x: Tensor) -> None:
    with evaluating(energy):
        value = energy(x)
        _compare(value, shape=(len(x),), device=x.device)
        _compare(value_and_gradient(energy, x).gradient, shape=tuple(x.shape), what="a gradient of")


def _examine_generator(generator: Callable[[Tensor], Tensor], z: Tensor, x: Tensor) -> None:
    with torch.no_grad(), evaluating(generator):
        _compare(generator(z), shape=tuple(x.shape), dtype=z.dtype, device=x.device)


def _examine_sampler(chain: Chain, energy: EnergyFn, start: Tensor, steps: int, rng: Rng) -> None:
    limit = _FAR * max(float(start.abs().max()), 1.0)
    kept = before = start.clone()
    with torch.no_grad(), evaluating(energy):
        moves = walk(chain.sampler, energy, start, rng=rng)
        for step in range(steps):
            state, info = next(moves)
            if not isinstance(getattr(state, "x", None), Tensor):
                raise _FaultError(f"returned a state without a tensor x: {type(state).__name__}")
            what = f"at step {step + 1} a state x of"
            finite = bool(torch.isfinite(state.x).all())
            _compare(
                state.x if finite else torch.zeros_like(state.x),
                shape=tuple(start.shape),
                dtype=start.dtype,
                device=start.device,
                what=what,
            )
            if not finite:
                if not bool(torch.isfinite(value_and_gradient(energy, before).gradient).all()):
                    return  # the energy's doing, and a divergence of the training
                raise _FaultError(f"returned {what} numbers that are not finite, from ones that are")
            _examine_info(info)
            before = state.x.clone()
            if float(state.x.abs().max()) > limit:
                return
    if not torch.equal(start, kept):
        raise _FaultError("changed the x that it was given; a step returns a new state")


def _examine_info(info: Any) -> None:
    if not isinstance(info, Mapping):
        raise _FaultError(f"returned an info that is no mapping: {type(info).__name__}")
    for name, value in info.items():
        if not isinstance(value, Tensor):
            raise _FaultError(f"watches {name!r} with a {type(value).__name__}, not a tensor")


def _compare(
    given: Any,
    *,
    shape: tuple[int, ...],
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    what: str = "something of",
) -> None:
    """Hold what a part returned against what it promised.

    Raises:
        _FaultError: saying both.
    """
    if not isinstance(given, Tensor):
        raise _FaultError(f"returned a {type(given).__name__}, not a tensor")
    if tuple(given.shape) != shape:
        raise _FaultError(f"returned {what} shape {tuple(given.shape)}, where {shape} is promised")
    if not given.dtype.is_floating_point or (dtype is not None and given.dtype != dtype):
        wanted = dtype or "a floating-point type"
        raise _FaultError(f"returned {what} dtype {given.dtype}, where {wanted} is promised")
    if device is not None and given.device != device:
        raise _FaultError(f"returned {what} device {given.device}, where {device} is promised")
    if not bool(torch.isfinite(given).all()):
        raise _FaultError(f"returned {what} numbers that are not finite, from ones that are")
