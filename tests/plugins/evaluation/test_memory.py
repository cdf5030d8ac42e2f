"""What metrics take beside the samples and their features does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from ebmkit.core import Material, Metric
from ebmkit_evaluation.distances import Mmd
from ebmkit_evaluation.fid import Fid
from ebmkit_evaluation.kid import Kid
from ebmkit_evaluation.manifold import Manifold
from ebmkit_evaluation.memorisation import Memorisation
from ebmkit_evaluation.pixels import Pixels
from ebmkit_evaluation.sliced import Swd
from tests.memory import peak_bytes

D = 64
FEW, MANY = 2000, 3000
"""Both are of whole blocks, of 500 or 1,000 examples; swd looks at 4,096."""


def material(count: int) -> Material:
    generator = torch.Generator().manual_seed(count)
    names = ("generated", "real", "training", "held_out")
    sets = {name: torch.rand(count, 1, 16, 16, generator=generator) for name in names}
    found = Material(**sets, features=Pixels())
    found.described = {name: torch.randn(count, D, generator=generator) for name in names}
    return found


def vectors(count: int) -> Material:
    generated, real = torch.randn(2, count, D, generator=torch.Generator().manual_seed(count))
    return Material(generated=generated, real=real)


@pytest.mark.parametrize(
    ("metric", "made", "counts"),
    [
        (Fid(), material, (FEW, MANY)),
        (Kid(), material, (FEW, MANY)),
        (Manifold(), material, (FEW, MANY)),
        (Memorisation(), material, (FEW, MANY)),
        (Swd(patches=512), material, (5000, 6000)),
        (Mmd(bandwidth=1), vectors, (FEW, MANY)),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Metric) else "",
)
def test_more_examples_take_no_more_memory_than_some_numbers_each(
    metric: Metric, made: Callable[[int], Material], counts: tuple[int, int]
) -> None:
    """A copy of their features would take 256 bytes an example in float32, one of their pixels 1,024."""
    few, many = (peak_bytes(partial(metric.measure, made(count))) for count in counts)
    assert few > 0
    assert many - few < 100 * (counts[1] - counts[0])
