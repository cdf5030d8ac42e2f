"""The tracker: where the figures and pictures of a run go, beside its own folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Tracker"]


class Tracker(ABC):
    """Watches a run and can neither change nor stop it.

    One that raises is left out from then on, with one warning; only ``finish`` is called still. Calls come in
    this order: ``start`` once, ``metrics`` and ``images`` as often as the run records them, ``finish`` once.
    A resumed run makes a new tracker and starts it at the iteration it goes on from: iterations after that
    one may come a second time. Of several processes only the first calls its trackers.
    """

    def start(self, *, name: str, folder: Path, config: Mapping[str, Any], iteration: int) -> None:  # noqa: B027
        """Called before anything is recorded.

        Args:
            name: of the run.
            folder: of the run; a tracker that writes files makes a folder of its own in it.
            config: the resolved run file, every key with its value.
            iteration: how many are done: 0 for a new run.
        """

    @abstractmethod
    def metrics(self, iteration: int, values: Mapping[str, float]) -> None:
        """Figures of an iteration, by the names they have in ``metrics.jsonl``.

        Args:
            iteration: counted from 1.
            values: losses, gradient norms, energies, seconds; one may be infinite or NaN.
        """

    def images(self, iteration: int, name: str, examples: Tensor) -> None:  # noqa: B027
        """Examples that the run shows, where they are images or sequences; of these, plots.

        Args:
            iteration: counted from 1.
            name: of the set: ``revised``, ``observed``, ``proposal``, ``reconstructed``.
            examples: ``(n, C, H, W)`` in [-1, 1], detached, on the CPU.
        """

    def finish(self, status: str) -> None:  # noqa: B027
        """Called once at the end, however the run ends, unless the process is killed.

        Args:
            status: ``finished`` with its last iteration, ``stopped`` by a signal, ``diverged`` or ``failed``.
        """
