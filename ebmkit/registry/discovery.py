"""The registry: which parts are installed, and who provides them.

Discovery walks the entry points itself instead of using pluggy's loader, which silently drops a
second plugin of the same name and dies of the first one that cannot be imported.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import attrs
import pluggy

from ebmkit import plugin as hookspecs
from ebmkit.errors import EndedBySignal, PluginError
from ebmkit.messages.quoting import quoted
from ebmkit.messages.spelling import nearest
from ebmkit.parameters.outline import Outline, outline
from ebmkit.parameters.signature import Signature, signature_of
from ebmkit.registry.kinds import KINDS
from ebmkit.registry.own import OwnCode, OwnCodeError, own_code
from ebmkit.registry.selection import Selection

__all__ = [
    "BrokenPlugin",
    "Component",
    "Plugin",
    "RefusedCodeError",
    "Registry",
    "UnknownComponentError",
    "imported",
]


class UnknownComponentError(PluginError):
    """No installed plugin offers the name, or several do; ``suggestion`` is the nearest name."""

    code = "E107"

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        first, *others = message.split("\n")
        hint = f"; did you mean {suggestion!r}?" if suggestion else ""
        super().__init__("\n".join([first + hint, *others]))
        self.message = message
        self.suggestion = suggestion


class RefusedCodeError(UnknownComponentError):
    """Code of the user's own is not there, not trusted, not what it was, or raised."""

    code = "E114"


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
            with _tame():
                return _loaded(self.kind, self.reference)
        except _FaultError as fault:
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


class _FaultError(Exception):
    """Wraps whatever a plugin's code raised."""


