"""Sweep files of the tiny run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.applications.sweep.file import SweepFile, read_sweep

RunFile = Callable[[str], Path]
Search = Callable[..., Path]
Write = Callable[..., SweepFile]


@pytest.fixture
def search(run_file: RunFile) -> Search:
    """Write a sweep of the tiny run file and return its path."""

    def write(keys: str, ranges: str, *, iterations: int = 2) -> Path:
        path = run_file("descriptor-only").with_name("search.toml")
        text = run_file("descriptor-only").read_text().replace("iterations = 6", f"iterations = {iterations}")
        path.write_text(f'{text}\n[sweep]\nmetric = "loss_energy"\n{keys}\n[sweep.parameters]\n{ranges}\n')
        return path

    return write


@pytest.fixture
def write(run_file: RunFile) -> Write:
    """Read a sweep of the tiny run file with these ranges."""

    def read(ranges: str, keys: str = 'sampler = "grid"', *overrides: str) -> SweepFile:
        base = run_file("descriptor-only")
        path = base.with_name("search.toml")
        metric = 'metric = "loss_energy"\n'
        path.write_text(f'[sweep]\nbase = "{base.name}"\n{metric}{keys}\n[sweep.parameters]\n{ranges}\n')
        return read_sweep(path, overrides)

    return read
