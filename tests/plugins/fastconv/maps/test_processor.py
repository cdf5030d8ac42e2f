from __future__ import annotations

import pytest
import torch

from ebmkit_fastconv.maps.processor import multiplies_fast


@pytest.mark.parametrize(
    ("capability", "asked", "expected"),
    [("AVX512", None, True), ("AVX512", "1", False), ("AVX2", None, False), ("DEFAULT", None, False)],
)
def test_vectors_of_512_bits_multiply_fast_unless_told_otherwise(
    capability: str, asked: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.delenv("EBMKIT_WINOGRAD")
    if asked is not None:
        monkeypatch.setenv("EBMKIT_WINOGRAD", asked)
    assert multiplies_fast() is expected
