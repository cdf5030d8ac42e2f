from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor

from ebmkit_fastconv.updates import autograd as learning


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the products were computed Winograd's way, in order."""
    names: list[str] = []
    make, gradient = learning._map, learning.kernel_gradient

    def made(*args: Any, transposed: bool) -> Any:
        names.append("transpose" if transposed else "product")
        return make(*args, transposed=transposed)

    def gradient_of_kernel(*args: Any) -> Tensor:
        names.append("kernel_gradient")
        return gradient(*args)

    monkeypatch.setattr(learning, "_map", made)
    monkeypatch.setattr(learning, "kernel_gradient", gradient_of_kernel)
    return names
