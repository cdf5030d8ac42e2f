from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("revision.use", "no sampler named 'malla'; installed: annealed, descent, hmc, langevin, mala"),
        ("energy.optimizer.use", "no optimizer named 'malla'; installed: adam, adamw, sgd"),
    ],
)
def test_an_unknown_part_alone_is_a_plugin_error(
    key: str, said: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("run", run_file("coopnets"), "--set", f"{key}=malla")
    assert outcome.code == 4
    assert said in outcome.err
