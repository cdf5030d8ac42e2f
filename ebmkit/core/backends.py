"""Gradient backends: plugins that know a faster gradient of some energies, or faster layers.

Nothing here decides whether what they offer is right: see ``agreement`` and ``gradient``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.metadata import entry_points
from typing import NamedTuple, Protocol, final

import attrs
from torch import Tensor, nn

from ebmkit.core.autograd import Gradient
from ebmkit.core.evaluating import modules_behind
from ebmkit.core.precision import Precision
from ebmkit.messages.brief import brief
from ebmkit.registry.selection import GRADIENT_GROUP, Selection

__all__ = [
    "InstalledPreparer",
    "Offer",
    "Preparer",
    "fast_layers",
    "installed_preparers",
    "layers_are_plain",
    "plain_layers",
    "preparers",
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


class Preparer(Protocol):
    """Knows a faster way to the gradient of some energies.

    One that has a method ``status() -> str`` is asked by ``ebmkit doctor`` for a line about itself: what it
    compiled, or why not. One that has a method ``layers(module) -> AbstractContextManager`` is asked for a
    block in which single layers of the module are faster; see ``fast_layers``.

    It may evaluate the energy, at true states only. Whatever it raises costs speed alone: chains take
    autograd's gradient then, and one warning names the backend.
    """

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
        for one in modules_behind(module):
            for each in preparers():
                layers: Callable[[nn.Module], AbstractContextManager[object]] | None
                if (layers := getattr(each.preparer, "layers", None)) is not None:
                    stack.enter_context(layers(one))
        yield


def preparers() -> tuple[InstalledPreparer, ...]:
    """Those of all plugins that are let in; one that cannot be imported is left out with a warning."""
    return _preparers(Selection.from_environment())


@cache
def _preparers(selection: Selection) -> tuple[InstalledPreparer, ...]:
    found = list(installed_preparers(selection))
    for each in found:
        if each.preparer is None:
            warnings.warn(each.complaint(each.fault), RuntimeWarning, stacklevel=2)
    return tuple(each for each in found if each.preparer is not None)


class InstalledPreparer(NamedTuple):
    """What an entry point of the group ``ebmkit.preparers`` led to.

    Attributes:
        name: of the plugin.
        distribution: that brought it.
        preparer: None where it cannot be imported, which costs speed alone.
        fault: why it cannot.
    """

    name: str
    distribution: str
    preparer: Preparer | None
    fault: str = ""

    @property
    def owner(self) -> str:
        """Everybody who answers for it."""
        return f"plugin {self.name!r} of {self.distribution}"

    def complaint(self, fault: str) -> str:
        """What a fault of it means."""
        return f"{self.owner} makes no chain faster: {fault}"


def installed_preparers(selection: Selection) -> Iterator[InstalledPreparer]:
    """Those of every plugin that is let in, by name; no other one is imported."""
    for point in sorted(entry_points(group=GRADIENT_GROUP), key=lambda point: point.name):
        distribution = point.dist.name if point.dist is not None else "(unknown distribution)"
        if not selection.admits(point.name, distribution):
            continue
        try:
            preparer, fault = point.load(), ""
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken plugin must harm nobody else
            preparer, fault = None, str(error) or type(error).__name__
        yield InstalledPreparer(point.name, distribution, preparer, fault)
