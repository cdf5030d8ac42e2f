"""The trials of a sweep, written down by Optuna in a file that several processes and machines may share.

A process that takes a trial holds a lock for as long as it trains it, and the kernel gives that back however
the process ends: so a trial that is written down as running, and whose lock is free, was interrupted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import attrs

from ebmkit.applications.sweep.file import SweepFile
from ebmkit.applications.sweep.ranges import Range
from ebmkit.config import as_toml
from ebmkit.errors import RunDirectoryInUseError
from ebmkit.storage.durable import make_folder
from ebmkit.storage.folder import RunFolder

__all__ = ["State", "Study", "Trial", "alone"]

State: TypeAlias = Literal["finished", "pruned", "diverged", "failed", "running", "resumable"]
"""Of a trial; resumable is one that was interrupted."""

_WAIT = 0.05
"""Seconds until a lock that another process holds for a moment is tried again."""

_CLAIMS = ".claims"


@final
@attrs.frozen
class Trial:
    """One trial.

    Attributes:
        number: from 0.
        values: as TOML, by ``table.key``.
        folder: of its run.
        state: how it is doing.
        value: of the metric; None where it has none.
        exit_code: of a run that failed.
        reason: why it did.
    """

    number: int
    values: Mapping[str, str]
    folder: RunFolder
    state: State
    value: float | None = None
    exit_code: int = 0
    reason: str = ""


@final
@attrs.define
class Study:
    """The trials of a sweep.

    Attributes:
        file: what is searched.
        folder: of the sweep.
    """

    file: SweepFile
    folder: Path
    _optuna: Any
    _study: Any
    _storage: Any
    _tried: set[int] = attrs.field(factory=set)

    def trials(self) -> list[Trial]:
        """All there are, by number."""
        waiting = self._optuna.trial.TrialState.WAITING
        return [self._trial(each) for each in self._study.get_trials() if each.state != waiting]

    @contextmanager
    def next(self) -> Iterator[Trial | None]:
        """A trial of this process's own for the time of the block: an interrupted one first, then a new one.

        None where all are done or with other processes; one is not offered twice by the same study.
        """
        with ExitStack() as held:
            with alone(self.folder):
                trial = self._take(held)
            yield trial

    def report(self, trial: Trial, iteration: int, value: float) -> bool:
        """Write down what a trial is worth so far; whether it is to be ended."""
        asked = self._optuna.trial.Trial(self._study, self._id(trial))
        known = self._storage.get_trial(self._id(trial)).intermediate_values
        if iteration not in known:  # a resumed trial says some again
            asked.report(value, iteration)
        return bool(asked.should_prune())

    def finish(self, trial: Trial, value: float) -> None:
        """Write down what a trial is worth."""
        self._study.tell(trial.number, value)

    def prune(self, trial: Trial) -> None:
        """Write down that a trial was ended early."""
        self._study.tell(trial.number, state=self._optuna.trial.TrialState.PRUNED)

    def fail(self, trial: Trial, state: State, exit_code: int, reason: str) -> None:
        """Write down why a trial is worth nothing."""
        noted = {"state": state, "exit_code": exit_code, "reason": reason}
        self._storage.set_trial_user_attr(self._id(trial), "failure", noted)
        self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)

    def _id(self, trial: Trial) -> int:
        study = self._storage.get_study_id_from_name(self._study.study_name)
        found: int = self._storage.get_trial_id_from_study_id_trial_number(study, trial.number)
        return found

    def _take(self, held: ExitStack) -> Trial | None:
        trials = self.trials()
        for trial in trials:
            if trial.state not in ("running", "resumable") or trial.number in self._tried:
                continue
            if self._claimed(trial.number, held):
                return trial
        if len(trials) >= self.file.trials:
            return None
        trial = self._trial(self._ask(len(trials)))
        self._claimed(trial.number, held)
        return trial

    def _claimed(self, number: int, held: ExitStack) -> bool:
        """Hold a trial, if no other process does."""
        claim = RunFolder(self.folder / _CLAIMS / f"{number:04}")
        make_folder(claim.path)
        try:
            held.enter_context(claim.locked())
        except RunDirectoryInUseError:
            return False
        self._tried.add(number)
        return True

    def _ask(self, number: int) -> Any:
        """A new trial. Its values are a function of the seed, its number and the trials before it."""
        table, samplers = self.file.table, self._optuna.samplers
        seed = int.from_bytes(hashlib.sha256(f"{table.seed} {number}".encode()).digest()[:4], "big")
        if table.sampler == "grid":
            if not self._study.get_trials(states=(self._optuna.trial.TrialState.WAITING,)):
                self._study.enqueue_trial(dict(self.file.point(number)))
        else:
            kind = samplers.TPESampler if table.sampler == "tpe" else samplers.RandomSampler
            self._study.sampler = kind(seed=seed)
        distributions = {each.key: self._distribution(each) for each in self.file.ranges}
        asked = self._study.ask(distributions)
        return next(each for each in self._study.get_trials() if each.number == asked.number)

    def _distribution(self, values: Range) -> Any:
        kinds = self._optuna.distributions
        if self.file.table.sampler == "grid" or values.choices:
            return kinds.CategoricalDistribution(tuple(values.points()))
        if values.whole:
            step = int(values.step or 1)
            return kinds.IntDistribution(values.low, values.high, log=values.log, step=step)
        return kinds.FloatDistribution(values.low, values.high, log=values.log, step=values.step)

    def _trial(self, found: Any) -> Trial:
        texts = {
            key: value if isinstance(value, str) else as_toml(value) for key, value in found.params.items()
        }
        failure = found.user_attrs.get("failure", {})
        return Trial(
            found.number,
            texts,
            RunFolder(self.folder / f"{found.number:04}"),
            self._state(found, failure),
            found.value if found.state == self._optuna.trial.TrialState.COMPLETE else None,
            failure.get("exit_code", 0),
            failure.get("reason", ""),
        )

    def _state(self, found: Any, failure: Mapping[str, Any]) -> State:
        states = self._optuna.trial.TrialState
        if found.state == states.RUNNING:
            claim = RunFolder(self.folder / _CLAIMS / f"{found.number:04}")
            return "resumable" if claim.held_since() is None else "running"
        named: dict[Any, State] = {states.COMPLETE: "finished", states.PRUNED: "pruned"}
        return named.get(found.state) or failure.get("state", "failed")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Do something to a sweep that one process at a time does."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(RunFolder(folder).locked())
                break
            except RunDirectoryInUseError:
                time.sleep(_WAIT)
        yield
