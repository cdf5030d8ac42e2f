"""Graphs that were made, those that could not be, and what was told about them.

Destroying one CUDA graph frees a workspace that others captured on the same stream go on using. So graphs
come and go in generations: when one is full, all of it goes at once, after whatever runs has ended.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from threading import Lock, RLock
from typing import final

import attrs
import torch

from ebmkit.core.graph.compiling import Function
from ebmkit.core.graph.stride import Form

__all__ = ["Generation", "Graph", "Shelf", "settle"]

_MOST = 8


@final
@attrs.frozen(eq=False)
class Graph:
    """K steps, ready to run.

    Attributes:
        form: of inputs and outputs.
        run: from the ones to the others.
        device: where.
    """

    form: Form
    run: Function
    device: torch.device


Generation = dict[Hashable, Graph]
"""Graphs by everything but their inputs. A chain holds all of it while it runs in one of them."""


@final
class Shelf:
    """One generation of graphs, and what is known not to be one."""

    def __init__(self) -> None:
        self._lock, self._making = RLock(), Lock()
        self.generation: Generation = {}
        self._unfit: set[Hashable] = set()
        self._told: set[str] = set()

    def find(self, name: Hashable, make: Callable[[], Graph]) -> tuple[Generation, Graph] | None:
        """The graph of that name, made if there is none yet; None for one that is unfit.

        One is made at a time: other threads that need one wait, those that have theirs go on.
        """
        if name in self._unfit:
            return None
        if (known := self._known(name)) is not None:
            return known
        with self._making:
            if name in self._unfit:
                return None
            return self._known(name) or self._keep(name, make())

    def kept(self) -> list[bool]:
        """Of each graph that was tried and is remembered, whether it is one."""
        with self._lock:
            return [True] * len(self.generation.keys() - self._unfit) + [False] * len(self._unfit)

    def refuse(self, name: Hashable) -> None:
        """Never make or use that one again in this process."""
        with self._lock:
            self._unfit.add(name)

    def warn(self, message: str) -> None:
        """Tell it once."""
        with self._lock:
            if message in self._told:
                return
            self._told.add(message)
        warnings.warn(message, RuntimeWarning, stacklevel=4)

    def retire(self) -> None:
        """Let the whole generation go, after all that runs in it has ended."""
        with self._lock:
            settle(self.generation)
            self.generation = {}

    def forget(self) -> None:
        """Let everything go."""
        self.retire()
        with self._lock:
            self._unfit.clear()
            self._told.clear()

    def _known(self, name: Hashable) -> tuple[Generation, Graph] | None:
        with self._lock:
            graph = self.generation.get(name)
            return None if graph is None else (self.generation, graph)

    def _keep(self, name: Hashable, graph: Graph) -> tuple[Generation, Graph]:
        with self._lock:
            if len(self.generation) >= _MOST:
                self.retire()
            self.generation[name] = graph
            return self.generation, graph


def settle(generation: Generation) -> None:
    """Wait for all that was launched on the GPUs of these graphs."""
    for device in {graph.device for graph in generation.values() if graph.device.type == "cuda"}:
        torch.cuda.synchronize(device)
