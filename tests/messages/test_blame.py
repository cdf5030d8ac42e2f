"""Whose line an error came through, whatever torch and ebmkit have between it and its author."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from ebmkit.core import Tempered
from ebmkit.messages.blame import Place, defined_at, last_outside, nearest, place_in

FILES = {
    "their_parts/__init__.py": "",
    "their_parts/energy.py": """
        import torch
        from torch import nn
        from their_parts.base import Base
        from their_parts.helpers import doubled

        class Mine(Base):
            def forward(self, x):
                return nn.functional.linear(x, torch.ones(3, 3))  # torch's own line is deeper

        class Lent(Base):
            '''Has no line of its own.'''

        class Helped(Base):
            def forward(self, x):
                return doubled(x)

        class Bare(nn.Linear):
            pass

        def shared(x):
            raise ValueError(x)

        class Asking(Base):
            def forward(self, x):
                return shared(x)

        class Moving:
            def step(self, energy):
                return energy(0)
        """,
    "their_parts/base.py": """
        from ebmkit.core import Energy

        class Base(Energy):
            def forward(self, x):
                return x + [0]
        """,
    "their_parts/helpers.py": """
        def doubled(x):
            raise ValueError(x)

        def whole(function):
            return lambda x: function(x)
        """,
}


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], type]]:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "their_parts").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    yield lambda name: getattr(import_module("their_parts.energy"), name)
    for name in [each for each in sys.modules if each.partition(".")[0] == "their_parts"]:
        del sys.modules[name]


def raised_by(call: Callable[..., Any], *arguments: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any
        call(*arguments)
    return caught.value  # type: ignore[return-value]


def line(tmp_path: Path, file: str, text: str) -> str:
    path = tmp_path / "their_parts" / file
    (number,) = (n for n, each in enumerate(path.read_text().splitlines(), 1) if text in each)
    return f"{path}:{number}"


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("Mine", "energy.py", "nn.functional"),
        ("Lent", "base.py", "x + [0]"),
        ("Helped", "energy.py", "return doubled"),
    ],
)
def test_it_is_the_last_line_of_the_class_or_of_those_it_inherits_from(
    name: str, file: str, text: str, theirs: Callable[[str], type], tmp_path: Path
) -> None:
    part = theirs(name)
    error = raised_by(part(), torch.ones(2, 5))
    assert str(place_in(error, part)) == line(tmp_path, file, text)


def test_or_of_its_package(theirs: Callable[[str], type], tmp_path: Path) -> None:
    error = raised_by(import_module("their_parts.helpers").whole(torch.zeros(2, 3).add), "no number")
    bare = theirs("Bare")
    assert str(place_in(error, bare)) == line(tmp_path, "helpers.py", "lambda x: function(x)")


def test_no_line_is_none_and_the_class_has_a_place(theirs: Callable[[str], type], tmp_path: Path) -> None:
    bare = theirs("Bare")
    error = raised_by(bare(3, 3), torch.ones(2, 5))
    assert place_in(error, bare) is None
    assert str(defined_at(bare)) == line(tmp_path, "energy.py", "class Bare")
    assert defined_at(type("Made", (), {})) is None
    last = last_outside(error, "torch")
    assert last is not None
    assert last.file == __file__


def test_of_several_the_nearest_is_responsible(theirs: Callable[[str], type]) -> None:
    inner = theirs("Mine")
    parts: dict[str, Callable[..., Any]] = {"outer": Tempered, "inner": inner}
    error = raised_by(Tempered(inner(), temperature=2.0), torch.ones(2, 5))
    assert nearest(error, parts) == "inner"
    assert nearest(error, {"outer": Tempered}) == "outer"
    assert nearest(raised_by(int, "x"), parts) is None


def test_of_several_in_one_module_it_is_the_one_whose_method_is_nearest(
    theirs: Callable[[str], type],
) -> None:
    """An author's one file with a sampler that calls an energy that calls what they share."""
    energy, sampler = theirs("Asking"), theirs("Moving")
    parts: dict[str, Callable[..., Any]] = {"sampler": sampler, "energy": energy, "other": theirs("Lent")}
    assert nearest(raised_by(sampler().step, energy()), parts) == "energy"
    assert nearest(raised_by(sampler().step, lambda x: shared_by(theirs)), parts) == "sampler"


def shared_by(theirs: Callable[[str], type]) -> None:
    theirs("shared")(0)


def test_what_ebmkit_does_around_a_part_is_not_the_parts_own() -> None:
    """A part of ebmkit itself answers for its module, not for the whole package."""
    from ebmkit.core import run_chain

    error = raised_by(run_chain, None, None, torch.zeros(2), -1)
    assert place_in(error, Tempered) is None


def test_a_place_reads_as_editors_take_it() -> None:
    assert str(Place("parts.py", 7)) == "parts.py:7"
