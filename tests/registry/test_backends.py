"""The gradient backends of all plugins that are let in: made once, and none harmed by another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ebmkit.core.backends import InstalledBackend
from ebmkit.errors import ConfigError
from ebmkit.registry import backends
from ebmkit.registry.backends import installed_backends
from tests.conftest import Install

Backends = Callable[..., dict[str, InstalledBackend]]

RIGHT = """
    from ebmkit.core import GradientBackend
    from ebmkit.plugin import hookimpl

    class Quiet(GradientBackend):
        '''Knows nothing.'''
        made = 0

        def __init__(self):
            Quiet.made += 1

        def __call__(self, energy, x, precision):
            return None

    class Failing(Quiet):
        '''Cannot be made.'''
        def __init__(self):
            raise OSError("no compiler")

    @hookimpl
    def ebmkit_gradient_backends():
        return {"quiet": Quiet, "failing": Failing}
"""
BROKEN = """
    from ebmkit.plugin import hookimpl

    @hookimpl
    def ebmkit_gradient_backends():
        raise KeyError("late")
"""


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    backends._installed.cache_clear()
    yield
    backends._installed.cache_clear()


def by_name() -> dict[str, InstalledBackend]:
    return {each.name: each for each in installed_backends()}


def test_one_that_cannot_be_made_says_why_and_the_others_are_there(install: Install) -> None:
    install("quiet-parts", "quiet_parts", RIGHT)
    found = by_name()
    assert found["fastconv"].backend is not None
    assert type(found["quiet"].backend).__name__ == "Quiet"
    assert (found["failing"].backend, found["failing"].fault) == (None, "OSError: no compiler")
    assert found["failing"].owner == "backend 'failing' (plugin 'quiet_parts' of quiet-parts 1.2)"


def test_a_plugin_that_breaks_when_it_is_asked_is_one_that_is_missing(install: Install) -> None:
    install("broken-backends", "broken_backends", BROKEN)
    missing = by_name()["broken_backends"]
    assert missing.backend is None
    assert "KeyError: 'late'" in missing.fault
    assert missing.owner == "plugin 'broken_backends' of broken-backends"


def test_each_is_made_once_for_all_who_ask(install: Install) -> None:
    install("quiet-once", "quiet_once", RIGHT)
    first, second = by_name()["quiet"].backend, by_name()["quiet"].backend
    assert first is second
    assert type(first).made == 1  # type: ignore[attr-defined]


def test_who_is_switched_off_is_not_there_until_it_is_let_in_again(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("quiet-off", "quiet_off", RIGHT)
    assert {"quiet", "fastconv"} <= by_name().keys()
    monkeypatch.setenv("EBMKIT_PLUGINS", "no:quiet_off")
    assert "quiet" not in by_name()
    assert "fastconv" in by_name()
    monkeypatch.delenv("EBMKIT_PLUGINS")
    assert "quiet" in by_name()


def test_a_name_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_PLUGINS", "no:fastcnv")
    with pytest.raises(ConfigError, match="did you mean 'fastconv'"):
        installed_backends()
