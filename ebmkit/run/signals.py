"""Signals that end a run: Ctrl-C, what batch systems send, and a closed terminal."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import final

from ebmkit.errors import EndedBySignal

__all__ = ["EXIT_CODES", "StopFlag", "catch_signals"]

_OF_BATCH_SYSTEMS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGHUP)
"""What they send before they kill: at the end of a reservation, of processor time, of a connection."""

EXIT_CODES: Mapping[int, int] = {signal.SIGINT: 130, **dict.fromkeys(_OF_BATCH_SYSTEMS, 75)}
"""The exit code of a run that a signal ended, by the signal."""

_SECONDS_OF_AN_ECHO = 0.3


@final
class StopFlag:
    """Remembers the first signal. Before anything can be lost, the process ends at once; later the run does.

    While it trains, a second Ctrl-C ends the process at once. One within 0.3 s of the first is its echo
    (a launcher hands on what the terminal sent to everybody already), and a batch system that repeats
    itself is no reason to leave a save half done.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._when = 0.0
        self._keeps = False

    def keep(self) -> None:
        """From now on there is something to save: leave the end to the run."""
        self._keeps = True

    def requested(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    def ask(self, number: int) -> None:
        """End the run as this signal would: at the end of its iteration, saved."""
        if self.received is None:
            self.received, self._when = number, time.monotonic()

    def forget(self) -> None:
        """Let another run begin."""
        self.received = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        del frame
        again = self.received is not None and time.monotonic() - self._when > _SECONDS_OF_AN_ECHO
        self.ask(number)
        if not self._keeps:
            print("stopped before training began; nothing was changed", file=sys.stderr)  # noqa: T201
            raise EndedBySignal(EXIT_CODES[number])
        if again and number == signal.SIGINT:
            print("stopped at once; the last checkpoint is intact", file=sys.stderr)  # noqa: T201
            raise EndedBySignal(EXIT_CODES[number])


@contextmanager
def catch_signals() -> Iterator[StopFlag]:
    """Catch Ctrl-C and the signals of batch systems for the time of a command.

    Those that are ignored when it starts stay so: ``nohup`` ignores SIGHUP, and a shell ignores Ctrl-C for
    what it starts in the background.
    """
    flag = StopFlag()
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    caught = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in caught:
        signal.signal(number, flag)
    try:
        yield flag
    finally:
        for number in caught:
            signal.signal(number, before[number] or signal.SIG_DFL)  # None was not set from Python
