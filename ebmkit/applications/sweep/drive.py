"""Driving a sweep: one trial after the other, each a run in a folder of its own."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, final

import attrs
from rich.console import Console

from ebmkit.applications.sweep.study import Study, Trial
from ebmkit.errors import ConfigError, DivergedError, EbmkitError, RunDirectoryInUseError
from ebmkit.report.console import say, warn
from ebmkit.report.metrics import read_metrics
from ebmkit.run.signals import EXIT_CODES, StopFlag
from ebmkit.run.start import resume_run, start_run

__all__ = ["drive", "refuse_several_processes"]


def refuse_several_processes() -> None:
    """A sweep is shared by starting it several times, not by processes that train one run together.

    Raises:
        ConfigError: there are such processes.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            "ebmkit sweep trains each trial in one process: start the same command several times instead of "
            "torchrun, and they share the trials"
        )


def drive(study: Study, console: Console, stop: StopFlag) -> int:
    """Train every trial that is to be had: those that were interrupted, then new ones.

    Args:
        study: the trials.
        console: what the runs say.
        stop: ends the trial under way, saved, and the sweep.

    Returns:
        0, or the exit code of a signal.
    """
    while not stop.requested():
        with study.next() as trial:
            if trial is None:
                return 0
            _Training(study, trial, console, stop).run()
    return EXIT_CODES[stop.received or signal.SIGINT]


@final
@attrs.define
class _Training:
    """One trial being trained by this process."""

    study: Study
    trial: Trial
    console: Console
    stop: StopFlag
    _pruned: bool = False

    def run(self) -> None:
        """Train it, and write down what came of it; a trial that a signal stops stays as it is."""
        trial = self.trial
        values = ", ".join(f"{key} = {value}" for key, value in trial.values.items())
        say(self.console, f"\ntrial {trial.number} of {self.study.file.trials}: {values}")
        try:
            code = self._train()
        except RunDirectoryInUseError as error:
            warn(self.console, f"warning: {error}; trial {trial.number} is left to it")
        except EbmkitError as error:
            warn(self.console, f"error: {error}")
            state: Any = "diverged" if isinstance(error, DivergedError) else "failed"
            self.study.fail(trial, state, error.exit_code, str(error).partition("\n")[0])
        else:
            self._end(code)

    def _train(self) -> int:
        """The exit code of its run, which is started, or resumed where it was interrupted."""
        plan, folder = self.study.file.plan(self.trial.values), self.trial.folder
        # The runs of a sweep are what `ebmkit run` makes: everything else works on them too.
        train: Callable[..., int] = resume_run if folder.config.is_file() else start_run
        last = plan.run.iterations
        return train(
            plan,
            folder,
            self.console,
            stop=self.stop,
            watch=lambda at, figures: self._watch(at, figures, last),
        )

    def _watch(self, iteration: int, figures: Mapping[str, float], last: int) -> None:
        """Write down what it is worth so far, and end it where that is little."""
        value = figures.get(self.study.file.table.metric)
        if value is None or not math.isfinite(value):
            return
        hopeless = self.study.report(self.trial, iteration, value)
        if hopeless and iteration < last and not self.stop.requested():
            self._pruned = True
            self.stop.ask(signal.SIGTERM)

    def _end(self, code: int) -> None:
        if self._pruned:
            self.stop.forget()
            self.study.prune(self.trial)
        elif code == 0:
            self._finish()

    def _finish(self) -> None:
        """Write down its value: the last one of the metric that its run logged."""
        metric = self.study.file.table.metric
        lines = read_metrics(self.trial.folder.metrics)
        values = [line[metric] for line in lines if metric in line]
        if values and math.isfinite(values[-1]):
            self.study.finish(self.trial, values[-1])
            return
        names = dict.fromkeys(name for line in lines for name in line if name != "iteration")
        logged = ", ".join(name for name in names if not name.startswith("seconds_"))
        reason = f"its last {metric} is not finite" if values else f"it logged no {metric}, but: {logged}"
        warn(self.console, f"error: trial {self.trial.number}: {reason}")
        self.study.fail(self.trial, "failed", 0, reason)
