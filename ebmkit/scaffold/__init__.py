"""A new plugin as a whole distribution: it installs, passes its checks and trains as it is written."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import chain, count
from pathlib import Path
from string import Template

import attrs

from ebmkit.errors import ConfigError
from ebmkit.messages.quoting import quoted
from ebmkit.plugin import API_VERSION
from ebmkit.registry.kinds import KINDS
from ebmkit.scaffold.names import bound_twice, taken

__all__ = ["refuse_taken", "write_plugin"]

_EXAMPLE: Mapping[str, str] = {
    "data": 'use = "folder"\npath = "squares"\nsize = 16\ncolor = false',
    "energy": 'use = "descriptor"\nchannels = [8, 16]\nkernels = [4, 4]\nstrides = [2, 2]\noutputs = 4\n'
    "reference_std = 0.3",
    "generator": 'use = "generator"\nlatents = 4\nchannels = [16, 8]',
    "revision": 'use = "langevin"\nstep_size = 0.03',
    "schedule": 'use = "coopnets"\nchains = 8',
}
"""The tables of the example around the new part: tiny, and only with parts that ebmkit brings."""

_UNASKED = ("encoder",)
"""Kinds of which no schedule that ebmkit brings takes a part, so that the example trains without it."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PICTURES = 12
_SIDE = 16


@attrs.frozen
class _Plugin:
    """What the templates are filled with."""

    kind: str
    name: str

    @property
    def distribution(self) -> str:
        return f"ebmkit-{self.name}"

    @property
    def module(self) -> str:
        return f"ebmkit_{self.name.replace('-', '_')}"

    def clash(self) -> str:
        """Which name in its code would mean two things, or nothing."""
        texts = (text for path, text in self.files() if path.endswith(".py"))
        clashes = (bound_twice(text) for text in texts)
        return next(
            (f"the code of {self.distribution} would have two {each}" for each in clashes if each), ""
        )

    def values(self) -> dict[str, str]:
        snake = self.name.replace("-", "_")
        return {
            "kind": self.kind,
            "name": self.name,
            "distribution": self.distribution,
            "module": self.module,
            "file": snake,
            "class_name": "".join(part.capitalize() for part in self.name.split("-")),
            "suite": f"{self.kind.capitalize()}Checks",
            "hook": KINDS[self.kind].hook,
            "usage": self._usage(),
            "api": ", ".join(map(str, API_VERSION)),
            **self._example(),
        }

    def _example(self) -> dict[str, str]:
        tables = dict(_EXAMPLE)
        table, use = KINDS[self.kind].table, f'use = "{self.name}"'
        if table in tables:
            tables[table] = use
        elif table is not None and self.kind not in (*_UNASKED, "optimizer"):
            tables["schedule"] += f"\n\n[{table}]\n{use}"
        tables["optimizer"] = self.name if self.kind == "optimizer" else "adam"
        if self.kind == "scheduler":  # it trains an energy alone
            return {**tables, "generator": ""}
        optimizer = f'{{ use = "{tables["optimizer"]}", lr = 1e-3 }}'
        generator = f"\n[generator]\n{tables['generator']}\noptimizer = {optimizer}\n"
        return {**tables, "generator": generator}

    def _usage(self) -> str:
        """How a run file names the part."""
        table = KINDS[self.kind].table
        if table is None:
            return "No run file names it: it is found where it is needed."
        return f'In a run file of yours:\n\n```toml\n[{table}]\nuse = "{self.name}"\n```'

    def files(self) -> Iterator[tuple[str, str]]:
        """Each file's path and text."""
        values = self.values()
        module, file = values["module"], values["file"]
        templates = {
            "pyproject.toml": "pyproject.toml",
            "README.md": "README.md",
            ".gitignore": "gitignore",
            "LICENSE": "LICENSE",
            ".github/workflows/tests.yml": "ci.yml",
            "example.toml": "example.toml",
            f"{module}/__init__.py": "init.py",
            f"{module}/{file}.py": f"{self.kind}.py",
            f"tests/test_{file}.py": "test.py",
        }
        for path, template in templates.items():
            text = (files("ebmkit.scaffold") / "templates" / f"{template}.txt").read_text(encoding="utf-8")
            yield path, Template(text).substitute(values)
        yield f"{module}/py.typed", ""


def refuse_taken(name: str, kind: str) -> None:
    """Refuse a name whose distribution or module is installed here already.

    Raises:
        ConfigError: installing it would remove or hide something; or the name is no name.
    """
    plugin = _named(name, kind)
    if fault := taken(plugin.distribution, plugin.module):
        raise ConfigError(f"{fault}: choose another name, such as {_free_name(plugin)}")


def write_plugin(name: str, kind: str, parent: Path) -> Path:
    """Write the distribution ``ebmkit-NAME`` with one part of a kind into a new folder.

    Args:
        name: of the part, as run files will say it: lower-case letters, digits and single hyphens.
        kind: a key of ``KINDS``.
        parent: where the folder ``ebmkit-NAME`` is made.

    Returns:
        the new folder.

    Raises:
        ConfigError: the name is no name, or the folder exists; nothing was written.
    """
    plugin = _named(name, kind)
    folder = parent / plugin.distribution
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ConfigError(f"{folder} exists: choose another name, or remove it first") from None
    except OSError as error:
        raise ConfigError(f"cannot make {folder}: {error.strerror}") from None
    for path, text in plugin.files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    if kind != "source":
        _draw_squares(folder / "squares")
    return folder


def _named(name: str, kind: str) -> _Plugin:
    """The plugin of this name.

    Raises:
        ConfigError: it is none, or its own code could not have it.
    """
    name = name.removeprefix("ebmkit-")
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            f"{quoted(name)} is not a name for a part: use lower-case letters, digits and single hyphens, "
            "beginning with a letter, such as my-sampler"
        )
    plugin = _Plugin(kind, name)
    if fault := plugin.clash():
        raise ConfigError(f"{fault}: choose another name, such as {_free_name(plugin)}")
    return plugin


def _free_name(plugin: _Plugin) -> str:
    """A similar name that is free."""
    names = chain([f"my-{plugin.name}"], (f"my-{plugin.name}-{number}" for number in count(2)))
    others = (_Plugin(plugin.kind, name) for name in names)
    return next(each.name for each in others if not taken(each.distribution, each.module))


def _draw_squares(folder: Path) -> None:
    """The images of the example: bright squares on a dark ground."""
    from PIL import Image, ImageDraw

    folder.mkdir()
    for number in range(_PICTURES):
        picture = Image.new("L", (_SIDE, _SIDE), 30)
        left, top = number * 5 % (_SIDE // 2), number * 7 % (_SIDE // 2)
        corner = (left + _SIDE // 2 - 1, top + _SIDE // 2 - 1)
        ImageDraw.Draw(picture).rectangle(((left, top), corner), fill=220)
        picture.save(folder / f"{number:02}.png")
