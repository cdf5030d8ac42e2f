from __future__ import annotations

from tests.conftest import Ebmkit


def test_a_kind_alone_lists_its_parts(ebmkit: Ebmkit) -> None:
    for kind in ("generator", "generators"):
        outcome = ebmkit("plugins", "show", kind)
        assert outcome.code == 2
        assert f"{kind} is a kind of parts; there are generator/class-generator, generator/g" in outcome.err
