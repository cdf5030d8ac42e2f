from __future__ import annotations

import pytest

from tests.core.graph.rich_energy import Rich


@pytest.fixture
def energy() -> Rich:
    return Rich().eval()
