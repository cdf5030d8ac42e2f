"""Gradient backends: plugins that know a faster gradient of some energies, or faster layers.

Nothing here decides whether what they offer is right: see ``agreement`` and ``gradient``.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import final

import attrs
from torch import Tensor, nn

from ebmkit.core.autograd import Gradient
from ebmkit.core.modes import modules_behind
from ebmkit.core.precision import Precision
from ebmkit.messages.brief import brief
from ebmkit.provided import gradient_backends as installed_backends

__all__ = [
    "GradientBackend",
    "InstalledBackend",
    "Offer",
    "fast_layers",
    "gradient_backends",
    "layers_are_plain",
    "plain_layers",
]


@final
@attrs.frozen(eq=False, repr=False)
class Offer:
    r"""A gradient, with what its backend knows about it.

    Attributes:
        gradient: of states of the shape for which it was made.
        reading: what was understood of the energy, values of its weights left out. Offers for one energy with
            equal readings are right or wrong together, so one check serves them all.
        quadratic: a, if the energy has a term $a \|x\|^2$: its share of the gradient may be a million times
            the network's, whose error is judged by the network's own size.
        energies: E of the first rows of the state it was made at, as the energy itself gave them, if known.
        depends_on: tensors beside parameters and buffers whose change makes the offer stale.
    """

    gradient: Gradient
    reading: Hashable = None
    quadratic: float = 0.0
    energies: Tensor | None = None
    depends_on: tuple[Tensor, ...] = ()

    def __repr__(self) -> str:
        return brief(self)


class GradientBackend(ABC):
    """Knows a faster way to the gradient of some energies; made once, without arguments.

    It may evaluate the energy, at true states only. Whatever it raises costs speed alone: chains take
    autograd's gradient then, and one warning names the backend.
    """

    @abstractmethod
    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Offer | Gradient | None:
        """Value and gradient of ``energy`` at states of the shape, dtype and device of ``x``.

        Args:
            energy: in the mode in which the chain evaluates it.
            x: a state of the chain, ``(B, *S)``.
            precision: in which it may compute.

        Returns:
            None where it knows nothing better than autograd. An offer is compared with autograd before it is
            used, once for each ``reading``.
        """

    def patience(self, energy: nn.Module) -> int:  # noqa: ARG002
        """How many gradients of ``energy`` pay for asking.

        A chain of fewer steps takes so many of autograd's first: a sampler may take several in a step.
        """
        return 0

    def layers(self, module: nn.Module) -> AbstractContextManager[object]:  # noqa: ARG002
        """A block in which single layers of the module are faster; see ``fast_layers``."""
        return nullcontext()

    def status(self) -> str:
        """A line about itself for ``ebmkit doctor``: what it compiled, or why not."""
        return "ready"


_plain: ContextVar[bool] = ContextVar("ebmkit_plain_layers", default=False)


def layers_are_plain() -> bool:
    """Whether blocks of ``fast_layers`` leave every call to torch just now."""
    return _plain.get()


@contextmanager
def plain_layers() -> Iterator[None]:
    """Let torch compute every layer inside this block, even inside one of ``fast_layers``."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


@contextmanager
def fast_layers(module: object) -> Iterator[None]:
    """Compute layers of a module faster inside this block, where a plugin knows how: the same to rounding.

    Trainings and chains do this by themselves. Backward passes follow the forward pass they belong to.

    Args:
        module: whose layers are evaluated in the block; a function's are those of the modules it uses.

    Examples:
        >>> with fast_layers(net):  # doctest: +SKIP
        ...     loss = net(x).mean()
    """
    with ExitStack() as stack:
        backends = gradient_backends()
        for one in modules_behind(module):
            for each in backends:
                assert each.backend is not None  # noqa: S101 - others are left out
                stack.enter_context(each.backend.layers(one))
        yield


@final
@attrs.frozen
class InstalledBackend:
    """What a plugin offers as a gradient backend.

    Attributes:
        name: of the backend.
        owner: everybody who answers for it.
        backend: None where it cannot be imported or made, which costs speed alone.
        fault: why it cannot.
    """

    name: str
    owner: str
    backend: GradientBackend | None
    fault: str = ""

    def complaint(self, fault: str) -> str:
        """What a fault of it means."""
        return f"{self.owner} makes no chain faster: {fault}"


def gradient_backends() -> tuple[InstalledBackend, ...]:
    """Those of all plugins that are let in; one that cannot be made is left out, with one warning."""
    found: tuple[InstalledBackend, ...] = installed_backends()
    for each in found:
        if each.backend is None and each not in _complained:
            _complained.add(each)
            warnings.warn(each.complaint(each.fault), RuntimeWarning, stacklevel=2)
    return tuple(each for each in found if each.backend is not None)


_complained: set[InstalledBackend] = set()
