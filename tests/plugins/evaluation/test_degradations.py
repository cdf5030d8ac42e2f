"""Every metric orders known degradations as a person would."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from torch import Tensor

from ebmkit.core import Figure, Material, Metric
from ebmkit_evaluation.fid import Fid
from ebmkit_evaluation.kid import Kid
from ebmkit_evaluation.manifold import Manifold
from ebmkit_evaluation.pixels import Pixels
from ebmkit_evaluation.sliced import Swd
from tests.plugins.evaluation.images import blended, blurred, checkered, copied, noisy, smooth

REAL, OTHERS = smooth(160, 1), smooth(160, 2)


def first(metric: Metric, generated: Tensor) -> Figure:
    return metric.measure(Material(generated=generated, real=REAL, features=Pixels()))[0]


@pytest.mark.parametrize("metric", [Kid(), Fid(), Swd(patches=1024)])
@pytest.mark.parametrize(
    "worse_and_worse",
    [
        lambda x: [x, blurred(x, 0.7), blurred(x, 1.5)],
        lambda x: [x, noisy(x, 0.05), noisy(x, 0.2)],
        lambda x: [x, checkered(x, 0.05), checkered(x, 0.2)],
        lambda x: [x, blended(x)],
    ],
    ids=["blur", "noise", "checkerboard", "blends"],
)
def test_more_of_a_fault_is_further_from_the_data(
    metric: Metric, worse_and_worse: Callable[[Tensor], list[Tensor]]
) -> None:
    found = [first(metric, generated) for generated in worse_and_worse(OTHERS)]
    for better, worse in itertools.pairwise(found):
        assert worse.value - better.value > 2 * max(worse.error or 0, better.error or 0), (better, worse)


@pytest.mark.parametrize("spoil", [lambda x: blurred(x, 1.5), lambda x: noisy(x, 0.2)], ids=["blur", "noise"])
def test_spoilt_images_are_not_precise(spoil: Callable[[Tensor], Tensor]) -> None:
    clean, spoilt = (first(Manifold(), each).value for each in (OTHERS, spoil(OTHERS)))
    assert clean > 0.8
    assert spoilt < clean / 2


def test_copies_of_a_few_images_are_precise_and_no_variety() -> None:
    material = Material(generated=copied(OTHERS, 20), real=REAL, features=Pixels())
    precision, recall, _, coverage = Manifold().measure(material)
    assert precision.value > 0.8
    assert recall.value < 0.02
    clean = Manifold().measure(Material(generated=OTHERS, real=REAL, features=Pixels()))[3]
    assert coverage.value + 5 * (coverage.error or 0) < clean.value
