"""The cooperative scheduler: in which order the parts teach each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from torch import Tensor, nn

from ebmkit.brief import brief
from ebmkit.core.rng import Rng
from ebmkit.parameters import Checked

__all__ = ["Batch", "CooperativeScheduler", "Examples", "Proposal", "Update", "Updates"]


class Batch(NamedTuple):
    """Training examples and which ones they are.

    Attributes:
        x: ``(n, *S)``.
        positions: of each in the data source, ``(n,)`` int64; a schedule that keeps something
            for each training example finds it by this.
    """

    x: Tensor
    positions: Tensor

    def __repr__(self) -> str:
        return brief(self)


class Update(NamedTuple):
    """One gradient step, to be taken before the schedule goes on; without a loss, only figures to report.

    Attributes:
        part: attribute of the schedule whose optimizer steps: ``"energy"`` or ``"generator"``.
        loss: 0-dim, with its graph, nats; None takes no step.
        stats: what the schedule saw on the way, 0-dim and detached.
    """

    part: str
    loss: Tensor | None
    stats: Mapping[str, Tensor] = MappingProxyType({})

    def __repr__(self) -> str:
        return brief(self)


class Examples(NamedTuple):
    """The sets of examples that an iteration made; ``None`` where a schedule has no such set.

    Attributes:
        observed: the data, ``(n, *S)``.
        proposal: the generator's samples or where the chains started, ``(m, *S)``.
        revised: the same after the chain, ``(m, *S)``.
        latents: z of the revised (or, without an energy, of the observed) examples.
    """

    observed: Tensor | None = None
    proposal: Tensor | None = None
    revised: Tensor | None = None
    latents: Tensor | None = None

    def __repr__(self) -> str:
        return brief(self)


class Proposal(NamedTuple):
    """Where new samples start: x ``(m, *S)`` and, from a generator, its latents z."""

    x: Tensor
    z: Tensor | None = None

    def __repr__(self) -> str:
        return brief(self)


Updates: TypeAlias = Generator[Update, None, Examples]


class CooperativeScheduler(Checked, nn.Module, ABC):
    """The algorithm box: which samples are drawn, and which part learns from which.

    The parts and every persistent chain are children and buffers, so ``state_dict()`` is the
    whole state of the model. Positional parameters of the constructor are parts: the annotation says the
    kind, the name the table of the run file. So ``coarse: Energy`` is what ``[coarse]`` names, with an
    optimizer of its own for ``Update("coarse", loss)``; a ``Chain`` holds a sampler; of
    ``grids: Mapping[str, Energy]`` each table ``[grids.NAME]`` is one, and learns from
    ``Update("grids.NAME", loss)`` where the schedule keeps them as ``nn.ModuleDict``. ``shape`` of one
    example and ``examples`` in the data are given, too. Keyword-only parameters are the TOML keys.
    """

    @abstractmethod
    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """One iteration: yield each update in order, return the examples it made.

        The trainer zeroes, back-propagates and steps at every ``yield``: code after it runs with
        the update applied.

        Where several processes train, ``batch`` is this process's part and ``rng`` counts its rows from
        their place in the whole. Chains that are not one for each image are shared with ``share``,
        means are taken with the losses of the core or ``shared_mean``, and what persists is kept
        whole on every process with ``gather``.

        Args:
            batch: the data of this iteration.
            rng: the random numbers of this iteration.
        """

    @abstractmethod
    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """Where ``count`` new samples start before the energy, if there is one, revises them."""
