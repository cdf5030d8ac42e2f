from __future__ import annotations

from ebmkit.config.pages import pages
from tests.conftest import Ebmkit

EXPLAINED = pages()


def test_explain_lists_all_codes_and_knows_near_ones(ebmkit: Ebmkit) -> None:
    listed = ebmkit("explain").out
    assert all(code in listed for code in EXPLAINED)
    assert "stepsize = 0.01" in ebmkit("explain", "e103").out
    outcome = ebmkit("explain", "E1003")
    assert (outcome.code, "did you mean 'E103'?" in outcome.err) == (2, True)
