from __future__ import annotations

from pathlib import Path

import pytest

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
