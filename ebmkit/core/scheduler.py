"""The cooperative scheduler: in which order the parts teach each other."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self, TypeAlias

import torch
from torch import Tensor, nn

from ebmkit.core.chain import Chain
from ebmkit.core.clamped import Clamped
from ebmkit.core.conditional import given
from ebmkit.core.encoder import Encoder
from ebmkit.core.energy import Energy
from ebmkit.core.generator import LatentGenerator
from ebmkit.core.modes import evaluating
from ebmkit.core.rng import Rng
from ebmkit.messages.brief import brief
from ebmkit.parameters.ranges import Checked

__all__ = ["Batch", "CooperativeScheduler", "Examples", "Proposal", "Update", "Updates"]


class Batch(NamedTuple):
    """Training examples and which ones they are.

    Attributes:
        x: ``(n, *S)``.
        positions: of each in the data source, ``(n,)`` int64; a schedule that keeps something
            for each training example finds it by this.
        condition: of each, ``(n, *K)``, the number of its class for instance, ``(n,)`` int64; None where the
            data have none.
    """

    x: Tensor
    positions: Tensor
    condition: Tensor | None = None

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
        condition: of the examples that the latents belong to, ``(m, *K)``.
    """

    observed: Tensor | None = None
    proposal: Tensor | None = None
    revised: Tensor | None = None
    latents: Tensor | None = None
    condition: Tensor | None = None

    def __repr__(self) -> str:
        return brief(self)


class Proposal(NamedTuple):
    """Where new samples start: x ``(m, *S)`` and, from a generator, its latents z."""

    x: Tensor
    z: Tensor | None = None

    def __repr__(self) -> str:
        return brief(self)


Updates: TypeAlias = Generator[Update, None, Examples]
"""What ``updates`` is: it yields each update, and returns the examples that it made."""


