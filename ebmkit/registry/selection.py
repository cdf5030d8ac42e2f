"""Which plugins may be loaded: ``EBMKIT_PLUGINS`` and ``-p no:NAME``."""

from __future__ import annotations

import os
from collections.abc import Sequence

import attrs

from ebmkit.errors import ConfigError
from ebmkit.messages.quoting import quoted
from ebmkit.messages.spelling import did_you_mean
from ebmkit.requirements import DISTRIBUTION

__all__ = ["VARIABLE", "Selection", "switch_off"]

VARIABLE = "EBMKIT_PLUGINS"

_NOT = "no:"


@attrs.frozen
class Selection:
    """The plugins that a user wants loaded.

    ``EBMKIT_PLUGINS`` holds names with commas between them. ``no:NAME`` keeps a plugin out; any other
    name lets only the plugins named in, beside ebmkit's own; so the empty string keeps out all that
    are not ebmkit's own. A name is that of the plugin or of its distribution.

    Attributes:
        only: the plugins to let in beside ebmkit's own; None for all.
        without: the plugins to keep out, ebmkit's own among them.
    """

    only: frozenset[str] | None
    without: frozenset[str]

    @classmethod
    def from_environment(cls) -> Selection:
        """What ``EBMKIT_PLUGINS`` says; without it, every plugin is let in."""
        names = [name.strip() for name in os.environ[VARIABLE].split(",")] if VARIABLE in os.environ else []
        only = frozenset(name for name in names if not name.startswith(_NOT))
        without = frozenset(name.removeprefix(_NOT) for name in names if name.startswith(_NOT))
        return cls(only or None, without)

    def admits(self, plugin: str, distribution: str) -> bool:
        """Whether a plugin may be loaded.

        Examples:
            >>> Selection(only=None, without=frozenset({"mine"})).admits("mine", "ebmkit-mine")
            False
        """
        names = {plugin, distribution, f"{distribution}:{plugin}"}
        return not names & self.without and (
            self.only is None or distribution == DISTRIBUTION or bool(names & self.only)
        )

    def refuse_unknown(self, installed: Sequence[tuple[str, str]]) -> None:
        """Refuse a name that nothing installed has: it would switch nothing off.

        Args:
            installed: plugin and distribution of each.

        Raises:
            ConfigError: with the nearest name.
        """
        known = [name for plugin, distribution in installed for name in (plugin, distribution)]
        known += [f"{distribution}:{plugin}" for plugin, distribution in installed]
        for name in sorted(((self.only or frozenset()) | self.without) - {""}):
            if name not in known:
                hint = did_you_mean(name, known)
                names = ", ".join(sorted({plugin for plugin, _ in installed}))
                message = (
                    f"-p and {VARIABLE}: no plugin named {quoted(name)} is installed; there are: {names}"
                )
                raise ConfigError(message + (f"; {hint}" if hint else ""))


def switch_off(names: Sequence[str]) -> None:
    """Keep plugins out of this process and of those it starts.

    Args:
        names: each ``no:NAME``.

    Raises:
        ConfigError: one begins otherwise.
    """
    for name in names:
        if not name.startswith(_NOT):
            raise ConfigError(f"-p takes no:NAME, which switches a plugin off, got {quoted(name)}")
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = name if before is None else f"{before},{name}"
