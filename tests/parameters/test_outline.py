"""Reading a class from its source gives what importing it gives, and imports no torch."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ebmkit.parameters.outline import outline
from ebmkit.parameters.signature import signature_of
from ebmkit.registry.discovery import Component, Registry
from ebmkit.registry.kinds import KINDS

COMPONENTS = [each for kind in KINDS for each in Registry.discover().components(kind)]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda each: f"{each.kind}/{each.name}")
def test_the_source_tells_what_the_class_tells(component: Component) -> None:
    assert isinstance(component.reference, str)
    seen = outline(*component.reference.split(":"))
    assert seen is not None
    assert seen.signature == signature_of(component.factory)
    assert seen.doc == inspect.getdoc(component.factory)


@pytest.mark.parametrize("arguments", [("plugins", "list"), ("plugins", "show", "sampler/hmc"), ("check",)])
def test_neither_lists_nor_errors_need_torch(arguments: tuple[str, ...], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    example = Path(__file__).parents[2] / "examples/coopnets_faces.toml"
    wrong.write_text(example.read_text().replace("step_size", "stepsize"))
    arguments = (*arguments, str(wrong)) if arguments == ("check",) else arguments
    code = f"""
        import sys
        sys.argv = ["ebmkit", *{json.dumps(arguments)}]
        from ebmkit.cli import main
        try:
            main()
        except SystemExit as stopped:
            print(stopped.code, "torch" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f"{2 if arguments[0] == 'check' else 0} False", done.stderr


READABLE = """
    from __future__ import annotations
    import math
    import attrs
    import torch.nn
    from typing import Annotated as An, ClassVar, Literal
    from ebmkit.core import Gt, Sampler
    from . import outline_sizes as sizes
    from .outline_sizes import Size as S, DEFAULT

    class Base(torch.nn.Module):
        '''Base.

        Args:
            width: of the base.
        '''
        def __init__(self, shape, energy=None, *, width: S = DEFAULT, kind: Literal["a", "b"] | None = None):
            super().__init__()

    class Inherits(Base):
        '''Inherits its constructor.'''

    @attrs.frozen(kw_only=True)
    class Fields(Sampler):
        '''Fields.

        Args:
            rate: of decay,
                over two lines.
        '''
        count: ClassVar[int] = 3
        rate: An[float, Gt(0)] = math.pi
        sizes: tuple[S, ...] = (1, 2)
        def step(self, energy, state, rng): ...

    @attrs.frozen(kw_only=True)
    class More(Fields):
        rate: An[float, Gt(1)] = 2.0
        last: bool
"""
UNREADABLE = """
    import dataclasses, functools, attrs, torch

    @dataclasses.dataclass(kw_only=True)
    class Data:
        a: int = 1

    @attrs.frozen(kw_only=True)
    class Factory:
        a: list = attrs.field(factory=list)

    class Computed(torch.nn.Module if True else object):
        def __init__(self, *, a: int = 1): ...

    class New:
        def __new__(cls, *, b: int): ...
        def __init__(self, *, a: int = 1): ...

    class Untyped:
        def __init__(self, *, a=1): ...

    class Quoted:
        def __init__(self, *, a: "torch.Tensor"): ...

    class Heavy:
        def __init__(self, *, a: float = torch.pi): ...

    class Meta(metaclass=type):
        def __init__(self, *, a: int = 1): ...
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "outlined"
    folder.mkdir()
    (folder / "__init__.py").write_text("import torch\n")
    (folder / "outline_sizes.py").write_text(
        "from typing import Annotated\nfrom annotated_types import Ge\n"
        "Size = Annotated[int, Ge(1)]\nDEFAULT: int = 2 * 3\n"
    )
    (folder / "readable.py").write_text(textwrap.dedent(READABLE))
    (folder / "unreadable.py").write_text(textwrap.dedent(UNREADABLE))
    monkeypatch.syspath_prepend(str(tmp_path))
    return "outlined"


def test_imports_aliases_bases_and_attrs_are_followed(package: str) -> None:
    import importlib

    seen = {name: outline(f"{package}.readable", name) for name in ("Base", "Inherits", "Fields", "More")}
    module = importlib.import_module(f"{package}.readable")
    for name, each in seen.items():
        assert each is not None, name
        assert each.signature == signature_of(getattr(module, name)), name
    assert seen["More"].signature.parameter("rate").doc == "of decay, over two lines."  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name", ["Data", "Factory", "Computed", "New", "Untyped", "Quoted", "Heavy", "Meta", "NotThere"]
)
def test_what_the_source_does_not_tell_is_not_guessed(package: str, name: str) -> None:
    assert outline(f"{package}.unreadable", name) is None
    assert outline("not_there_at_all", name) is None
