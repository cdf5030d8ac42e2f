from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ebmkit_fastconv.updates import autograd as learning


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the products were computed Winograd's way, in order."""
    names: list[str] = []

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            names.append(name)
            return function(*args, **kwargs)

        return run

    for name in ("product", "transpose", "kernel_gradient"):
        monkeypatch.setattr(learning, name, noting(name, getattr(learning, name)))
    return names
