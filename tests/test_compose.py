"""Composing a training from Python, as the example does."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ebmkit.core import Rng, value_and_gradient

EXAMPLE = Path(__file__).parents[1] / "examples/compose_in_python.py"


def loaded(path: Path) -> Any:
    """A file of ``examples/`` as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def test_algorithm_d_from_python_learns_the_ring(capsys: pytest.CaptureFixture[str]) -> None:
    example = loaded(EXAMPLE)
    schedule = example.train(300)
    radius = schedule.replay.samples.norm(dim=1)
    # 200 chains around a ring of radius 2 and standard deviation 0.1: the mean has standard error
    # 0.007. An untrained energy, |x|^2 / 18 and noise, has mean 3.8 and spread 2.
    assert abs(radius.mean() - 2) < 0.1
    assert radius.std() < 0.2
    angles = torch.atan2(schedule.replay.samples[:, 1], schedule.replay.samples[:, 0])
    assert angles.histc(4, -torch.pi, torch.pi).min() > 20  # of 50 expected: the ring is closed
    energies = value_and_gradient(schedule.energy, torch.tensor([[2.0, 0.0], [0.0, -2.0], [0.0, 0.0]])).value
    assert energies[:2].max() < energies[2]
    assert "energy      300 radius" in capsys.readouterr().out


def test_algorithm_g_from_python_learns_the_ring(capsys: pytest.CaptureFixture[str]) -> None:
    schedule = loaded(EXAMPLE).train_generator(100)
    samples = schedule.propose(1000, rng=Rng(1)).x.detach()
    radius = samples.norm(dim=1)
    # 1,000 samples; an untrained generator's have radii below 0.5.
    assert abs(radius.mean() - 2) < 0.1
    assert radius.std() < 0.2
    angles = torch.atan2(samples[:, 1], samples[:, 0])
    assert angles.histc(4, 0, torch.pi).min() > 80  # of 250 expected: the half ring is covered
    assert "generator   100 radius" in capsys.readouterr().out


def test_a_run_file_is_trained_by_a_loop_in_python(
    run_file: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded(EXAMPLE.with_name("train_in_python.py")).main(str(run_file("generator-only")), 3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert "reconstruction_error" in lines[-1]
    with Image.open("samples.png") as picture:
        assert picture.size == (4 * 18 - 2, 4 * 18 - 2)
