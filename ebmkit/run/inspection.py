"""A look at what the parts of a run return, so that a plugin that breaks its promises is named.

A wrong shape broadcasts, a wrong dtype slows everything down, a NaN becomes a "diverged" training:
each shows far from where it was made. So before the first iteration, after the first few and then
rarely, every part is asked for a few rows on real data, and what comes back is compared with what
its kind promises. That costs a handful of evaluations of four examples; no draw and no weight of the
run changes by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import attrs
import torch
from torch import Tensor

from ebmkit.config.plan import Plan, key_of
from ebmkit.core import Chain, EnergyFn, LatentGenerator, Rng
from ebmkit.errors import EbmkitError, PluginError
from ebmkit.messages.blame import defined_at, nearest, place_in
from ebmkit.registry.discovery import Component
from ebmkit.run.fit import part_shapes
from ebmkit.run.promises import (
    FaultError,
    TargetFailedError,
    compare,
    look_at_encoder,
    look_at_energy,
    look_at_generator,
    look_at_sampler,
)
from ebmkit.training.loop import Experiment

__all__ = ["Inspector", "where"]

_ROWS = 4
_STEPS = 3
_FIRST = 3
_EVERY = 1000


_NAMED = ("energy", "generator", "encoder")
"""Slots that are attributes of every schedule; it may hold another part under them than the file names."""

_LOOKS: Mapping[str, Callable[..., None]] = {
    "energy": look_at_energy,
    "encoder": look_at_encoder,
    "generator": look_at_generator,
}
"""By the kind of part."""


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
                or raised; it names the part, its file and line, its plugin and its distribution.
            EbmkitError: ebmkit itself failed, where the part did not.
        """
        condition = self.experiment.batches[iteration].condition
        schedule = self.experiment.schedule.given(None if condition is None else condition[:_ROWS])
        rng = self.experiment.rng.fold_in("inspection", iteration)
        x: Tensor = self._ask("data", self._batch, iteration)
        energy, generator = schedule.energy, schedule.generator
        self._examine_others(x, rng)
        if schedule.encoder is not None:
            self._ask("encoder", look_at_encoder, schedule.encoder, x)
        if energy is not None:
            self._ask("energy", look_at_energy, energy, x)
            self._ask_sampler("revision", schedule.revision, "energy", energy, x, steps=steps, rng=rng)
        if generator is not None:
            z: Tensor = self._ask("generator", _latents, generator, len(x), rng)
            self._ask("generator", look_at_generator, generator, z, x)
            posterior, chain = generator.posterior(x), schedule.inference
            self._ask_sampler("inference", chain, "generator", posterior, z, steps=steps, rng=rng)

    def _examine_others(self, x: Tensor, rng: Rng) -> None:
        """The parts in slots of other names, where the schedule keeps them: ``coarse``, ``grids.16``."""
        shapes = part_shapes(self.plan, tuple(x.shape[1:]))
        for name, part in self.plan.parts.items():
            look = _LOOKS.get(part.component.kind)
            if look is None or name in _NAMED:
                continue
            module = self.experiment.schedule.get_submodule(name)
            shape = shapes.get(name)
            examples = x if shape is None else rng.fold_in(name).uniform(x.new_empty(len(x), *shape)) * 2 - 1
            if part.component.kind == "generator":
                z = self._ask(name, _latents, module, len(x), rng)
                self._ask(name, look_at_generator, module, z, examples)
            else:
                self._ask(name, look, module, examples)

    def where(self, error: Exception) -> str:
        """`` in sampler 'x' (plugin …), file:line``: in whose code an error was raised; or nothing."""
        return where(error, self.plan.components())

    def _batch(self, iteration: int) -> Tensor:
        source = self.experiment.batches.source
        x = self.experiment.batches[iteration].x[:_ROWS]
        compare(x, shape=(len(x), *source.shape), dtype=torch.float32)
        return x

    def _ask(self, table: str, question: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """The answer of a part, whose fault every exception is, but for those of the energy it was given."""
        try:
            return question(*arguments, **keywords)
        except (EbmkitError, TargetFailedError):
            raise
        except FaultError as fault:
            raise PluginError(self._accuse(table, str(fault), fault)) from None
        except Exception as error:
            raise PluginError(self._accuse(table, _raised(error), error)) from error

    def _ask_sampler(
        self,
        table: str,
        chain: Chain | None,
        behind: str,
        energy: EnergyFn,
        start: Tensor,
        *,
        steps: int,
        rng: Rng,
    ) -> None:
        """The answers of a chain's sampler; where the energy fails, the part ``behind`` it is named."""
        if chain is None:
            return
        count, noise = min(steps, chain.steps), rng.fold_in(table)
        try:
            self._ask(table, look_at_sampler, chain.sampler, energy, start, steps=count, rng=noise)
        except TargetFailedError as failed:
            raise PluginError(self._accuse(behind, _raised(failed.error), failed.error)) from failed.error

    def _component(self, table: str, error: BaseException) -> Component | None:
        """What a table names, or the part inside it whose code an error came from; None without the table."""
        if table not in self.plan.parts:  # the schedule brought it itself
            return None
        part = self.plan.parts[table]
        inside = [each.component for _, each in part.walk(key_of(table))]
        return _responsible(error, inside) or part.component

    def _accuse(self, table: str, what: str, error: Exception) -> str:
        component = self._component(table, error)
        if component is None:
            return f"[{table}] {what}"
        place, made = place_in(error, component.factory), defined_at(component.factory)
        told = f"at {place}" if place else f"of the class at {made}" if made else ""
        traceback = "" if isinstance(error, FaultError) else "; EBMKIT_DEBUG=1 shows the traceback"
        advice = f"ebmkit plugins check {component.kind}/{component.name} tells more{traceback}"
        return "\n".join([f"{component.owner} {what}", *([f"  {told}"] if told else []), advice])


def where(error: Exception, components: Iterable[Component]) -> str:
    """`` in sampler 'x' (plugin …), file:line``: in whose code an error was raised; or nothing."""
    component = _responsible(error, components)
    place = component and place_in(error, component.factory)
    return f" in {component.owner}, {place}" if component and place else ""


def _latents(generator: LatentGenerator, count: int, rng: Rng) -> Tensor:
    return generator.prior(count, rng=rng)


def _responsible(error: BaseException, components: Iterable[Component]) -> Component | None:
    """The one in whose own code an error was raised, or came nearest to it."""
    return nearest(error, {each: each.factory for each in components})


def _raised(error: Exception) -> str:
    return f"raised {type(error).__name__}: {error}"
