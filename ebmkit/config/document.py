"""A run file as it was read: values, where each stands, and what the command line overrides."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from ebmkit.config.positions import Position, locate
from ebmkit.config.problems import Problem, render
from ebmkit.errors import ConfigError

__all__ = ["ConfigProblemsError", "Document", "Key", "read_document"]

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
    """

    file: str
    text: str
    data: dict[str, Any]
    positions: dict[Key, Position]
    overrides: dict[Key, str]

    def problem(
        self,
        code: str,
        message: str,
        key: Key,
        *,
        value: bool = False,
        label: str = "",
        helps: Sequence[str] = (),
    ) -> Problem:
        """A problem placed at the key (or at its value): in the file, or at the override that set it.

        A key that does not stand in the file has the place of the table around it.
        """
        if (argument := self._override(key)) is not None:
            source = f"--set {argument}"
            column = len("--set ") + 1 + (argument.index("=") + 1 if value and "=" in argument else 0)
            length = len(source) - column + 1 if value else len(argument.split("=")[0])
            return Problem(code, message, source, None, column, length, source, label, tuple(helps))
        around = (key[:end] for end in range(len(key), 0, -1))
        position = next((self.positions[each] for each in around if each in self.positions), None)
        if position is None:
            return Problem(code, message, self.file, None, None, 1, None, label, tuple(helps))
        line = self.text.splitlines()[position.line - 1]
        column, length = position.column, position.length
        if value:
            column, length = position.value_column, position.value_length
        return Problem(code, message, self.file, position.line, column, length, line, label, tuple(helps))

    def _override(self, key: Key) -> str | None:
        """The override that set this key or the table around it."""
        ends = range(len(key), 0, -1)
        return next((self.overrides[key[:end]] for end in ends if key[:end] in self.overrides), None)


def read_document(path: Path, overrides: Sequence[str] = ()) -> Document:
    """Read a run file and apply ``table.key=value`` overrides, the last one winning.

    Raises:
        ConfigError: no such file, or not text.
        ConfigProblemsError: not TOML, or an override that is not ``table.key=value``.
    """
    file = str(path)
    try:
        # tomllib wants newlines as written: it refuses a lone carriage return by itself.
        text = path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not a text file in UTF-8: {error}") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblemsError([_syntax_problem(file, text, error)], file=file) from None
    except RecursionError:
        raise ConfigError(f"{file} nests values deeper than can be read") from None
    document = Document(file, text, data, locate(text), {})
    problems = [problem for argument in overrides if (problem := _apply(document, argument)) is not None]
    if problems:
        raise ConfigProblemsError(problems, file=file)
    return document


def _syntax_problem(file: str, text: str, error: tomllib.TOMLDecodeError) -> Problem:
    message = f"not TOML: {error}"
    place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    lines = text.splitlines()
    if place is None or int(place[1]) > len(lines):
        return Problem("E101", message, file, None, None, 1, None, "", ())
    line, column = int(place[1]), int(place[2])
    return Problem("E101", message, file, line, column, 1, lines[line - 1], "", ())


def _apply(document: Document, argument: str) -> Problem | None:
    """Set one override in the document's tables; a problem if it cannot be read."""
    name, equals, raw = argument.partition("=")
    key = tuple(part.strip() for part in name.split("."))
    source = f"--set {argument}"
    if not equals or not key[1:] or not all(key):
        message = f"--set takes table.key=value, got {argument!r}"
        return Problem("E110", message, source, None, 7, max(len(argument), 1), source, "", ())
    table = document.data
    for part in key[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            message = f"{part!r} is a value in {document.file}, not a table"
            return Problem("E110", message, source, None, 7, len(name), source, "", ())
    table[key[-1]] = _override_value(raw.strip())
    document.overrides[key] = argument
    return None


def _override_value(raw: str) -> Any:
    """The value as TOML; a bare word that is not TOML is a string, as a shell user expects."""
    try:
        parsed = tomllib.loads(f"value = {raw}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return raw
    return parsed["value"] if len(parsed) == 1 else raw
