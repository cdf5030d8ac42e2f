"""What lower packages need of higher ones is handed in by whoever is asked first: ``ebmkit`` itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ebmkit import provided
from ebmkit.provided import gradient_backends, provide_gradient_backends
from ebmkit.registry.backends import installed_backends


def test_the_backends_that_chains_ask_are_those_of_the_plugins() -> None:
    assert gradient_backends() == installed_backends()
    assert "fastconv" in {each.name for each in gradient_backends()}


def test_who_provides_last_is_asked_each_time_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provided, "_providers", {})
    asked = []

    @provide_gradient_backends
    def provider() -> tuple[int, ...]:
        asked.append(1)
        return tuple(asked)

    assert (gradient_backends(), gradient_backends()) == ((1,), (1, 1))
    assert provider() == (1, 1, 1)  # what it decorates stays what it was
    provide_gradient_backends(lambda: ())
    assert gradient_backends() == ()


def test_handing_it_in_loads_neither_torch_nor_the_registry() -> None:
    code = "import sys, ebmkit; sys.exit(any(each in sys.modules for each in ('torch', 'ebmkit.registry')))"
    subprocess.run([sys.executable, "-c", code], check=True)
