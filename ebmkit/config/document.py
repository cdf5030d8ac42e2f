"""A run file as it was read: values, where each stands, and what the command line overrides."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import attrs

from ebmkit.config.positions import Position
from ebmkit.config.problems import Problem, render
from ebmkit.errors import ConfigError
from ebmkit.messages.brief import brief
from ebmkit.messages.quoting import shortened

__all__ = ["ConfigProblemsError", "Document", "Key", "header", "line_of"]

Key = tuple[str, ...]


class ConfigProblemsError(ConfigError):
    """Everything that is wrong with a run file, all at once."""

    def __init__(self, problems: Sequence[Problem], *, file: str) -> None:
        super().__init__(render(problems, file=file))
        self.problems = tuple(problems)


@attrs.frozen
class Document:
    """The tables of a run file with every override applied.

    Attributes:
        file: the path as the user wrote it.
        data: the tables.
        overrides: the argument of ``--set`` by the key it sets.
        problems: what is wrong with it that kept nothing else from being read.
    """

    file: str
    text: str
    data: dict[str, Any]
    positions: dict[Key, Position]
    overrides: dict[Key, str]
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return brief(self)

    def problem(
        self,
        code: str,
        message: str,
        key: Key,
        *,
        value: bool = False,
        label: str = "",
        helps: Sequence[str] = (),
        suggestion: str | None = None,
    ) -> Problem:
        """A problem placed at the key (or at its value): in the file, or at the override that set it.

        A key that does not stand in the file has the place of the table around it.
        """
        details: dict[str, Any] = {"label": label, "helps": tuple(helps), "suggestion": suggestion}
        if (argument := self._override(key)) is not None:
            column, length = _place_in(argument, key, value=value)
            source = f"--set {argument}"
            column += len("--set ")
            return Problem(code, message, source, None, column, length, source, **details)
        around = (key[:end] for end in range(len(key), 0, -1))
        position = next((self.positions[each] for each in around if each in self.positions), None)
        if position is None:
            return Problem(code, message, self.file, **details)
        line = line_of(self.text, position.line)
        column, length = position.column, position.length
        if value:
            column, length = position.value_column, position.value_length
        return Problem(code, message, self.file, position.line, column, length, line, **details)

    def place(self, key: Key) -> str:
        """Where a key, or the table around it, stands: ``faces.toml:12``, or ``--set revision.steps=20``."""
        found = self.problem("", "", key)
        return shortened(found.path) if found.line is None else f"{found.path}:{found.line}"

    def text_set(self, key: Key) -> str | None:
        """What the command line says behind ``key=``, as it stands there; None where it says nothing."""
        argument = self.overrides.get(key)
        return None if argument is None else argument.partition("=")[2].strip()

    def text_of(self, key: Key) -> str:
        """The first line of a value as it stands in the file; empty where it does not."""
        if (position := self.positions.get(key)) is None:
            return ""
        begin = position.value_column - 1
        return line_of(self.text, position.line)[begin : begin + position.value_length]

    def renamed(self, key: Key, name: str) -> Document:
        """The document as if what stands at ``key`` were called ``name``, every place remembered.

        Where something of that name stands already, tables are laid together; it wins where both have a
        value.
        """
        right = (*key[:-1], name)

        def moved(each: Key) -> Key:
            return (*right, *each[len(key) :]) if each[: len(key)] == key else each

        data = copy.deepcopy(self.data)
        around = data
        for part in key[:-1]:
            around = around[part]
        around[name] = _laid_together(around.get(name), around.pop(key[-1]))
        return attrs.evolve(
            self,
            data=data,
            positions={moved(each): self.positions[each] for each in self.positions} | self.positions,
            overrides={moved(each): self.overrides[each] for each in self.overrides} | self.overrides,
        )

    def _override(self, key: Key) -> str | None:
        """The override that set this key, the table around it, or the first one of a table it made."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.overrides:
                return self.overrides[key[:end]]
        if not key or key in self.positions:
            return None
        below = (argument for set_, argument in self.overrides.items() if set_[: len(key)] == key)
        return next(below, None)


def _laid_together(first: Any, second: Any) -> Any:
    """Two tables as one; of two other values the first, where there is one."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first | {name: _laid_together(first.get(name), second[name]) for name in second}
    return second if first is None else first


def header(key: Key) -> str:
    """A table as a run file names it.

    Examples:
        >>> header(("energy", "parts", "first"))
        '[energy.parts.first]'
    """
    return f"[{shortened('.'.join(key))}]"


def _place_in(argument: str, key: Key, *, value: bool) -> tuple[int, int]:
    """Column, from 1, and length of a key or its value in an override."""
    name, _, raw = argument.partition("=")
    parts = name.split(".")
    if (value and len(key) == len(parts)) or len(key) > len(parts):
        return len(name) + 2, max(len(raw), 1)
    part = parts[len(key) - 1]
    return len(".".join(parts[: len(key) - 1])) + (len(key) > 1) + 1, len(part)


def line_of(text: str, number: int) -> str:
    """One line of a text, numbered from 1, without its end."""
    return text.split("\n")[number - 1].rstrip("\r")
