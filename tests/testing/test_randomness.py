from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ebmkit.testing.randomness import given_back, unmoved
from ebmkit.testing.report import CheckFailedError

DRAWS: dict[str, Callable[[], object]] = {
    "torch": lambda: float(torch.rand(1)),
    "NumPy": np.random.rand,
    "Python": random.random,
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_from_a_global_generator_is_named(name: str) -> None:
    with (
        given_back(),
        pytest.raises(CheckFailedError, match=f"it moved the global generator of {name}$"),
        unmoved(),
    ):
        DRAWS[name]()


def test_generators_of_ones_own_move_nothing() -> None:
    with unmoved():
        torch.rand(1, generator=torch.Generator().manual_seed(0))
        np.random.default_rng(0).random()
        random.Random(0).random()


def seed_all() -> None:
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)


def fail() -> None:
    """Draw from every generator, and fail."""
    for draw in DRAWS.values():
        draw()
    raise RuntimeError("lost")


def test_the_generators_are_given_back_even_after_a_failure() -> None:
    with given_back():
        seed_all()
        expected = [draw() for draw in DRAWS.values()]
        seed_all()
        with pytest.raises(RuntimeError, match="lost"), given_back():
            fail()
        assert [draw() for draw in DRAWS.values()] == expected


def test_what_a_block_raises_is_not_hidden_by_the_demand() -> None:
    with given_back(), pytest.raises(RuntimeError, match="lost"), unmoved():
        fail()
