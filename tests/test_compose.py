"""Composing a training from Python, as the example does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from ebmkit.core import value_and_gradient

EXAMPLE = Path(__file__).parents[1] / "examples/compose_in_python.py"


def test_algorithm_d_from_python_learns_the_ring(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("compose_in_python", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    schedule = example.train(300)
    radius = schedule.samples.norm(dim=1)
    # 200 chains around a ring of radius 2 and standard deviation 0.1: the mean has standard error
    # 0.007. An untrained energy, |x|^2 / 18 and noise, has mean 3.8 and spread 2.
    assert abs(radius.mean() - 2) < 0.1
    assert radius.std() < 0.2
    angles = torch.atan2(schedule.samples[:, 1], schedule.samples[:, 0])
    assert angles.histc(4, -torch.pi, torch.pi).min() > 20  # of 50 expected: the ring is closed
    energies = value_and_gradient(schedule.energy, torch.tensor([[2.0, 0.0], [0.0, -2.0], [0.0, 0.0]])).value
    assert energies[:2].max() < energies[2]
    assert "300 radius" in capsys.readouterr().out
