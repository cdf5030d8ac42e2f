from __future__ import annotations

from pathlib import Path

import pytest

from ebmkit.requirements import DISTRIBUTION
from ebmkit.scaffold.names import bound_twice, taken
from tests.conftest import Ebmkit, Install


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("torch", "ebmkit-torch 0.1.0 is installed, and pip would replace it"),
        ("ebmkit-torch", "ebmkit-torch 0.1.0 is installed, and pip would replace it"),
        ("coopnets", "there is a module ebmkit_coopnets already, which it would hide"),
        ("energy", "the code of ebmkit-energy would have two Energy"),
        ("none", "the code of ebmkit-none would have two None"),
        ("energy-checks", "the code of ebmkit-energy-checks would have two EnergyChecks"),
    ],
)
def test_a_name_that_would_take_or_hide_something_is_refused_with_another(
    name: str, why: str, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("plugins", "new", name, "--kind", "energy")
    another = f"my-{name.removeprefix('ebmkit-')}"
    assert (outcome.code, outcome.err) == (2, f"error: {why}: choose another name, such as {another}\n")
    assert list(tmp_path.iterdir()) == []
    assert ebmkit("plugins", "new", another, "--kind", "energy").code == 0


def test_the_name_proposed_is_nobodys_either(ebmkit: Ebmkit, install: Install) -> None:
    install("ebmkit-mine", "ebmkit_mine_too", "")
    install("Ebmkit_My.Mine", "ebmkit_my_mine_too", "")  # pip takes these for one spelling
    outcome = ebmkit("plugins", "new", "mine", "--kind", "energy")
    assert outcome.err == (
        "error: ebmkit-mine 1.2 is installed, and pip would replace it: "
        "choose another name, such as my-mine-2\n"
    )


def test_a_name_that_nobody_has_is_free() -> None:
    assert taken("ebmkit-nobody-has-this", "ebmkit_nobody_has_this") == ""
    assert "pip would replace it" in taken("torch", "nobody_has_this")
    assert "which it would hide" in taken("ebmkit-nobody-has-this", "json")


def test_ebmkit_itself_is_not_written_anew_even_where_it_runs_without_being_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.path", [])  # nothing is installed
    assert taken(DISTRIBUTION, "nobody_has_this") == f"{DISTRIBUTION} is ebmkit itself"
    assert taken("torch", "nobody_has_this") == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import a\nfrom b import c\nclass D(c): ...", ""),
        ("from a import b\nfrom a import b", ""),  # the same thing twice
        ("from a import b\nfrom c import b", "b"),
        ("from a import b as c\nclass c: ...", "c"),
        ("import os.path as x\nclass x: ...", "x"),
        ("class ValueError: ...", "ValueError"),
        ("class class: ...", "class"),
        ("def f():\n    class Sampler: ...\nfrom ebmkit.core import Sampler", "Sampler"),
    ],
)
def test_a_name_of_two_things_is_found(text: str, name: str) -> None:
    assert bound_twice(text) == name
