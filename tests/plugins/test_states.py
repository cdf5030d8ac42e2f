"""States of any shape through every sampler: how the numbers of a chain are arranged changes no bit of it."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch
from ebmkit_my_mala.my_mala import MyMala
from torch import Tensor

from ebmkit.core import Rng, Sampler, as_rows, run_chain, walk
from ebmkit.registry.discovery import Registry

SAMPLERS: dict[str, Any] = {each.name: each.factory for each in Registry.discover().components("sampler")}
SAMPLERS["my-mala"] = MyMala  # the example of a third party
ADAPTING = {"mala", "hmc", "preconditioned"}
ARRANGED = [
    ((6,), (2, 3)),
    ((6,), (1, 2, 3)),
    ((6,), (2, 1, 3, 1)),
    ((2, 3), (1, 1, 2, 3)),
    ((1,), ()),
    ((1, 1, 1), ()),
]
DTYPES = [torch.float32, torch.float64]


def energy(x: Tensor) -> Tensor:
    """Neither Gaussian nor convex, in every coordinate alike."""
    return as_rows(x.square() / 2 + x.cos()).sum(1)


def made(name: str) -> Sampler:
    settings = {"adapt_steps": 3} if name in ADAPTING else {"anneal_steps": 3} if name == "annealed" else {}
    sampler: Sampler = SAMPLERS[name](step_size=0.7, **settings)
    return sampler


def starts(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return 2 * Rng(3).normal(torch.empty(*shape, dtype=dtype))


def numbers(name: str, x: Tensor) -> list[Tensor]:
    """Everything that eight steps return, states and infos, as plain rows of numbers."""
    with torch.no_grad():
        moves = list(islice(walk(made(name), energy, x, rng=Rng(4)), 8))
    return [each.flatten() for state, info in moves for each in (*state, *info.values())]  # type: ignore[misc]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_arrangement_changes_no_bit(name: str, dtype: torch.dtype) -> None:
    for plain, arranged in ARRANGED:
        x = starts(16, *plain, dtype=dtype)
        as_is, changed = (numbers(name, each) for each in (x, x.reshape(16, *arranged)))
        assert len(as_is) == len(changed)
        assert all(torch.equal(one, other) for one, other in zip(as_is, changed, strict=True)), arranged
        assert not torch.equal(run_chain(made(name), energy, x, steps=8, rng=Rng(4)).x, x)


LAYOUTS = {
    "channels-last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(0, 2).contiguous().transpose(0, 2),
    "every second of a larger tensor": lambda x: torch.stack([x, x + 1], -1)[..., 0],
    "requires a gradient": lambda x: x.clone().requires_grad_(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_layout_in_memory_changes_no_bit(name: str, layout: str) -> None:
    x = starts(5, 2, 3, 4)
    other = LAYOUTS[layout](x)
    assert layout == "requires a gradient" or not other.is_contiguous()
    ends = [run_chain(made(name), energy, each, steps=5, rng=Rng(4)) for each in (x, other)]
    assert torch.equal(ends[0].x, ends[1].x)
    assert all(torch.equal(ends[0].stats[each], ends[1].stats[each]) for each in ends[0].stats)
    assert torch.equal(other, x)


@pytest.mark.parametrize("shape", [(), (2, 3)], ids=str)
@pytest.mark.parametrize("name", SAMPLERS)
def test_chains_that_start_at_one_expanded_place_part_and_leave_it_alone(
    name: str, shape: tuple[int, ...]
) -> None:
    place = starts(1, *shape)
    ends = run_chain(made(name), energy, place.expand(7, *shape), steps=5, rng=Rng(4)).x
    copied = run_chain(made(name), energy, place.repeat(7, *[1] * len(shape)), steps=5, rng=Rng(4)).x
    assert torch.equal(ends, copied)
    assert name == "descent" or len(as_rows(ends).unique(dim=0)) == 7
    assert torch.equal(place, starts(1, *shape))


def test_the_figures_of_one_number_a_chain_are_those_numbers() -> None:
    """Root mean squares over one coordinate are absolute values."""
    x = starts(9)
    (gradient,) = torch.autograd.grad(energy(y := x.clone().requires_grad_()).sum(), y)
    _, info = next(walk(made("langevin"), energy, x, rng=Rng(4)))
    assert torch.allclose(info["drift"], 0.7**2 / 2 * gradient.abs())
    state, info = next(walk(made("underdamped"), energy, x, rng=Rng(4)))
    assert torch.equal(info["kinetic_temperature"], state.velocity.square())  # type: ignore[attr-defined]
    state, info = next(walk(made("descent"), energy, x, rng=Rng(4)))
    assert torch.equal(info["slope"], state.gradient.abs())  # type: ignore[attr-defined]
    _, info = next(walk(made("preconditioned"), energy, x, rng=Rng(4)))
    assert torch.equal(info["condition"], torch.ones(9, dtype=torch.float64))
