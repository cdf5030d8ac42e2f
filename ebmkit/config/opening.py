"""Opening a run file: TOML read whole, with all that is wrong in it, and what the command line changes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from ebmkit.config.document import ConfigProblemsError, Document, header, line_of
from ebmkit.config.former import with_present_names
from ebmkit.config.positions import Repeat, locate, repeats
from ebmkit.config.problems import Problem
from ebmkit.config.text import decoded
from ebmkit.errors import ConfigError
from ebmkit.messages.quoting import quoted, shortened
from ebmkit.messages.spelling import did_you_mean

__all__ = ["override_value", "read_document"]


def read_document(
    path: Path, overrides: Sequence[str] = (), removed: Sequence[str] = (), *, saved: bool = False
) -> Document:
    """Read a run file without what is removed, and apply ``table.key=value`` overrides, the last one winning.

    What keeps nothing else from being read, such as a repeated key or an override that is not
    ``table.key=value``, is among the problems of the document.

    Args:
        path: of the file.
        overrides: of the command line, ``table.key=value``.
        removed: tables and keys to leave out.
        saved: whether it stands in a run folder: an earlier release may have written it, so keys under
            their former names are read. In a file of the user's own they are refused.

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
        document = with_present_names(document) if saved else document
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
    line = line_of(text, each.again.line)
    is_header = each.again.value_column == each.again.column
    name = f"table {header(each.path)}" if is_header else f"key {quoted(each.path[-1])}"
    label = f"already in line {each.first.line}: remove one of them"
    place = (file, each.again.line, each.again.column, each.again.length)
    return Problem("E112", f"{name} stands twice", *place, line, label)


def _syntax_problem(file: str, text: str, error: tomllib.TOMLDecodeError) -> Problem:
    message = f"not TOML: {error}"
    place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    number = int(place[1]) if place else text.rstrip().count("\n") + 1
    line = line_of(text, number)
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
