"""The registry: which parts are installed, and who provides them.

Discovery walks the entry points itself instead of using pluggy's loader, which silently drops a
second plugin of the same name and dies of the first one that cannot be imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import attrs
import pluggy

from ebmkit import plugin as hookspecs
from ebmkit.errors import PluginError
from ebmkit.messages.quoting import quoted
from ebmkit.messages.spelling import did_you_mean, nearest
from ebmkit.registry.components import (
    BrokenPlugin,
    Component,
    FaultError,
    Plugin,
    check_offer,
    imported,
    tame,
)
from ebmkit.registry.kinds import KINDS
from ebmkit.registry.own import OwnCodeError, own_code
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
            with tame():
                _check_api(module)
                self._manager.register(module, name=key)
                self._refuse_unknown_hooks(module)
        except FaultError as fault:
            if self._manager.has_plugin(key):
                self._manager.unregister(name=key)
            self._break(plugin, str(fault))
        else:
            self._plugins[key] = plugin
            self._components.clear()

    def _refuse_unknown_hooks(self, module: object) -> None:
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            hooks = [kind.hook for kind in KINDS.values()]
            unknown = [
                each.name for each in self._manager.get_hookcallers(module) or () if not each.has_spec()
            ]
            hint = did_you_mean(unknown[0], hooks) or f"there are: {', '.join(hooks)}"
            raise PluginError(f"unknown hook {unknown[0]!r}; {hint}") from error

    def components(self, kind: str) -> list[Component]:
        """Every component of a kind, sorted by name; a hook that raises breaks its own plugin alone."""
        if kind not in self._components:
            found = list(self._collect(kind))
            self._components[kind] = sorted(found, key=lambda each: (each.name, each.distribution))
        return self._components[kind]

    def find(self, kind: str, use: str) -> Component:
        """The component that ``use = "name"``, ``use = "distribution:name"`` or code of one's own means.

        Raises:
            UnknownComponentError: none offers it, or several do and no distribution is named.
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
            with tame():
                loaded = code.load()
        except (OwnCodeError, FaultError) as error:
            raise RefusedCodeError(str(error).removeprefix("OwnCodeError: ")) from None
        plugin = Plugin(code.origin.name, str(code.origin), f"sha256:{code.sha256}")
        return Component(kind, code.name, loaded, plugin, code)

    def _load(self, point: EntryPoint, plugin: Plugin) -> None:
        try:
            with tame():
                module = point.load()
        except FaultError as fault:
            self._break(plugin, str(fault))
        else:
            self.register(module, **attrs.asdict(plugin))

    def _collect(self, kind: str) -> Iterator[Component]:
        hook = getattr(self._manager.hook, KINDS[kind].hook)
        for implementation in hook.get_hookimpls():
            plugin = self._plugins[implementation.plugin_name]
            try:
                with tame():
                    offered = dict(implementation.function())
                    for name, reference in offered.items():
                        check_offer(kind, name, reference)
            except FaultError as fault:
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


def _ambiguous(kind: str, name: str, matches: Sequence[Component]) -> str:
    providers = [f"{each.distribution} {each.version}" for each in matches]
    choice = matches[0].distribution
    if len({each.distribution for each in matches}) == 1:
        return f"{kind} {name!r} is offered twice by {providers[0]}, which its author has to mend"
    return (
        f"{kind} {name!r} is provided by {' and '.join(providers)}; "
        f"write use = '{choice}:{name}' to choose one"
    )
