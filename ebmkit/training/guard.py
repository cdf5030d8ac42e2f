"""Watches a training for the signs of divergence, and remembers which checkpoints came before them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import attrs

from ebmkit.config import GuardTable
from ebmkit.core import texture_signs
from ebmkit.core.rows import coordinate_of
from ebmkit.errors import DivergedError
from ebmkit.training.loop import Report

__all__ = ["Guard", "Memory", "Rollback", "easing"]

_EVERY = 10
"""Iterations between two looks at the samples; the energies are looked at every time."""

_WATCH = 0.5
"""At this share of its limit a sign is a warning: checkpoints of such iterations are not gone back to."""

_HISTORY = 100
_TRUSTED = 2

_MEANING = {
    "energy": "the loss of the energy is {value:.3g} times its usual size: energies run away",
    "roughness": "the revised samples are {value:.3g} times as rough as the data: salt and pepper",
    "saturation": "{value:.0%} of the revised {coordinate}s stick at the ends of the data's range",
}


class Rollback(NamedTuple):
    """One return to an earlier checkpoint.

    Attributes:
        iteration: that diverged.
        to: the iteration gone back to; 0 is the start.
        reason: what was seen.
        step_factor: what it multiplied the revision's step by: ``[guard]`` at that time.
        rate_factor: likewise the learning rates.
    """

    iteration: int
    to: int
    reason: str
    step_factor: float = 1.0
    rate_factor: float = 1.0


def easing(rollbacks: Sequence[Rollback]) -> tuple[float, float]:
    """What the step and the learning rates are multiplied by after these rollbacks.

    Examples:
        >>> easing([Rollback(9, 4, "", rate_factor=0.5), Rollback(9, 2, "", rate_factor=0.5)])
        (1.0, 0.25)
    """
    return (
        math.prod(each.step_factor for each in rollbacks),
        math.prod(each.rate_factor for each in rollbacks),
    )


def _meaning(sign: str, value: float, report: Report) -> str:
    """What this value of a sign says, in the words of the data."""
    x = report.examples.revised
    return _MEANING[sign].format(value=value, coordinate="coordinate" if x is None else coordinate_of(x))


@final
@attrs.frozen
class Memory:
    """What a guard remembers, as a checkpoint holds it.

    Attributes:
        rollbacks: all there were, oldest first.
        trusted: iterations of the last two trusted checkpoints, oldest first.
        pending: the iteration of a checkpoint that is not trusted yet.
        losses: of the energy, those of the last iterations.
        seen_healthy: signs that were below half their limit once.
        warnings: signs that are above half their limit.
    """

    rollbacks: tuple[Rollback, ...] = ()
    trusted: tuple[int, ...] = ()
    pending: int | None = None
    losses: tuple[float, ...] = ()
    seen_healthy: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The memory as JSON."""
        return {**attrs.asdict(self, recurse=False), "rollbacks": [each._asdict() for each in self.rollbacks]}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], factors: Mapping[str, float]) -> Memory:
        """Read what ``to_json`` wrote.

        Args:
            entry: the JSON.
            factors: ``step_factor`` and ``rate_factor`` of rollbacks that do not say them.

        Raises:
            KeyError: something is missing.
            ValueError, TypeError, OverflowError: something is no number.
        """
        pending = entry["pending"]
        return cls(
            tuple(_rollback({**factors, **each}) for each in entry["rollbacks"]),
            tuple(int(each) for each in entry["trusted"]),
            None if pending is None else int(pending),
            tuple(float(each) for each in entry["losses"]),
            tuple(str(each) for each in entry["seen_healthy"]),
            tuple(str(each) for each in entry["warnings"]),
        )


def _rollback(entry: Mapping[str, Any]) -> Rollback:
    return Rollback(
        int(entry["iteration"]),
        int(entry["to"]),
        str(entry["reason"]),
        float(entry.get("step_factor", 1.0)),
        float(entry.get("rate_factor", 1.0)),
    )


