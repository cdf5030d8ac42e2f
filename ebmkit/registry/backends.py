"""The gradient backends of all plugins that are let in, each made once."""

from __future__ import annotations

from functools import cache

from ebmkit.core.backends import InstalledBackend
from ebmkit.errors import PluginError
from ebmkit.registry.discovery import Component, Registry
from ebmkit.registry.selection import Selection

__all__ = ["installed_backends"]


def installed_backends() -> tuple[InstalledBackend, ...]:
    """Those that plugins offer, by name; one that cannot be made says why.

    Raises:
        ConfigError: ``EBMKIT_PLUGINS`` names a plugin that is not installed.
    """
    return _installed(Selection.from_environment())


@cache
def _installed(selection: Selection) -> tuple[InstalledBackend, ...]:
    registry = Registry.discover(selection)
    before = len(registry.broken)
    found = [_made(each) for each in registry.components("backend")]
    # Of a plugin that breaks when it is asked for backends it is known that it would have offered some.
    missing = [
        InstalledBackend(each.name, f"plugin {each.name!r} of {each.distribution}", None, each.reason)
        for each in registry.broken[before:]
    ]
    return (*found, *missing)


def _made(component: Component) -> InstalledBackend:
    try:
        return InstalledBackend(component.name, component.owner, component.factory())
    except PluginError as error:
        return InstalledBackend(component.name, component.owner, None, str(error))
    except Exception as error:  # noqa: BLE001 - a broken plugin must not harm the others
        return InstalledBackend(component.name, component.owner, None, f"{type(error).__name__}: {error}")
