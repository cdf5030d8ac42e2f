"""The long sweeps of ``interruptions``, as tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.reliability.interruptions import kills, signals

pytestmark = pytest.mark.slow


def test_fifty_kills_change_no_bit(tmp_path: Path) -> None:
    again, equal = kills(tmp_path, count=50)
    assert equal
    assert max(again) <= 2  # checkpoint_every of the tiny run


@pytest.mark.parametrize("steps", [3, 2000])
def test_signals_end_a_run_saved_and_change_no_bit(tmp_path: Path, steps: int) -> None:
    _, codes, equal = signals(tmp_path, count=100, steps=steps)
    assert codes.count(75) > 50
    # The rest came before the command began to listen, and nothing had begun either.
    assert set(codes) <= {75, -signal.SIGTERM, -signal.SIGUSR1}
    assert equal
