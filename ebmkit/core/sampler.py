"""The sampler: one move of a batch of chains under any energy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

from torch import Tensor

from ebmkit.core.energy import EnergyFn
from ebmkit.core.rng import Rng
from ebmkit.messages.brief import brief
from ebmkit.parameters.ranges import Checked

__all__ = ["Info", "Position", "Sampler", "State"]

Info: TypeAlias = Mapping[str, Tensor]
"""What people watch: name to ``(B,)`` or 0-dim, detached. The chain averages it over steps and chains."""


class State(Protocol):
    """What the next step needs, tensors only: a named tuple with a field ``x`` of shape ``(B, *S)``."""

    @property
    def x(self) -> Tensor:
        """Where the chains are, ``(B, *S)``."""


class Position(NamedTuple):
    """The state of a sampler that remembers nothing but where its chains are."""

    x: Tensor

    def __repr__(self) -> str:
        return brief(self)


class Sampler(Checked, ABC):
    """A Markov kernel for a batch of chains, written as ``init`` and ``step``.

    A sampler holds hyper-parameters and nothing else: the energy comes as an argument, so one
    sampler moves examples under a descriptor and latents under a posterior. The chain
    (``ebmkit.core.run_chain``) owns the loop, the train/eval mode, the statistics and the
    stop flag.

    Write it as a frozen attrs class; its keyword parameters are its TOML keys:

        @attrs.frozen(kw_only=True)
        class Langevin(Sampler):
            step_size: Annotated[float, Gt(0)] = 0.002

            def step(self, energy, state, rng): ...
    """

    __attrs_attrs__: ClassVar[Any]

    def for_chain(self, steps: int) -> Sampler:
        """This sampler as a chain of that many steps runs it; override it where a move depends on the length.

        Args:
            steps: of the chain, >= 0.
        """
        del steps
        return self

    def caution(self, energy: EnergyFn) -> str | None:
        """What is bound to go wrong under this energy, as a clause; None where nothing is known to.

        ``ebmkit check`` and the start of a run show it as a warning. Override it where a setting of this
        sampler can be held against an attribute of the energy.

        Args:
            energy: what the chain will move under.
        """
        del energy
        return None

    def init(self, energy: EnergyFn, x: Tensor) -> State:
        """The state at the start of a chain at ``x``; override it to cache an energy or a gradient.

        Args:
            energy: what the chain will move under.
            x: where the chains start, ``(B, *S)``, detached.
        """
        del energy
        return Position(x)

    @abstractmethod
    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        """One move of every chain.

        Args:
            energy: any callable ``(B, *S) -> (B,)`` in nats; take gradients with
                ``ebmkit.core.value_and_gradient``.
            state: what ``init`` or the last ``step`` returned; never modified in place.
            rng: the random numbers of this step; nothing else may be random.

        Returns:
            the next state and what to watch.
        """
