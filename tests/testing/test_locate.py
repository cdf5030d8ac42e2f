"""Which class a place on the command line means."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ebmkit.core import Sampler, Source
from ebmkit.errors import ConfigError, EbmkitError, PluginError
from ebmkit.testing.locate import load_class

ONE = """
from __future__ import annotations
import torch
from ebmkit.core import Position, Sampler, Source
from ebmkit_langevin.langevin import Langevin

class Walk(Sampler):
    def step(self, energy, state, rng):
        return Position(state.x), {}

class Unfinished(Sampler):
    pass

class Helper:
    pass

def made(**settings):
    return Walk()
"""
TWO = (
    ONE
    + """
class Numbers(Source):
    def __len__(self):
        return 1
    def __getitem__(self, index):
        return torch.zeros(len(index), 1)
"""
)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    path = tmp_path / "parts_of_one_file.py"
    path.write_text(ONE)
    return path


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "parts_of_another_file.py"
    path.write_text(TWO)
    return path


def test_a_file_of_one_part_needs_no_class_named(one: Path) -> None:
    """What it imports is not its own, what is abstract cannot be meant, and a helper is no part."""
    found = load_class(str(one))
    assert isinstance(found, type)
    assert (found.__name__, issubclass(found, Sampler)) == ("Walk", True)


def test_of_several_parts_one_has_to_be_named(two: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_class(str(two))
    assert str(raised.value) == f"{two} defines several parts: say {two}:Walk or {two}:Numbers"
    named = load_class(f"{two}:Numbers")
    assert isinstance(named, type)
    assert issubclass(named, Source)


def test_any_callable_that_is_named_is_taken(one: Path) -> None:
    assert isinstance(load_class(f"{one}:made")(), Sampler)
    assert load_class(f"{one}:Helper").__name__ == "Helper"


def test_what_a_part_of_the_file_makes_can_be_pickled(two: Path) -> None:
    """As sources are, on their way to the processes that read ahead."""
    source = load_class(f"{two}:Numbers")()
    assert type(pickle.loads(pickle.dumps(source))) is type(source)  # noqa: S301


@pytest.mark.parametrize(
    ("place", "kind", "said"),
    [
        ("{one}:Walc", PluginError, "{one} has no class 'Walc'; it defines Walk; did you mean 'Walk'?"),
        ("{one}:torch.Walk", PluginError, "{one} has no class 'torch.Walk'; it defines Walk"),
        ("{empty}", PluginError, "{empty} defines no part"),
        ("{empty}:Walk", PluginError, "{empty} has no class 'Walk'; it defines no part"),
        ("{broken}", PluginError, "{broken} cannot be imported: SystemExit: 3"),
        ("{one}.txt:Walk", ConfigError, "'{one}.txt:Walk' is not FILE.py:CLASS"),
        ("{one}:", ConfigError, "'{one}:' is not FILE.py:CLASS"),
        ("{empty}x.py:Walk", ConfigError, "{empty}x.py does not exist"),
    ],
)
def test_what_is_not_there_is_refused(place: str, kind: type[EbmkitError], said: str, one: Path) -> None:
    empty, broken = one.with_name("nothing_in_it.py"), one.with_name("ends_at_once.py")
    empty.write_text("")
    broken.write_text("raise SystemExit(3)")
    names = {"one": one, "empty": empty, "broken": broken}
    with pytest.raises(kind) as raised:
        load_class(place.format(**names))
    assert str(raised.value) == said.format(**names)
