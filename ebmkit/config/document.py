"""A run file as it was read: values, where each stands, and what the command line overrides."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from ebmkit.config.positions import Position, Repeat, locate, repeats
from ebmkit.config.problems import Problem, render
from ebmkit.config.text import decoded
from ebmkit.errors import ConfigError
from ebmkit.messages.brief import brief
from ebmkit.messages.quoting import quoted, shortened
from ebmkit.messages.spelling import did_you_mean

__all__ = ["ConfigProblemsError", "Document", "Key", "header", "override_value", "read_document"]

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
        line = _line(self.text, position.line)
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
        return _line(self.text, position.line)[begin : begin + position.value_length]

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


def _line(text: str, number: int) -> str:
    return text.split("\n")[number - 1].rstrip("\r")


def read_document(path: Path, overrides: Sequence[str] = (), removed: Sequence[str] = ()) -> Document:
    """Read a run file without what is removed, and apply ``table.key=value`` overrides, the last one winning.

    What keeps nothing else from being read, such as a repeated key or an override that is not
    ``table.key=value``, is among the problems of the document.

    Raises:
        ConfigError: no such file, not text, or nested deeper than can be read.
        ConfigProblemsError: not TOML.
    """
    file = str(path)
    try:
        # tomllib wants newlines as written: it refuses a lone carriage return by itself.
        text = decoded(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{file} is {error}") from None
    try:
        data, problems = _parse(file, text)
        document = Document(file, text, data, locate(text), {})
    except RecursionError:
        raise ConfigError(f"{file} nests values deeper than can be read") from None
    except ValueError as error:  # TOML, with an integer of thousands of digits
        raise ConfigError(f"{file} cannot be read: {error}") from None
    problems += [problem for argument in removed if (problem := _remove(document, argument)) is not None]
    problems += [problem for argument in overrides if (problem := _apply(document, argument)) is not None]
    return attrs.evolve(document, problems=tuple(problems))


def _parse(file: str, text: str) -> tuple[dict[str, Any], list[Problem]]:
    """The tables of a TOML text, and its repeated keys, which are read over so that the rest is checked.

    Raises:
        ConfigProblemsError: it is not TOML for another reason.
    """
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as error:
        again = repeats(text)
        try:
            return tomllib.loads(_without(text, again)), [_repeat_problem(file, text, each) for each in again]
        except tomllib.TOMLDecodeError:
            raise ConfigProblemsError([_syntax_problem(file, text, error)], file=file) from None


def _without(text: str, again: Sequence[Repeat]) -> str:
    """The text with blanks in the place of what is repeated, so that everything else stays where it is."""
    for each in again:
        before = text[: each.begin].rstrip()
        begin = len(before) - 1 if before.endswith(",") else each.begin  # in an inline table
        text = text[:begin] + re.sub(r"[^\n]", " ", text[begin : each.end]) + text[each.end :]
    return text


def _repeat_problem(file: str, text: str, each: Repeat) -> Problem:
    line = _line(text, each.again.line)
    is_header = each.again.value_column == each.again.column
    name = f"table {header(each.path)}" if is_header else f"key {quoted(each.path[-1])}"
    label = f"already in line {each.first.line}: remove one of them"
    place = (file, each.again.line, each.again.column, each.again.length)
    return Problem("E112", f"{name} stands twice", *place, line, label)


def _syntax_problem(file: str, text: str, error: tomllib.TOMLDecodeError) -> Problem:
    message = f"not TOML: {error}"
    place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    number = int(place[1]) if place else text.rstrip().count("\n") + 1
    line = _line(text, number)
    column = int(place[2]) if place else len(line) + 1
    return Problem("E101", message, file, number, column, 1, line, _meant(line, column))


def _meant(line: str, column: int) -> str:
    """What a line that is no TOML was probably meant to say: ``write: use = "langevin"``."""
    found = re.match(r"\s*([\w-]+)\s*=\s*([A-Za-z_][\w./:-]*)", line)
    if found is None or found.start(2) != column - 1:
        return ""
    word = found[2].lower() if found[2].lower() in ("true", "false") else f'"{found[2]}"'
    return shortened(f"write: {found[1]} = {word}")


def _apply(document: Document, argument: str) -> Problem | None:
    """Set one override in the document's tables; a problem if it cannot be read."""
    name, equals, raw = argument.partition("=")
    key = tuple(part.strip() for part in name.split("."))
    source = f"--set {argument}"
    if not equals or not key[1:] or not all(key):
        message = f"--set takes table.key=value, got {quoted(argument)}"
        return Problem("E110", message, source, None, 7, max(len(argument), 1), source)
    if not raw.strip():
        message = f"--set {name.strip()}= gives no value: is a shell variable not set?"
        helps = (f"an empty text is written --set '{name.strip()}=\"\"'",)
        return Problem("E110", message, source, None, 7, len(argument), source, helps=helps)
    table = document.data
    for part in key[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            message = f"{quoted(part)} is a value in {document.file}, not a table"
            return Problem("E110", message, source, None, 7, len(name), source)
    table[key[-1]] = override_value(raw.strip())
    for below in [each for each in document.overrides if each[: len(key)] == key]:
        del document.overrides[below]  # the last one wins, of a table with all that is in it
    document.overrides[key] = argument
    return None


def _remove(document: Document, argument: str) -> Problem | None:
    """Leave out a table or a key; a problem if the file has none of that name."""
    *around, last = (part.strip() for part in argument.split("."))
    table: Any = document.data
    for part in around:
        table = table.get(part) if isinstance(table, dict) else None
    if isinstance(table, dict) and last in table:
        del table[last]
        return None
    source = f"--unset {argument}"
    message = f"{document.file} has no {quoted(argument)} to leave out"
    hint = did_you_mean(last, table) if isinstance(table, dict) else ""
    return Problem(
        "E110", message, source, None, 9, max(len(argument), 1), source, helps=(hint,) if hint else ()
    )


def override_value(raw: str) -> Any:
    """What stands behind the equals sign of ``--set``, as TOML.

    A bare word that is not TOML is a string, as a shell user expects.

    Examples:
        >>> override_value("[1, 2]"), override_value("adam")
        ([1, 2], 'adam')
    """
    try:
        parsed = tomllib.loads(f"value = {raw}")
    except (ValueError, RecursionError):
        return raw
    return parsed["value"] if len(parsed) == 1 else raw
