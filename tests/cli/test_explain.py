from __future__ import annotations

import re

import pytest

from ebmkit.config.pages import pages
from tests.conftest import Ebmkit

EXPLAINED = pages()


def test_explain_lists_all_codes_and_knows_near_ones(ebmkit: Ebmkit) -> None:
    listed = ebmkit("explain").out
    assert all(code in listed for code in EXPLAINED)
    assert "stepsize = 0.01" in ebmkit("explain", "e103").out
    outcome = ebmkit("explain", "E1003")
    assert (outcome.code, "did you mean 'E103'?" in outcome.err) == (2, True)


@pytest.mark.parametrize("code", EXPLAINED)
def test_a_page_is_shown_without_its_markdown_and_with_its_examples_set_off(
    code: str, ebmkit: Ebmkit
) -> None:
    shown, page = ebmkit("explain", code).out, EXPLAINED[code]
    assert "```" not in shown
    assert shown.splitlines()[0] == page.splitlines()[0].removeprefix("# ")
    examples = re.findall(r"^```\w+\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        assert "".join(f"    {line}\n" if line else "\n" for line in example.splitlines()) in f"{shown}\n"