@contextmanager
def _tame() -> Iterator[None]:
    """Run a plugin's code: what it prints goes to stderr, whatever it raises becomes a fault of its own.

    Even ``sys.exit`` is its fault alone. Only signals, such as Ctrl-C, are the user's.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, EndedBySignal):
        raise
    except BaseException as error:
        # What this module itself refuses says enough; of anything else the kind of error is needed too.
        ours = isinstance(error, PluginError)
        raise _FaultError(str(error) if ours else f"{type(error).__name__}: {error}") from error


class Registry:
    """Every component of every plugin, by kind and name.

    Attributes:
        broken: the plugins that failed, in the order they were met.
        switched_off: those that ``EBMKIT_PLUGINS`` or ``-p no:NAME`` keeps out.
        folder: to which the paths of code of one's own are relative: that of the run file.
    """

    folder = Path()

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("ebmkit")
        self._manager.add_hookspecs(hookspecs)
        self._plugins: dict[str, Plugin] = {}
        self._components: dict[str, list[Component]] = {}
        self.broken: list[BrokenPlugin] = []
        self.switched_off: list[Plugin] = []

    @classmethod
    def discover(cls, selection: Selection | None = None) -> Registry:
        """All plugins that are installed in this Python, ebmkit's own among them.

        Args:
            selection: of those that may be loaded; by default what ``EBMKIT_PLUGINS`` says.

        Raises:
            ConfigError: ``EBMKIT_PLUGINS`` names a plugin that is not installed.
        """
        registry = cls()
        points = sorted(
            entry_points(group=hookspecs.ENTRY_POINT_GROUP),
            key=lambda point: (_origin(point), point.name),
        )
        plugins = {point: Plugin(point.name, *_origin(point)) for point in points}
        selection = selection or Selection.from_environment()
        selection.refuse_unknown([(point.name, _origin(point)[0]) for point in points])
        for point, plugin in plugins.items():
            if selection.admits(plugin.name, plugin.distribution):
                registry._load(point, plugin)
            else:
                registry.switched_off.append(plugin)
        return registry

    def register(self, module: object, *, name: str, distribution: str, version: str) -> None:
        """Add a plugin; one that pluggy refuses, or with a misspelt hook, becomes a broken one."""
        plugin = Plugin(name, distribution, version)
        key = f"{distribution}:{name}"
        try:
            with _tame():
                _check_api(module)
                self._manager.register(module, name=key)
                self._manager.check_pending()
        except _FaultError as fault:
            if self._manager.has_plugin(key):
                self._manager.unregister(name=key)
            self._break(plugin, str(fault))
        else:
            self._plugins[key] = plugin
            self._components.clear()

    def components(self, kind: str) -> list[Component]:
        """Every component of a kind, sorted by name; a hook that raises breaks its own plugin alone."""
        if kind not in self._components:
            found = list(self._collect(kind))
            self._components[kind] = sorted(found, key=lambda each: (each.name, each.distribution))
        return self._components[kind]

    def find(self, kind: str, use: str) -> Component:
        """The component that ``use = "name"``, ``use = "distribution:name"`` or code of one's own means.

        Raises:
            UnknownComponentError: nobody offers it, or several do and no distribution is named.
        """
        if (own := self._own(kind, use)) is not None:
            return own
        distribution, _, name = use.rpartition(":")
        matches = [
            each
            for each in self.components(kind)
            if each.name == name and distribution in ("", each.distribution)
        ]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise UnknownComponentError(_ambiguous(kind, name, matches))
        raise self._unknown(kind, use)

    def _own(self, kind: str, use: str) -> Component | None:
        """The part that ``use = "FILE.py:Class"`` or ``"package.module:Class"`` means, loaded.

        Raises:
            UnknownComponentError: its code is not loaded, or raised.
        """
        try:
            code = own_code(use, self.folder, {each.distribution for each in self.components(kind)})
            if code is None:
                return None
            with _tame():
                loaded = code.load()
        except (OwnCodeError, _FaultError) as error:
            raise RefusedCodeError(str(error).removeprefix("OwnCodeError: ")) from None
        plugin = Plugin(code.origin.name, str(code.origin), f"sha256:{code.sha256}")
        return Component(kind, code.name, loaded, plugin, code)

    def _load(self, point: EntryPoint, plugin: Plugin) -> None:
        try:
            with _tame():
                module = point.load()
        except _FaultError as fault:
            self._break(plugin, str(fault))
        else:
            self.register(module, **attrs.asdict(plugin))

    def _collect(self, kind: str) -> Iterator[Component]:
        hook = getattr(self._manager.hook, KINDS[kind].hook)
        for implementation in hook.get_hookimpls():
            plugin = self._plugins[implementation.plugin_name]
            try:
                with _tame():
                    offered = dict(implementation.function())
                    for name, reference in offered.items():
                        _check_offer(kind, name, reference)
            except _FaultError as fault:
                self._break(plugin, str(fault))
                continue
            for name, reference in offered.items():
                yield Component(kind, name, reference, plugin)

    def _break(self, plugin: Plugin, reason: str) -> None:
        broken = BrokenPlugin(**attrs.asdict(plugin), reason=reason)
        if broken not in self.broken:
            self.broken.append(broken)

    def _unknown(self, kind: str, use: str) -> UnknownComponentError:
        names = sorted({each.name for each in self.components(kind)})
        if not self._plugins and not self.broken:
            return UnknownComponentError(
                f"no {kind} named {quoted(use)}: no ebmkit plugins are installed in this Python; "
                "a source tree has no entry points until it is installed: pip install ."
            )
        message = f"no {kind} named {quoted(use)}; installed: {', '.join(names) or 'none'}"
        absent = [*map(str, self.broken), *(f"{each} is switched off" for each in self.switched_off)]
        return UnknownComponentError("\n".join([message, *absent]), nearest(use, names))


def _origin(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "(unknown distribution)", "?"
    return point.dist.name, point.dist.version


def _check_api(module: object) -> None:
    """Refuse a plugin that states another plugin API than this host has.

    Raises:
        PluginError: it needs another major or a newer minor version.
    """
    here = hookspecs.API_VERSION
    needed = getattr(module, "EBMKIT_API", here)
    if not (isinstance(needed, tuple) and list(map(type, needed)) == [int, int]):
        raise PluginError(f"EBMKIT_API must be two integers such as {here}, got {needed!r}")
    if needed[0] != here[0] or needed > here:
        older = "ebmkit" if needed > here else "the plugin"
        raise PluginError(
            f"it needs the plugin API {needed[0]}.{needed[1]}, this ebmkit has {here[0]}.{here[1]}: "
            f"update {older}"
        )


def _check_offer(kind: str, name: object, reference: object) -> None:
    """Refuse what is no name with a class.

    Raises:
        PluginError: with what it is instead.
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise PluginError(f"{KINDS[kind].hook} offers {name!r}, which is no name")
    if isinstance(reference, str) and all(reference.partition(":")):
        if outline(*reference.split(":", 1)) is None:  # only importing it tells, or that it is broken
            _loaded(kind, reference)
        return
    if not isinstance(reference, type):
        raise PluginError(
            f"{KINDS[kind].hook} offers {name!r} as {reference!r}: a class, or 'module:Class', is needed"
        )
    _loaded(kind, reference)


def _loaded(kind: str, reference: type | str) -> type:
    """The class that a reference means.

    Raises:
        PluginError: it is no class of this kind.
    """
    found: Any = reference
    if isinstance(reference, str):
        found = imported(reference)
    base = _base(kind)
    if not isinstance(found, type):
        raise PluginError(f"{found!r} is no class")
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


def _ambiguous(kind: str, name: str, matches: Sequence[Component]) -> str:
    providers = [f"{each.distribution} {each.version}" for each in matches]
    choice = matches[0].distribution
    if len({each.distribution for each in matches}) == 1:
        return f"{kind} {name!r} is offered twice by {providers[0]}, which its author has to mend"
    return (
        f"{kind} {name!r} is provided by {' and '.join(providers)}; "
        f"write use = '{choice}:{name}' to choose one"
    )
