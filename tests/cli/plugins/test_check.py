from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Ebmkit

MALA = Path(__file__).parents[3] / "examples/third_party_sampler/ebmkit_my_mala/my_mala.py"

LAZY = """
import torch
from ebmkit.core import Source

class Lazy(Source):
    '''Numbers in their order, none of which is kept.

    Args:
        length: how many.
    '''

    def __init__(self, *, length: int = 9) -> None:
        self.length, self.shape = length, (2,)

    def __len__(self): return self.length

    def __getitem__(self, index):
        return torch.stack([index, index], 1).float() / 9
"""

NEEDY = """
from ebmkit.core import Source

class Needy(Source):
    def __init__(self, *, path: str) -> None: ...
    def __len__(self): return 1
    def __getitem__(self, index): ...

class Hasty(Needy):
    @staticmethod
    def conformance():
        return SamplerClaims()
"""


def test_the_command_passes_a_right_part(ebmkit: Ebmkit, images: Path) -> None:
    outcome = ebmkit("plugins", "check", "sources/folder", "--set", f"path={images}", "--set", "size=8")
    assert outcome.code == 0, outcome.out
    assert "sources/folder passes 5 checks" in outcome.out
    assert "12 of shape (3, 8, 8)" in outcome.out


@pytest.mark.parametrize(
    ("component", "code", "message"),
    [
        ("nowhere.py:Wrong", 2, "nowhere.py does not exist"),
        ("samplers/langvin", 4, "langevin"),
        (f"{MALA}:MyMalla", 4, "it defines MyMala; did you mean 'MyMala'?"),
        (f"{MALA.parent}/__init__.py", 4, "defines no part"),
        ("needy.py:Hasty", 4, "Hasty.conformance() raised NameError: name 'SamplerClaims' is not defined"),
        ("malla", 2, "is not KIND/NAME"),
        ("sampler/mala --set stepsize=1", 2, "has no parameter 'stepsize'; did you mean 'step_size'?"),
        ("sampler/mala --set step_size=-1", 2, "'step_size' must be > 0, got -1"),
        ("sampler/mala --set step_size=x", 2, "'step_size' must be a number, got a string: 'x'"),
        ("needy.py:Needy", 2, "cannot be built without path: say --set path=..."),
    ],
)
def test_what_cannot_be_checked_is_one_message(
    ebmkit: Ebmkit, tmp_path: Path, component: str, code: int, message: str
) -> None:
    (tmp_path / "needy.py").write_text(NEEDY)
    outcome = ebmkit("plugins", "check", *component.split(), "--quick")
    assert outcome.code == code
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_part_that_a_setting_makes_wrong_is_told_with_how_many_checks_it_fails(
    ebmkit: Ebmkit, tmp_path: Path
) -> None:
    (tmp_path / "lazy.py").write_text(LAZY)
    right, wrong = (ebmkit("plugins", "check", "lazy.py", "--set", f"length={n}", "--json") for n in (9, 0))
    assert (right.code, wrong.code) == (0, 4)
    told = json.loads(wrong.out)
    failed = [each for each in told["checks"] if each["outcome"] == "failed"]
    assert not told["passed"]
    assert failed
    ran = [each for each in told["checks"] if each["outcome"] != "skipped"]
    shown = ebmkit("plugins", "check", "lazy.py", "--set", "length=0")
    assert f"lazy.py fails {len(failed)} of {len(ran)} checks\n" in shown.out
