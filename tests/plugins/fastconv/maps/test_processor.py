from __future__ import annotations

import pytest
import torch

from ebmkit_fastconv.maps.processor import EVERYWHERE, NARROW, WIDE, Rules, rules


@pytest.mark.parametrize(
    ("capability", "asked", "expected"),
    [
        ("AVX512", None, WIDE),
        ("AVX2", None, NARROW),
        ("DEFAULT", None, NARROW),
        ("AVX512", "0", WIDE),
        ("AVX512", "1", EVERYWHERE),
        ("AVX2", "1", EVERYWHERE),
    ],
)
def test_rules_go_by_the_vectors_unless_all_is_asked_for(
    capability: str, asked: str | None, expected: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.delenv("EBMKIT_WINOGRAD")
    if asked is not None:
        monkeypatch.setenv("EBMKIT_WINOGRAD", asked)
    assert rules() is expected


@pytest.mark.parametrize("narrower", [NARROW, WIDE])
def test_no_processor_goes_winograds_way_where_nothing_is_saved(narrower: Rules) -> None:
    """So the tests, which take all of it, miss nothing that a processor does."""
    assert all(EVERYWHERE.chains[stride] <= tiles for stride, tiles in narrower.chains.items())
    for name in ("products", "kernels"):
        every = getattr(EVERYWHERE, name)
        for at, least in getattr(narrower, name).items():
            assert at in every
            assert every[at].channels <= least.channels
            assert every[at].tiles <= least.tiles
