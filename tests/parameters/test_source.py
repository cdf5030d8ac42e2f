"""Names are found in the text of modules, and nothing of them is run."""

from __future__ import annotations

import ast
import math
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebmkit.core import Gt
from ebmkit.parameters.source import (
    Class,
    Source,
    UnreadableError,
    evaluate,
    hint_of,
    line_of,
    look_up,
    read,
)

Write = Callable[[str], Source]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Write:
    """Write a module that must not be run, in a package that must not be either; what is read of it."""
    package = f"read_{abs(hash(request.node.nodeid))}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("from .far import Far as Near\nraise SystemExit\n")
    (tmp_path / package / "far.py").write_text("class Far:\n    pass\nWIDTH = 3\nraise SystemExit\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def written(text: str) -> Source:
        (tmp_path / package / "here.py").write_text(textwrap.dedent(text) + "\nraise SystemExit\n")
        return read(f"{package}.here")

    return written


def value(source: Source, text: str) -> Any:
    return evaluate(ast.parse(text, mode="eval").body, source)


def named(found: Any) -> str:
    assert isinstance(found, Class)
    return found.node.name


def test_a_module_is_read_and_not_run(write: Write) -> None:
    before = {*sys.modules}
    source = write("import math\nWIDTH: int = 2 * 3\nclass Here: ...\ndef made(): ...")
    assert [*source.bindings] == ["math", "WIDTH", "Here", "made"]
    assert look_up(source, "WIDTH") == 6
    assert not [name for name in {*sys.modules} - before if name.startswith("read_")]


@pytest.mark.parametrize(
    "line",
    [
        "from .far import Far",
        "from . import Near as Far",
        "from .far import Far as Other\nFar = Other",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .far import Far",
    ],
)
def test_imports_are_followed_to_where_a_class_is_defined(line: str, write: Write) -> None:
    found = look_up(write(line), "Far")
    assert named(found) == "Far"
    assert found.source.name.endswith(".far")


def test_what_marks_a_range_is_the_mark_itself(write: Write) -> None:
    source = write(
        "from ebmkit.core import Gt as Above\nfrom math import pi\nimport math as m\nimport os.path"
    )
    assert look_up(source, "Above") is Gt
    assert value(source, "m.floor(pi)") == math.floor(math.pi)
    assert value(source, "os.path.sep") == "/"


def test_the_last_binding_counts_as_it_does_in_the_module(write: Write) -> None:
    source = write("WIDTH = 1\nWIDTH = 2\nfrom .far import WIDTH as DEPTH\nBOTH = WIDTH + DEPTH")
    assert look_up(source, "BOTH") == 5


def test_names_that_a_module_does_not_bind_are_pythons_own(write: Write) -> None:
    source = write("")
    assert value(source, "tuple[int, ...] | None") == tuple[int, ...] | None
    with pytest.raises(AttributeError):
        look_up(source, "nothing_of_this_name")


@pytest.mark.parametrize("expression", ["torch.pi", "np.pi", "made()", "open_later"])
def test_what_only_an_import_would_tell_is_unreadable(expression: str, write: Write) -> None:
    source = write("import torch, numpy as np\ndef made(): ...\nopen_later: int")
    with pytest.raises(UnreadableError):
        value(source, expression)


@pytest.mark.parametrize("hint", ['"Far"', "Far", "'int'"])
def test_an_annotation_is_no_text_and_no_class_that_was_only_read(hint: str, write: Write) -> None:
    source = write("from .far import Far")
    with pytest.raises(UnreadableError):
        hint_of(ast.parse(hint, mode="eval").body, source)
    assert hint_of(ast.parse("int | None", mode="eval").body, source) == int | None


def test_the_line_of_a_class_is_that_of_its_bases_without_torchs(write: Write) -> None:
    source = write(
        """
        import torch.nn as nn
        from torch import nn as again
        from .far import Far
        class Module(nn.Module): ...
        class Other(again.Module, Module): ...
        class Here(Other, Far): ...
        """
    )
    assert [named(each) for each in line_of(look_up(source, "Here"))] == ["Here", "Other", "Module", "Far"]


def test_a_class_of_another_metaclass_is_unreadable_wherever_it_stands_in_the_line(write: Write) -> None:
    source = write("class Meta(metaclass=type): ...\nclass Here(Meta): ...")
    with pytest.raises(UnreadableError, match="Meta"):
        [*line_of(look_up(source, "Here"))]


def test_a_module_that_could_not_be_imported_is_not_read_either(write: Write) -> None:
    with pytest.raises(UnreadableError, match="imports not_there_at_all, which is not installed"):
        write("import not_there_at_all.inside")


@pytest.mark.parametrize("name", ["sys", "not_there_at_all", "json.not_there", "json.decoder.Inside"])
def test_what_has_no_source_is_unreadable(name: str) -> None:
    with pytest.raises(UnreadableError):
        read(name)


def test_the_text_is_in_the_encoding_that_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "read_in_latin.py").write_bytes("# coding: latin-1\nNAME = 'Größe'\n".encode("latin-1"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert look_up(read("read_in_latin"), "NAME") == "Größe"
