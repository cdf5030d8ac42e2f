"""What plugins offer: parts, each with who provides it, loaded when they are built."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from threading import RLock
from typing import Any

import attrs

from ebmkit.errors import EndedBySignal, PluginError
from ebmkit.parameters.outline import Outline, outline
from ebmkit.parameters.signature import Signature, signature_of
from ebmkit.registry.kinds import KINDS
from ebmkit.registry.own import OwnCode

__all__ = ["BrokenPlugin", "Component", "FaultError", "Plugin", "check_offer", "imported", "tame"]

_loading = RLock()
"""Stdout belongs to the process: two threads that turn it aside in turn would leave it so for good."""


@attrs.frozen
class Plugin:
    """A plugin module, named by an entry point, and the distribution that brought it."""

    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"plugin {self.name!r} of {self.distribution} {self.version}"


@attrs.frozen
class BrokenPlugin(Plugin):
    """A plugin that could not be used, and why. Everything else goes on without it."""

    reason: str

    def __str__(self) -> str:
        return f"{super().__str__()} is broken: {self.reason}"


@attrs.frozen
class Component:
    """One part that a run file can name.

    Attributes:
        kind: a key of ``KINDS``.
        name: what ``use =`` says.
        reference: the class, or ``module:Class``.
        plugin: who provides it.
        code: the user's own code it is in; None where a plugin offers it.
    """

    kind: str
    name: str
    reference: type | str
    plugin: Plugin
    code: OwnCode | None = None

    @property
    def distribution(self) -> str:
        """Who provides it, as installed: ``ebmkit-torch``."""
        return self.plugin.distribution

    @property
    def version(self) -> str:
        """The version of that distribution."""
        return self.plugin.version

    @property
    def owner(self) -> str:
        """The part with everybody who answers for it, for messages."""
        return f"{self.kind} {self.name!r} ({self.plugin})"

    @property
    def place(self) -> str:
        """Where the class stands: ``ebmkit_langevin.langevin.Langevin``."""
        if isinstance(self.reference, str):
            return self.reference.replace(":", ".")
        return f"{self.reference.__module__}.{self.reference.__qualname__}"

    @property
    def factory(self) -> Callable[..., Any]:
        """The class itself, imported now if it was not before.

        Raises:
            PluginError: it cannot be imported, or is not of the kind it is offered as.
        """
        try:
            with tame():
                return loaded(self.kind, self.reference)
        except FaultError as fault:
            raise PluginError(f"{self.owner} cannot be loaded: {fault}") from fault.__cause__

    @property
    def signature(self) -> Signature:
        """Its parts and parameters, without importing it where its source tells.

        Raises:
            PluginError: the constructor cannot be read.
        """
        if (seen := self._outline()) is not None:
            return seen.signature
        try:
            return signature_of(self.factory)
        except (TypeError, ValueError, NameError) as error:
            raise PluginError(f"{self.owner}: its parameters cannot be read: {error}") from error

    @property
    def doc(self) -> str:
        """Its docstring, without importing it where its source tells."""
        seen = self._outline()
        return inspect.getdoc(self.factory) or "" if seen is None else seen.doc

    def _outline(self) -> Outline | None:
        if not isinstance(self.reference, str):
            return None
        return outline(*self.reference.split(":", 1)) if ":" in self.reference else None


class FaultError(Exception):
    """Wraps whatever a plugin's code raised."""


@contextmanager
def tame() -> Iterator[None]:
    """Run a plugin's code: what it prints goes to stderr, whatever it raises becomes a fault of its own.

    Even ``sys.exit`` is its fault alone. Only signals, such as Ctrl-C, are the user's.
    """
    try:
        with _loading, redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, EndedBySignal):
        raise
    except BaseException as error:
        # What this module itself refuses says enough; of anything else the kind of error is needed too.
        ours = isinstance(error, PluginError)
        raise FaultError(str(error) if ours else f"{type(error).__name__}: {error}") from error


def check_offer(kind: str, name: object, reference: object) -> None:
    """Refuse what is no name with a class.

    Raises:
        PluginError: with what it is instead.
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise PluginError(f"{KINDS[kind].hook} offers {name!r}, which is not a name")
    if isinstance(reference, str) and all(reference.partition(":")):
        if outline(*reference.split(":", 1)) is None:  # only importing it tells, or that it is broken
            loaded(kind, reference)
        return
    if not isinstance(reference, type):
        raise PluginError(
            f"{KINDS[kind].hook} offers {name!r} as {reference!r}: a class, or 'module:Class', is needed"
        )
    loaded(kind, reference)


def loaded(kind: str, reference: type | str) -> type:
    """The class that a reference means.

    Raises:
        PluginError: it is no class of this kind.
    """
    found: Any = reference
    if isinstance(reference, str):
        found = imported(reference)
    base = _base(kind)
    if not isinstance(found, type):
        raise PluginError(f"{found!r} is not a class")
    if not issubclass(found, base):
        raise PluginError(f"{found.__name__} is not derived from {_public(KINDS[kind].base)}")
    if inspect.isabstract(found):
        missing = [
            name for name in dir(found) if getattr(getattr(found, name), "__isabstractmethod__", False)
        ]
        raise PluginError(f"{found.__name__} does not define {', '.join(missing)}")
    return found


def _public(reference: str) -> str:
    """Where a plugin author imports a class from: ``ebmkit.core.Energy``."""
    module, _, name = reference.partition(":")
    return f"{'.'.join(module.split('.')[:2])}.{name}"


def _base(kind: str) -> type:
    """The abstract class of a kind; importing it imports torch."""
    base: type = imported(KINDS[kind].base)
    return base


def imported(reference: str) -> Any:
    """What ``module:Name`` means, imported now if it was not before."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
