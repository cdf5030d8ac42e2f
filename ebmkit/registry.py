"""The registry: which parts are installed, and who provides them.

Discovery walks the entry points itself instead of using pluggy's loader, which silently drops a
second plugin of the same name and dies of the first one that cannot be imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs
import pluggy

from ebmkit import plugin as hookspecs
from ebmkit.errors import PluginError

__all__ = ["KINDS", "BrokenPlugin", "Component", "Registry", "UnknownComponentError"]

KINDS: Mapping[str, str] = {
    "energy": "ebmkit_energies",
    "generator": "ebmkit_generators",
    "sampler": "ebmkit_samplers",
    "scheduler": "ebmkit_schedulers",
    "source": "ebmkit_sources",
}
"""Kinds of component and the hook that collects each."""


class UnknownComponentError(PluginError):
    """No installed plugin offers the name, or several do; ``suggestion`` is the nearest name."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        first, *others = message.split("\n")
        hint = f"; did you mean {suggestion!r}?" if suggestion else ""
        super().__init__("\n".join([first + hint, *others]))
        self.message = message
        self.suggestion = suggestion


@attrs.frozen
class Component:
    """One part that a run file can name.

    Attributes:
        kind: a key of ``KINDS``.
        name: what ``use =`` says.
        factory: the class.
        distribution: who provides it, as installed: ``ebmkit-torch``.
        version: of that distribution.
    """

    kind: str
    name: str
    factory: Callable[..., Any]
    distribution: str
    version: str


@attrs.frozen
class BrokenPlugin:
    """A plugin that could not be used, and why. Everything else goes on without it."""

    plugin: str
    distribution: str
    version: str
    reason: str

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.distribution} {self.version} is broken: {self.reason}"


@attrs.frozen
class _Plugin:
    """A registered plugin module and the distribution it came from."""

    name: str
    distribution: str
    version: str


class Registry:
    """Every component of every plugin, by kind and name.

    Attributes:
        broken: the plugins that failed, in the order they were met.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("ebmkit")
        self._manager.add_hookspecs(hookspecs)
        self._plugins: dict[str, _Plugin] = {}
        self._components: dict[str, list[Component]] = {}
        self.broken: list[BrokenPlugin] = []

    @classmethod
    def discover(cls) -> Registry:
        """All plugins that are installed in this Python, ebmkit's own among them."""
        registry = cls()
        points = entry_points(group=hookspecs.ENTRY_POINT_GROUP)
        for point in sorted(points, key=lambda point: (_origin(point), point.name)):
            registry._load(point)
        return registry

    def register(self, module: object, *, name: str, distribution: str, version: str) -> None:
        """Add a plugin; one that pluggy refuses, or with a misspelt hook, becomes a broken one."""
        plugin = _Plugin(name, distribution, version)
        key = f"{distribution}:{name}"
        try:
            self._manager.register(module, name=key)
            self._manager.check_pending()
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its own fault
            if self._manager.has_plugin(key):
                self._manager.unregister(name=key)
            self._break(plugin, error)
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
        """The component that ``use = "name"`` or ``use = "distribution:name"`` means.

        Raises:
            UnknownComponentError: nobody offers it, or several do and no distribution is named.
        """
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

    def _load(self, point: EntryPoint) -> None:
        distribution, version = _origin(point)
        try:
            module = point.load()
        # A plugin that calls sys.exit() while it is imported must not end this program.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._break(_Plugin(point.name, distribution, version), error)
        else:
            self.register(module, name=point.name, distribution=distribution, version=version)

    def _collect(self, kind: str) -> Iterator[Component]:
        hook = getattr(self._manager.hook, KINDS[kind])
        for implementation in hook.get_hookimpls():
            plugin = self._plugins[implementation.plugin_name]
            try:
                offered = dict(implementation.function())
            except (Exception, SystemExit) as error:  # noqa: BLE001
                self._break(plugin, error)
                continue
            for name, factory in offered.items():
                yield Component(kind, name, factory, plugin.distribution, plugin.version)

    def _break(self, plugin: _Plugin, error: BaseException) -> None:
        reason = f"{type(error).__name__}: {error}"
        broken = BrokenPlugin(plugin.name, plugin.distribution, plugin.version, reason)
        if broken not in self.broken:
            self.broken.append(broken)

    def _unknown(self, kind: str, use: str) -> UnknownComponentError:
        names = sorted({each.name for each in self.components(kind)})
        near = difflib.get_close_matches(use, names, n=1)
        if not self._plugins and not self.broken:
            return UnknownComponentError(
                f"no {kind} named {use!r}: no ebmkit plugins are installed in this Python; "
                "a source tree has no entry points until it is installed: pip install ."
            )
        message = f"no {kind} named {use!r}; installed: {', '.join(names) or 'none'}"
        return UnknownComponentError("\n".join([message, *map(str, self.broken)]), near[0] if near else None)


def _origin(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "(unknown distribution)", "?"
    return point.dist.name, point.dist.version


def _ambiguous(kind: str, name: str, matches: Iterable[Component]) -> str:
    providers = [f"{each.distribution} {each.version}" for each in matches]
    choice = next(iter(matches)).distribution
    return (
        f"{kind} {name!r} is provided by {' and '.join(providers)}; "
        f"write use = '{choice}:{name}' to choose one"
    )
