"""Global random generators, which no part may move: a run's numbers come from its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ebmkit.testing.tensors import demand

__all__ = ["given_back", "unmoved"]


@contextmanager
def unmoved(who: str = "it") -> Iterator[None]:
    """Demand that no global generator moves inside the block.

    Raises:
        CheckFailedError: one of torch, NumPy or Python did.
    """
    before = _texts(_states())
    yield
    after = _texts(_states())
    moved = [name for name in before if before[name] != after[name]]
    demand(not moved, f"{who} moved the global generator of {', '.join(moved)}")


@contextmanager
def given_back() -> Iterator[None]:
    """Put the global generators back after the block, whatever was done to them."""
    held = _states()
    try:
        yield
    finally:
        torch.set_rng_state(held["torch"])
        np.random.set_state(held["NumPy"])
        random.setstate(held["Python"])


def _states() -> dict[str, Any]:
    return {"torch": torch.get_rng_state(), "NumPy": np.random.get_state(), "Python": random.getstate()}


def _texts(generators: dict[str, Any]) -> dict[str, str]:
    numbers = generators["NumPy"]
    return {
        "torch": repr(generators["torch"].tolist()),
        "NumPy": repr((numbers[1].tolist(), numbers[2:])),
        "Python": repr(generators["Python"]),
    }
