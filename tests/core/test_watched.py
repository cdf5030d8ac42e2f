from __future__ import annotations

from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

from ebmkit.core import Derived, Energy, EnergyFn, Gradient, Info, Rng, Sampler, State, run_chain
from ebmkit.core.gradient import ValueAndGradient
from ebmkit.core.watched import Average
from ebmkit_langevin.langevin import Langevin
from tests.models import double


def size(rows: Tensor, scale: float) -> dict[str, Tensor]:
    return {"size": scale * rows.flatten(1).norm(dim=1), "scale": rows.new_full((), scale)}


def test_an_info_that_is_derived_is_a_mapping_like_any_other() -> None:
    rows = double(4, 3)
    info = Derived(rows, size, 2.0)
    assert list(info) == ["size", "scale"]
    assert len(info) == 2
    assert "other" not in info
    assert torch.equal(info["size"], 2 * rows.norm(dim=1))
    assert {**info, "more": rows}.keys() == {"size", "scale", "more"}


def test_nothing_is_derived_before_somebody_reads_and_then_once() -> None:
    asked = []

    def ask(rows: Tensor) -> dict[str, Tensor]:
        asked.append(rows)
        return {"sum": rows.sum(1)}

    info = Derived(double(2, 2), ask)
    assert asked == []
    assert torch.equal(info["sum"], info["sum"])
    assert len(asked) == 1


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 3, 8, 8), (5, 3, 20, 20)])
@pytest.mark.parametrize("steps", [1, 32, 33, 200])
def test_what_is_derived_for_many_steps_has_the_mean_of_each_step(shape: tuple[int, ...], steps: int) -> None:
    """Rows are joined up to 2^15 numbers, and none of 4096 numbers per step or more."""
    rows = [double(*shape, seed=step).reshape(shape[0], -1) for step in range(steps)]
    average = Average()
    for each in rows:
        average.add(Derived(each, size, 2.0))
    found = average.result()
    assert found.keys() == {"size", "scale"}
    assert float(found["size"]) == pytest.approx(float(torch.cat(rows).norm(dim=1).mean()) * 2, rel=1e-12)
    assert float(found["scale"]) == 2.0


def test_steps_that_differ_are_not_joined() -> None:
    def other(rows: Tensor, scale: float) -> dict[str, Tensor]:
        return {"size": rows.new_full((), -scale)}

    average = Average()
    ones = torch.ones(4, 1)
    for info in (
        Derived(ones, size, 2.0),
        Derived(ones, size, 3.0),
        Derived(ones, other, 3.0),
        {"size": torch.tensor(6.0)},
        Derived(torch.ones(4, 1, 1), size, 2.0),
    ):
        average.add(info)
    assert float(average.result()["size"]) == pytest.approx((2 + 3 - 3 + 6 + 2) / 5)


class Reusing(Energy):
    """E(x) = |x|^2 / 2; its gradients all lie in one place."""

    def __init__(self) -> None:
        super().__init__()
        self.place = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1) / 2

    def prepare(self, x: Tensor) -> Gradient:
        self.place = torch.empty_like(x)

        def gradient(x: Tensor) -> ValueAndGradient:
            return ValueAndGradient(self(x), self.place.copy_(x))

        return gradient


@attrs.frozen(kw_only=True)
class Read(Sampler):
    """Langevin whose figures are made at once."""

    inner: Langevin

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        moved, info = self.inner.step(energy, state, rng)
        return moved, dict(info)


@pytest.mark.parametrize("sampler", [Langevin(step_size=0.5), Langevin(step_size=0.5, noise=False)], ids=repr)
@pytest.mark.parametrize("shape", [(6, 2), (6, 3000)])
def test_what_langevin_watches_is_what_it_is_made_of_even_where_gradients_share_their_memory(
    sampler: Langevin, shape: tuple[int, ...]
) -> None:
    x = double(*shape)
    found = run_chain(sampler, Reusing(), x, steps=40, rng=Rng(0))
    exact = run_chain(Read(inner=sampler), Reusing(), x, steps=40, rng=Rng(0))
    assert torch.equal(found.x, exact.x)
    assert found.stats.keys() == exact.stats.keys()
    for name, value in exact.stats.items():
        assert float(found.stats[name]) == pytest.approx(float(value), rel=1e-12)
