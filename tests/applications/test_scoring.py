from __future__ import annotations

import csv
import io

import pytest
import torch

from ebmkit.applications import scoring
from tests.models import LinearDescriptor, double


def test_a_set_is_read_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 4)
    energy, x = LinearDescriptor(torch.tensor([1.0, 2.0]), 0.5), double(11, 2).float()
    assert torch.allclose(scoring.energies_of(energy, x), energy(x).double())


def test_a_table_holds_every_bit_of_the_energies() -> None:
    energies = torch.cat(
        [double(50) * 1e5, torch.tensor([0.1, -0.0, 1e-300, torch.inf], dtype=torch.float64)]
    )
    header, *rows = csv.reader(io.StringIO(scoring.table_of(energies)))
    assert header == ["example", "energy"]
    assert [int(number) for number, _ in rows] == list(range(54))
    assert torch.equal(torch.tensor([float(energy) for _, energy in rows], dtype=torch.float64), energies)
    assert scoring.table_of(energies[:0]) == "example,energy\n"


def test_no_example_has_no_energy_and_none_remembers_a_gradient() -> None:
    energy, x = LinearDescriptor(torch.tensor([1.0, 2.0]), 0.5), double(5, 2).float()
    found = scoring.energies_of(energy, x)
    assert (found.dtype, found.requires_grad) == (torch.float64, False)
    assert torch.allclose(
        found, x.double().square().sum(1) * 2 - x.double() @ torch.tensor([1.0, 2.0]).double()
    )
    assert scoring.energies_of(energy, x[:0]).shape == (0,)