class _Optional:
    """An attribute of a module that is None for as long as the module has none of that name.

    A plain None in the class would hide a child: nn.Module keeps children where Python looks last.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, module: nn.Module | None, owner: type | None = None) -> Any:
        if module is None:
            return self
        try:
            return nn.Module.__getattr__(module, self._name)
        except AttributeError:
            return None


def _optional() -> Any:
    """``_Optional``, to stand for whatever type the attribute is annotated with."""
    return _Optional()


class CooperativeScheduler(Checked, nn.Module, ABC):
    """The algorithm box: which samples are drawn, and which part learns from which.

    The parts and every persistent chain are children and buffers, so ``state_dict()`` is the
    whole state of the model. Positional parameters of the constructor are parts: the annotation says the
    kind, the name the table of the run file. So ``coarse: Energy`` is what ``[coarse]`` names, with an
    optimizer of its own for ``Update("coarse", loss)``; a ``Chain`` holds a sampler; of
    ``grids: Mapping[str, Energy]`` each table ``[grids.NAME]`` is one, and learns from
    ``Update("grids.NAME", loss)`` where the schedule keeps them as ``nn.ModuleDict``. ``shape`` of one
    example and ``examples`` in the data are given, too. Keyword-only parameters are the TOML keys.

    What is done with a trained schedule goes by the attributes below. Those that a schedule does not set are
    None; one that has no such child may offer a property of that name. A subclass that relies on having one
    narrows its type in the class body: ``energy: Energy``.

    Names of children and buffers are the checkpoint format: public names, without a leading underscore. One
    that is renamed keeps its old name in ``renamed``, so that older checkpoints are still read.

    Attributes:
        energy: under which samples are revised, scored and completed.
        generator: that proposes, reconstructs and interpolates.
        encoder: that infers latents in one pass.
        revision: the chain on x.
        inference: the chain on z.
    """

    energy: Energy | None = _optional()
    generator: LatentGenerator | None = _optional()
    encoder: Encoder | None = _optional()
    revision: Chain | None = _optional()
    inference: Chain | None = _optional()

    @classmethod
    def shapes(cls, shape: tuple[int, ...], parts: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
        """Of which shape the examples are that parts are built for, where it is not that of the data.

        A schedule that works on several grids overrides this; without, every part is built for the data.

        Args:
            shape: S of an example of the data.
            parts: the names of the run's parts, such as ``energy`` and ``grids.16``.

        Returns:
            by the names of parts; those left out are built for ``shape``.

        Raises:
            ValueError: the parts do not fit the data.
        """
        del shape, parts
        return {}

    @abstractmethod
    def updates(self, batch: Batch, *, rng: Rng) -> Updates:
        """One iteration: yield each update in order, return the examples it made.

        The trainer zeroes, back-propagates and steps at every ``yield``: code after it runs with
        the update applied.

        Where several processes train, ``batch`` is this process's part and ``rng`` counts its rows from
        their place in the whole. Chains that are not one for each image are shared with ``shard``,
        means are taken with the losses of the core or ``shared_mean``, and what persists is kept
        whole on every process with ``gather``.

        Args:
            batch: the data of this iteration.
            rng: the random numbers of this iteration.
        """

    @abstractmethod
    def propose(self, count: int, *, rng: Rng) -> Proposal:
        """Where ``count`` new samples start before the energy, if there is one, revises them."""

    def given(self, condition: Tensor | None) -> Self:
        """This schedule with every conditional part given the condition; it shares all weights.

        So ``schedule.given(condition).sample(64, rng=rng)`` draws samples of a condition.

        Args:
            condition: one for each row of what is asked for, ``(B, *K)``, or one for all, ``(1, *K)``; None
                leaves the parts as they are.
        """
        if condition is None:
            return self
        clone = copy.copy(self)
        children = {name: given(child, condition) for name, child in self.named_children()}
        vars(clone)["_modules"] = {**self._modules, **children}
        return clone

    def sampling_chain(self) -> Chain | None:
        """The chain that revises samples of what was trained: as the last iteration ran it.

        A schedule that changes its revision while it trains, as with ``Annealer``, overrides this: the energy
        ended up with samples of that chain, and another one, hotter or of longer steps, makes others of it.

        Returns:
            ``revision`` by default; None without one.
        """
        return self.revision

    def sample(self, count: int, *, rng: Rng, steps: int | None = None) -> Examples:
        """``count`` new samples: proposed, then revised where there are an energy and a chain to do it.

        Nothing is learned and nothing that persists changes; all modules run in eval mode. A schedule whose
        samples are made another way overrides this.

        Args:
            count: how many; of several processes, how many here.
            rng: row i is sample ``rng.first_chain`` + i, the same with any number of processes.
            steps: of the revision, >= 0; None takes its own number.

        Returns:
            ``proposal`` and, where the schedule has them, ``revised`` and ``latents``.
        """
        with torch.no_grad(), evaluating(self):
            proposal = self.propose(count, rng=rng)
        made = Examples(proposal=proposal.x, latents=proposal.z)
        energy, chain = self.energy, self.sampling_chain()
        if energy is None or chain is None:
            return made
        revised = chain.walked(steps)(energy, proposal.x, rng=rng.fold_in("revision"))
        return made._replace(revised=revised.x)

    def complete(self, x: Tensor, mask: Tensor, *, rng: Rng, steps: int | None = None) -> Tensor:
        """What the energy makes of hidden coordinates; where none is known, of a noisy example as a whole.

        The hidden ones start where they are in ``x`` and move by ``sampling_chain`` under the energy given
        the others. A schedule whose energy is no density of clean examples, or that denoises in another
        way, overrides this.

        Args:
            x: known coordinates, and where hidden ones start, ``(B, *S)``.
            mask: 1 on known coordinates, 0 on hidden ones, broadcastable to ``(B, *S)``.
            rng: the noise.
            steps: of the chain, >= 0; None takes its own number.

        Returns:
            ``(B, *S)``; known coordinates keep every bit.

        Raises:
            ValueError: there is no energy, or no chain to move examples under it.
        """
        energy, chain = self.energy, self.sampling_chain()
        if energy is None or chain is None:
            raise ValueError(f"{type(self).__name__} has no energy and chain, which complete examples")
        clamped = Clamped(energy, x, mask)
        return clamped.complete(chain.walked(steps)(clamped, x, rng=rng).x)
