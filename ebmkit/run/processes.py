"""The processes that torchrun started: they find each other, agree, and tell which of them is gone."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar, final

import torch
from torch import Tensor, distributed
from torch.distributed.rendezvous import rendezvous

from ebmkit.core import World, world
from ebmkit.core.distributed import collective, largest, same_everywhere
from ebmkit.errors import DivergedError, EbmkitError, LostProcessError, TrainingError

__all__ = ["Crew", "joined", "restarted"]

T = TypeVar("T")

_BEAT = 0.5
"""Seconds between two signs of life."""

_PATIENCE = 3.0
"""A process that gives no sign of life for so many seconds is gone."""

_ANSWER = 10.0
"""Seconds in which every process that waits in vain for the same one has said so."""


def restarted() -> bool:
    """Whether torchrun started these processes again after a failure (``--max-restarts``)."""
    return int(_attempt()) > 0


@contextmanager
def joined(*, timeout: float = 600.0) -> Iterator[Crew]:
    """Join the processes that the environment names (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT).

    Without them, or with one process, nothing is started. Tensors on the CPU travel by gloo, those on
    a GPU by NCCL.

    Args:
        timeout: seconds to wait for another process before it counts as gone.

    Raises:
        TrainingError: they do not find each other.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Crew(World())
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        _start(backend, timedelta(seconds=timeout))
        register = _Register(world())
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"the processes of this training do not find each other: {error}") from error
    try:
        yield Crew(world(), register)
    finally:
        register.close()
        distributed.destroy_process_group()


def _start(backend: str, timeout: timedelta) -> None:
    """Start torch's process group on keys of its own for each attempt.

    torchrun keeps one store over its restarts, and torch 2.13 reads there the addresses of the processes
    before, if those of now have not written theirs yet.
    """
    store, rank, size = next(iter(rendezvous("env://", timeout=timeout)))
    fresh = distributed.PrefixStore(f"attempt/{_attempt()}", store)  # type: ignore[attr-defined]
    distributed.init_process_group(backend, store=fresh, rank=rank, world_size=size, timeout=timeout)


def _attempt() -> str:
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")


@final
class Crew:
    """This process among the others of a training; alone, every method does at once what it says.

    Attributes:
        world: which one it is, of how many.
        leads: it writes the run folder and speaks.
    """

    def __init__(self, world: World, register: _Register | None = None) -> None:
        self.world = world
        self.leads = world.rank == 0
        self._register = register

    def agreed(self, work: Callable[[], T]) -> T:
        """Do something on every process; where it fails on one, it fails on all.

        A message that a process of lower rank shows already is not shown again.

        Raises:
            EbmkitError: what went wrong here, or a silent one for what went wrong elsewhere.
        """
        if self._register is None:
            return work()
        failure: EbmkitError | None = None
        try:
            done = work()
        except EbmkitError as error:
            failure = error
        told: list[tuple[int, str]] = [(0, "")] * self.world.size
        with collective():
            distributed.all_gather_object(told, (failure.exit_code, str(failure)) if failure else (0, ""))
        first = next((entry for entry in told if entry[1]), None)
        if first is None:
            return done
        if failure is None:
            failure = EbmkitError(f"another process failed: {first[1]}")
            failure.exit_code, failure.silent = first[0], True
        elif told.index((failure.exit_code, str(failure))) < self.world.rank:
            failure.silent = True
        raise failure

    def largest(self, number: int) -> int:
        """The largest number that any process gives."""
        return int(largest(torch.tensor(float(number))))

    def refuse_drift(self, state: Mapping[str, Tensor]) -> None:
        """Check that all processes hold the same bits.

        Raises:
            TrainingError: they do not; names the tensors.
        """
        same = same_everywhere(list(state.values()))
        different = [name for name, equal in zip(state, same, strict=True) if not equal]
        if different:
            error = TrainingError(
                f"{len(different)} tensors, {different[0]!r} the first, are no longer the same on all "
                "processes: a part changes them from its own rows alone. It needs the core's shared_mean, "
                "shared_sum or gather there, batch statistics included"
            )
            error.silent = not self.leads
            raise error

    @contextmanager
    def explaining(self, run: str) -> Iterator[None]:
        """Say once what happens to all: a divergence, or that a process is gone, and which.

        Args:
            run: its name, for the message.

        Raises:
            LostProcessError: with its name; silent on all but one of those that are left.
            DivergedError: silent on all but the one that leads.
        """
        try:
            yield
        except DivergedError as error:  # from figures of all processes, so on all of them
            error.silent = not self.leads
            raise
        except LostProcessError as error:
            if self._register is None:
                raise
            gone = self._register.missing()
            left = [rank for rank in range(self.world.size) if rank not in gone]
            names = " and ".join(self._register.name(rank) for rank in gone) or f"a process ({error})"
            explained = LostProcessError(
                f"{names} {'are' if len(gone) > 1 else 'is'} gone: killed (often for want of memory), stuck, "
                f"or stopped by an error of its own. The last checkpoint is intact: ebmkit resume {run}"
            )
            explained.silent = self.world.rank != min(left, default=0)
            raise explained from error


@final
class _Register:
    """Signs of life of every process, in the store by which they found each other.

    The store is torchrun's, or that of rank 0 where the processes were started by hand.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        server = distributed.TCPStore(  # type: ignore[attr-defined]
            address, port, is_master=False, timeout=timedelta(seconds=_ANSWER)
        )
        self._store = distributed.PrefixStore(f"ebmkit/{_attempt()}", server)  # type: ignore[attr-defined]
        self._names = self._exchange(f"rank {world.rank} ({socket.gethostname()}, process {os.getpid()})")
        self._closed = threading.Event()
        threading.Thread(target=self._beat, name="ebmkit-alive", daemon=True).start()

    def close(self) -> None:
        """No more signs of life."""
        self._closed.set()

    def name(self, rank: int) -> str:
        """How to call a process: its rank, host and number."""
        return self._names[rank]

    def missing(self) -> list[int]:
        """The ranks of those that are gone; where all live, of those that do not wait for anybody."""
        try:
            return self._silent() or self._stuck()
        except RuntimeError:  # the store went with its process
            return [] if self._world.rank == 0 else [0]

    def _exchange(self, name: str) -> list[str]:
        names = [""] * self._world.size
        distributed.all_gather_object(names, name)
        return names

    def _beat(self) -> None:
        try:
            while not self._closed.wait(_BEAT):
                self._store.add(f"alive/{self._world.rank}", 1)
        except RuntimeError:
            return

    def _beats(self) -> list[int]:
        return [self._store.add(f"alive/{rank}", 0) for rank in range(self._world.size)]

    def _silent(self) -> list[int]:
        before = self._beats()
        time.sleep(_PATIENCE)
        return [rank for rank, beats in enumerate(self._beats()) if beats == before[rank]]

    def _stuck(self) -> list[int]:
        self._store.set(f"waits/{self._world.rank}", "")
        deadline = time.monotonic() + _ANSWER
        while True:
            stuck = [rank for rank in range(self._world.size) if not self._store.check([f"waits/{rank}"])]
            if not stuck or time.monotonic() > deadline:
                return stuck
            time.sleep(_BEAT)