@final
@attrs.define
class Guard:
    """Signs of divergence beyond the numbers that are not finite, as a state that is saved with a run.

    The signs, each against its limit in ``[guard]``:

    - energy: |loss of the energy| over its median of the last 100 iterations. In the three schedules
      the loss is E(observed) - E(revised). Not in the first 100: there it grows from next to nothing to
      hundreds of thousands of nats.
    - ``roughness`` and ``saturation`` of the revised samples (``ebmkit.core.texture_signs``), every tenth
      iteration. A training that starts from noise begins with both, so each counts only after it has
      been below half its limit once.

    At half its limit a sign is a warning. A checkpoint is *trusted*, and may be gone back to, when
    ``healthy_after`` iterations after it have passed without any. Everything the guard remembers is in
    ``memory``, so a resumed run decides as the uninterrupted one.

    Attributes:
        settings: the table.
        rollbacks: all there were, oldest first.
        trusted: iterations of the last two trusted checkpoints, oldest first.
        pending: the iteration of a checkpoint that is not trusted yet.
    """

    settings: GuardTable
    rollbacks: list[Rollback] = attrs.field(factory=list)
    trusted: list[int] = attrs.field(factory=list)
    pending: int | None = None
    _losses: list[float] = attrs.field(factory=list)
    _seen_healthy: set[str] = attrs.field(factory=set)
    _warnings: set[str] = attrs.field(factory=set)

    def check(self, report: Report) -> None:
        """Take in one iteration.

        Raises:
            DivergedError: a sign is over its limit.
        """
        limits = {
            "energy": self.settings.energy_limit,
            "roughness": self.settings.roughness_limit,
            "saturation": self.settings.saturation_limit,
        }
        signs = self._measure(report)
        for name, value in signs.items():
            if name in self._seen_healthy and not value <= limits[name]:
                raise DivergedError(f"iteration {report.iteration}: {_meaning(name, value, report)}")
        watched = {name for name, value in signs.items() if value > _WATCH * limits[name]}
        self._seen_healthy |= signs.keys() - watched
        self._warnings = (self._warnings - signs.keys()) | (watched & self._seen_healthy)
        self._trust(report.iteration)

    def saved(self, iteration: int) -> None:
        """A checkpoint of this iteration is about to be written; call before ``memory``."""
        if self.pending is None and not self._warnings:
            self.pending = iteration

    @property
    def protected(self) -> set[int]:
        """Iterations whose checkpoints must stay."""
        return {*self.trusted, *([] if self.pending is None else [self.pending])}

    def may_return(self, iteration: int) -> bool:
        """Whether the window of this iteration has a rollback left."""
        recent = [each for each in self.rollbacks if each.iteration > iteration - self.settings.window]
        return len(recent) < self.settings.rollbacks

    @property
    def memory(self) -> Memory:
        """The state as a checkpoint remembers it."""
        return Memory(
            tuple(self.rollbacks),
            tuple(self.trusted),
            self.pending,
            tuple(self._losses),
            tuple(sorted(self._seen_healthy)),
            tuple(sorted(self._warnings)),
        )

    @classmethod
    def remembering(cls, settings: GuardTable, memory: Memory | None) -> Guard:
        """The guard of a checkpoint; a new one where it remembers none."""
        if memory is None:
            return cls(settings)
        return cls(
            settings,
            list(memory.rollbacks),
            list(memory.trusted),
            memory.pending,
            list(memory.losses),
            set(memory.seen_healthy),
            set(memory.warnings),
        )

    @classmethod
    def returning(cls, settings: GuardTable, memory: Memory | None, rollbacks: list[Rollback]) -> Guard:
        """The guard after a rollback to the checkpoint that remembers this; not gone back to again."""
        guard = cls.remembering(settings, memory)
        guard.rollbacks, guard.pending = rollbacks, None
        return guard

    def _measure(self, report: Report) -> dict[str, float]:
        signs = {}
        if "loss_energy" in report.stats:
            loss = abs(float(report.stats["loss_energy"]))
            if len(self._losses) == _HISTORY:
                signs["energy"] = loss / max(statistics.median(self._losses), 1e-30)
            self._losses = [*self._losses, loss][-_HISTORY:]
        if report.iteration % _EVERY:
            return signs
        examples = report.gathered().examples  # of all processes, so that all decide alike
        if examples.revised is not None and examples.observed is not None:
            signs |= {
                name: float(value)
                for name, value in texture_signs(examples.revised, examples.observed).items()
            }
        return signs

    def _trust(self, iteration: int) -> None:
        if self._warnings:
            self.pending = None
        elif self.pending is not None and iteration >= self.pending + self.settings.healthy_after:
            self.trusted = [*self.trusted, self.pending][-_TRUSTED:]
            self.pending = None
