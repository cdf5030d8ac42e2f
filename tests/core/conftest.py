from __future__ import annotations

from collections.abc import Iterator

import pytest

from ebmkit.core import graph as graphs
from ebmkit.core.graph import making
from ebmkit.registry import backends
from tests.conftest import Install
from tests.core.graph.chains import Recorder
from tests.core.offering import Offering


@pytest.fixture
def offer(install: Install, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offering]:
    """Install plugins whose gradient backends are classes; they are the only ones that are asked."""
    monkeypatch.setenv("EBMKIT_PLUGINS", "no:fastconv")

    def put(*references: str) -> None:
        for i, reference in enumerate(references):
            source = f"""
                from ebmkit.plugin import hookimpl

                @hookimpl
                def ebmkit_gradient_backends():
                    return {{"backend{i}": "{reference}"}}
            """
            install(f"dist{i}", f"backend_plugin{i}_{abs(hash(references))}", source, point=f"point{i}")
        backends._installed.cache_clear()

    yield put
    backends._installed.cache_clear()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    monkeypatch.setattr(making, "compiled", recorder)
    graphs.forget()
    yield recorder
    graphs.forget()
