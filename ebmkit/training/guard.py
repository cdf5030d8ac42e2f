"""Watches a training for the signs of divergence, and remembers which checkpoints came before them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import attrs

from ebmkit.config import GuardTable
from ebmkit.core import texture_signs
from ebmkit.errors import CheckpointError, DivergedError
from ebmkit.training.loop import Report

__all__ = ["Guard", "Rollback", "easing"]

_EVERY = 10
"""Iterations between two looks at the images; the energies are looked at every time."""

_WATCH = 0.5
"""At this share of its limit a sign is a warning: checkpoints of such iterations are not gone back to."""

_HISTORY = 100
_FEW = 20
_TRUSTED = 2

_MEANING = {
    "energy": "the loss of the energy is {value:.3g} times its usual size: energies run away",
    "roughness": "the revised samples are {value:.3g} times as rough as the data: salt and pepper",
    "saturation": "{value:.0%} of the revised pixels stick at the ends of the data's range",
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


@final
@attrs.define
class Guard:
    """Signs of divergence beyond the numbers that are not finite, as a state that is saved with a run.

    The signs, each against its limit in ``[guard]``:

    - energy: |loss of the energy| over its median of the last 100 iterations. In the three schedules
      the loss is E(observed) - E(revised).
    - ``roughness`` and ``saturation`` of the revised samples (``ebmkit.core.texture_signs``), every tenth
      iteration. A training that starts from noise begins with both, so each counts only after it has
      been below half its limit once.

    At half its limit a sign is a warning. A checkpoint is *trusted*, and may be gone back to, when
    ``healthy_after`` iterations after it have passed without any. Everything the guard remembers is in
    ``facts()``, so a resumed run decides as the uninterrupted one.

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
                raise DivergedError(f"iteration {report.iteration}: {_MEANING[name].format(value=value)}")
        watched = {name for name, value in signs.items() if value > _WATCH * limits[name]}
        self._seen_healthy |= signs.keys() - watched
        self._warnings = (self._warnings - signs.keys()) | (watched & self._seen_healthy)
        self._trust(report.iteration)

    def saved(self, iteration: int) -> None:
        """A checkpoint of this iteration is about to be written; call before ``facts``."""
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

    def facts(self) -> dict[str, Any]:
        """The state as a fact of a checkpoint, JSON."""
        return {"guard": self._as_json()}

    def _as_json(self) -> dict[str, Any]:
        return {
            "rollbacks": [rollback._asdict() for rollback in self.rollbacks],
            "trusted": self.trusted,
            "pending": self.pending,
            "losses": self._losses,
            "seen_healthy": sorted(self._seen_healthy),
            "warnings": sorted(self._warnings),
        }

    @classmethod
    def remembering(cls, settings: GuardTable, facts: Mapping[str, Any]) -> Guard:
        """The guard of a checkpoint's facts; a new one where it has none.

        Raises:
            CheckpointError: they are none that ``facts`` gave.
        """
        if "guard" not in facts:
            return cls(settings)
        try:
            return cls._from_json(settings, facts["guard"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint's 'guard' cannot be read: {error!r}") from None

    @classmethod
    def _from_json(cls, settings: GuardTable, facts: Mapping[str, Any]) -> Guard:
        pending = facts["pending"]
        return cls(
            settings,
            [_rollback(settings, each) for each in facts["rollbacks"]],
            [int(each) for each in facts["trusted"]],
            None if pending is None else int(pending),
            [float(each) for each in facts["losses"]],
            {str(each) for each in facts["seen_healthy"]},
            {str(each) for each in facts["warnings"]},
        )

    @classmethod
    def returning(cls, settings: GuardTable, facts: Mapping[str, Any], rollbacks: list[Rollback]) -> Guard:
        """The guard after a rollback to the checkpoint with these facts, which is not gone back to again."""
        guard = cls.remembering(settings, facts)
        guard.rollbacks, guard.pending = rollbacks, None
        return guard

    def _measure(self, report: Report) -> dict[str, float]:
        signs = {}
        if "loss_energy" in report.stats:
            loss = abs(float(report.stats["loss_energy"]))
            if len(self._losses) >= _FEW:
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


def _rollback(settings: GuardTable, entry: Mapping[str, Any]) -> Rollback:
    """A rollback out of JSON. One from before factors were remembered had those of the table throughout."""
    known = {"step_factor": settings.step_factor, "rate_factor": settings.rate_factor, **entry}
    return Rollback(
        int(known["iteration"]),
        int(known["to"]),
        str(known["reason"]),
        float(known["step_factor"]),
        float(known["rate_factor"]),
    )
