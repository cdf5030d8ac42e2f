from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_a_misspelt_table_or_use_is_one_problem_and_read_on(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    file.write_text(text.replace("[schedule]", "[schedul]").replace("chains = 4", "chain = 4"))
    err = ebmkit("check", file).err
    assert "2 errors" in err
    assert "did you mean 'schedule'?" in err
    assert "did you mean 'chains'?" in err
    file.write_text(text.replace('use = "langevin"', 'ues = "langevin"\ntemperatur = 1.0'))
    err = ebmkit("check", file).err
    assert "2 errors" in err
    assert "did you mean 'use'?" in err
    assert "did you mean 'temperature'?" in err


COMPOSED = """
[energy]
use = "sum"

[energy.parts.first]
use = "negated"

[energy.parts.first.part]
use = "descriptor"
channels = [4, 8]
kernels = [5, 3]
strides = [2, 2]

[energy.parts.second]
use = "descriptor"
channels = [4, 8]
kernels = [5, 3]
strides = [2, 2]
"""


@pytest.mark.parametrize(
    ("right", "wrong", "word"),
    [
        ("[energy]", "[enrgy]", "energy"),
        ("[energy", "[enrgy", "energy"),
        ("[energy.parts", "[enrgy.parts", "energy"),
        ("[energy.parts.second]", "[enrgy.parts.second]", "energy"),
        ("energy.parts", "energy.prts", "parts"),
        ("energy.parts.second", "energy.prts.second", "parts"),
        ("energy.parts", "energy.part", "parts"),
        ("first.part]", "first.parts]", "part"),
        ("first.part]", "first.parts.one]", "part"),
        ('use = "negated"', 'sue = "negated"', "use"),
    ],
)
def test_a_misspelt_table_of_parts_is_one_problem_and_read_on(
    right: str, wrong: str, word: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("descriptor-only")
    text = re.sub(r"\[energy\]\n(.+\n)+", COMPOSED, file.read_text()).replace(right, wrong)
    file.write_text(text)
    changed = next(n for n, line in enumerate(text.splitlines(), 1) if wrong in line)
    err = ebmkit("check", file).err
    assert err.count("error[") == 1, err
    assert f"did you mean {word!r}?" in err
    assert f"--> {file}:{changed}:" in err
    # What stands in it is checked too, unless it cannot be what the part is made of.
    file.write_text(text.replace("channels", "chanels").replace("strides", "striders"))
    assert ebmkit("check", file).err.count("error[") == (3 if "parts.one" in wrong else 5)
