from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit


def test_without_optuna_the_command_says_what_to_install(
    run_file: Callable[[str], Path], ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    path = run_file("descriptor-only")
    ranges = '[sweep.parameters]\n"revision.steps" = { choices = [1] }\n'
    path.write_text(f'{path.read_text()}[sweep]\nsampler = "grid"\nmetric = "loss_energy"\n{ranges}')
    refused = ebmkit("sweep", path)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "pip install 'ebmkit-torch[sweep]'" in refused.err
    assert not Path("runs").exists()
