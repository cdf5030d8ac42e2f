r"""Chains that go on from iteration to iteration: persistent chains, the replay buffer.

Sources: Tieleman, 2008 (persistent contrastive divergence); Du, Mordatch, 2019, arXiv 1903.08689 (a buffer
larger than the batch, and samples started anew now and then).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, NamedTuple, final

import torch
from torch import Tensor, nn

from ebmkit.core.distributed import gather, shard
from ebmkit.core.renaming import before_loading
from ebmkit.core.rng import Rng
from ebmkit.core.rows import per_row
from ebmkit.messages.brief import brief

__all__ = ["PersistentChains", "Start"]


class Start(NamedTuple):
    """Where the chains of an iteration start; of several processes, this one's part.

    Attributes:
        x: ``(m, *S)``.
        slots: in which each is kept, ``(m,)`` int64.
        rng: the stream that draws for these rows.
    """

    x: Tensor
    slots: Tensor
    rng: Rng

    def __repr__(self) -> str:
        return brief(self)


@final
class PersistentChains(nn.Module):
    """Slots, each of which keeps the state of one chain between iterations.

    An iteration takes some of them (``start``), moves them, and writes them back (``keep``)::

        x, slots, rng = self.replay.start(self.chains, rng=rng)
        revised = self.revision(self.energy, x, rng=rng.fold_in("revision"))
        self.replay.keep(slots, revised.x)

    A slot that keeps nothing yet is started anew when it is taken, and any other with probability
    ``restart``: from noise, or from data handed in. Which slots are taken, which are started anew and from
    where is a function of the iteration's stream alone, and the same with any number of processes; the whole
    state is in the buffers.

    Args:
        slots: n, how many chains are kept.
        shape: S of one state.
        restart: probability that a chain is started anew when it is taken: 0 for chains that always go on, 1
            for chains that never do.
        noise: law of the numbers that chains start from: ``normal``, N(0, ``scale``²), or ``uniform``,
            between -``scale`` and ``scale``.
        scale: in the units of x.

    Attributes:
        samples: what the slots keep, ``(n, *S)``; the same on every process.
        started: which of them keep something, ``(n,)`` bool.

    Raises:
        ValueError: a value out of its range.
    """

    samples: Tensor
    started: Tensor

    def __init__(
        self,
        slots: int,
        shape: tuple[int, ...],
        *,
        restart: float = 0.0,
        noise: Literal["normal", "uniform"] = "normal",
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if slots < 1:
            raise ValueError(f"slots must be >= 1, got {slots}")
        if not 0 <= restart <= 1:
            raise ValueError(f"restart must be a probability, from 0 to 1, got {restart}")
        if noise not in ("normal", "uniform"):
            raise ValueError(f"noise must be 'normal' or 'uniform', got {noise!r}")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be > 0 and finite, got {scale}")
        self.restart = restart
        self.noise = noise
        self.scale = scale
        self.register_buffer("samples", torch.zeros(slots, *shape))
        self.register_buffer("started", torch.zeros(slots, dtype=torch.bool))
        before_loading(self, partial(_flag_every_slot, slots))

    def __len__(self) -> int:
        return len(self.samples)

    def start(self, count: int, *, rng: Rng, data: Tensor | None = None) -> Start:
        """Take ``count`` slots, none of them twice: all in order, or a random choice in ascending order.

        Args:
            count: of the chains of all processes together, <= n.
            rng: of the iteration. Drawn from are ``rng.fold_in("slots")``, ``"restart"`` and ``"start"``.
            data: this process's part of a batch, ``(b, *S)``: chain i that is started anew takes example
                i modulo the whole batch's size. None starts from noise.

        Returns:
            this process's part of the chains, and the stream to move them with.

        Raises:
            ValueError: more chains than slots, or fewer chains than processes.
        """
        if count > len(self):
            raise ValueError(f"{count} chains in {len(self)} slots: a slot keeps one chain")
        slots = self._taken(count, rng)
        anew = ~self.started[slots]
        if self.restart:
            # In float64 the numbers lie between 0 and 1 to the last bit, so that 1 means always.
            luck = rng.of_chain(0).fold_in("restart").uniform(torch.empty(count, dtype=torch.float64))
            anew |= (luck < self.restart).to(anew.device)
        own, rng = shard(count, rng)
        rows = slice(rng.first_chain, rng.first_chain + own)
        if data is not None and anew.any():  # of all chains: every process gathers, or none does
            data = gather(data)
        return Start(self._states(slots[rows], anew[rows], rng, data), slots[rows], rng)

    def keep(self, slots: Tensor, x: Tensor) -> None:
        """Write states back; of several processes each gives its own, and all of them keep all.

        Args:
            slots: as ``start`` gave them, ``(m,)``.
            x: where their chains are now, ``(m, *S)``.
        """
        slots, x = gather(slots), gather(x).detach()
        self.samples.index_copy_(0, slots, x.to(self.samples.dtype))
        self.started.index_fill_(0, slots, True)

    def latest(self, count: int, *, rng: Rng) -> Tensor:
        """What the slots keep, repeated in turn, ``(count, *S)``; noise for those that keep nothing yet.

        Row i of the stream is that of slot i modulo n; nothing is taken or changed.
        """
        slots = self._rows(count, rng) % len(self)
        return self._states(slots, ~self.started[slots], rng)

    def extra_repr(self) -> str:
        """What ``repr`` says of it."""
        shape = tuple(self.samples.shape[1:])
        return f"{len(self)}, {shape}, restart={self.restart}, noise={self.noise!r}, scale={self.scale}"

    def _taken(self, count: int, rng: Rng) -> Tensor:
        """The slots of all chains of this iteration, alike on every process."""
        if count == len(self):
            return torch.arange(count, device=self.samples.device)
        chosen = rng.fold_in("slots").permutation(len(self))[:count]
        return chosen.sort().values.to(self.samples.device)

    def _states(self, slots: Tensor, anew: Tensor, rng: Rng, data: Tensor | None = None) -> Tensor:
        """What the slots keep; where a chain starts anew, noise or an example."""
        kept = self.samples[slots]
        if not anew.any():
            return kept
        if data is None:
            fresh = self._noise(kept, rng.fold_in("start"))
        else:
            fresh = self._examples(data, len(kept), rng)
        return torch.where(per_row(anew, kept), fresh, kept)

    def _noise(self, like: Tensor, rng: Rng) -> Tensor:
        if self.noise == "normal":
            return rng.normal(like).mul_(self.scale)
        return rng.uniform(like).mul_(2).sub_(1).mul_(self.scale)

    def _examples(self, data: Tensor, count: int, rng: Rng) -> Tensor:
        return data[self._rows(count, rng) % len(data)]

    def _rows(self, count: int, rng: Rng) -> Tensor:
        """The global indices of the rows that ``rng`` draws for."""
        return torch.arange(rng.first_chain, rng.first_chain + count, device=self.samples.device)


def _flag_every_slot(slots: int, state: dict[str, Any], prefix: str) -> None:
    """In states of earlier releases there is one flag for all slots."""
    flag = state.get(f"{prefix}started")
    if flag is not None and flag.ndim == 0:
        state[f"{prefix}started"] = flag.expand(slots)
