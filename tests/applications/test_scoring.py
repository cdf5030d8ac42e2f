from __future__ import annotations

import pytest
import torch

from ebmkit.applications import scoring
from tests.models import LinearDescriptor, double


def test_a_set_is_read_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 4)
    energy, x = LinearDescriptor(torch.tensor([1.0, 2.0]), 0.5), double(11, 2).float()
    assert torch.allclose(scoring.energies_of(energy, x), energy(x).double())
