"""Where every key of a TOML text stands: tomllib parses values, but keeps no positions.

A scanner beside it, not a second parser: it is only asked about text that tomllib accepts.
"""

from __future__ import annotations

import bisect
import re
from typing import final

import attrs

__all__ = ["Position", "Repeat", "locate", "repeats"]

Key = tuple[str, ...]

_SKIP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"((?:\\.|[^"\\\n])*)"')
_LITERAL = re.compile(r"'([^'\n]*)'")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


@attrs.frozen
class Position:
    """Where a key stands, counted from 1.

    Attributes:
        line: of the key.
        column: of the last part of the key.
        length: of that part as written.
        value_column: of the first character of the value; of a table header, that of the key.
        value_length: of the value on its first line.
    """

    line: int
    column: int
    length: int
    value_column: int
    value_length: int


@attrs.frozen
class Repeat:
    """A key or a table header that stands in a text for the second time, which TOML forbids.

    Attributes:
        path: of the key or table.
        first: where it stands first.
        again: where it stands again.
        begin: of what would have to go, in characters of the text: the pair, or the whole table.
        end: behind it.
    """

    path: Key
    first: Position
    again: Position
    begin: int
    end: int


def locate(text: str) -> dict[Key, Position]:
    r"""The position of every table and key, by its full path.

    A table that only others imply, as ``[a.b]`` does ``a``, has the place of its name in the first of them.
    Entries of an array of tables are numbered: ``("layers", "0", "width")``; what stands inside
    other arrays is left out.

    Examples:
        >>> locate("[a]\nb = 1")[("a", "b")]
        Position(line=2, column=1, length=1, value_column=5, value_length=1)
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.implied | scanner.found


def repeats(text: str) -> list[Repeat]:
    r"""Every key and table header that stands in a text again.

    Examples:
        >>> [(each.path, each.again.line) for each in repeats("[a]\nb = 1\nb = 2")]
        [(('a', 'b'), 3)]
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.repeated


@final
class _Scanner:
    """Walks the text once; ``at`` is always the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Key, Position] = {}
        self.implied: dict[Key, Position] = {}
        self.repeated: list[Repeat] = []
        self.headers: set[Key] = set()
        self.open: Repeat | None = None
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.counts: dict[Key, int] = {}

    def document(self) -> None:
        table: Key | None = ()
        while self._skip(_SKIP) < len(self.text):
            if self._here("["):
                table = self._header()
            elif table is None:
                self._anonymous_pair()
            else:
                self._pair(table)
        self._close()

    def _header(self) -> Key | None:
        """``[a.b]`` or ``[[a.b]]``: the path of the table that begins here; None if it did before."""
        self._close()
        start = self.at
        array = self._here("[[")
        self.at += 2 if array else 1
        key, places = self._key()
        begin, end = places[-1]
        path = self._numbered(key)
        self._imply(path, places)
        self._skip(_BLANK)
        self.at += 2 if array else 1
        if array:
            count = self.counts[path] = self.counts.get(path, -1) + 1
            self.found.setdefault(path, self._position(begin, end, begin, end))
            path = (*path, str(count))
        position = self._position(begin, end, begin, end)
        if path in self.headers:
            self.open = Repeat(path, self.found[path], position, start, start)
            return None
        self.headers.add(path)
        self.found[path] = position
        return path

    def _close(self) -> None:
        """A repeated table ends where the next one begins."""
        if self.open is not None:
            self.repeated.append(attrs.evolve(self.open, end=self.at))
            self.open = None

    def _numbered(self, key: Key) -> Key:
        """The path of a header's key, with the number of the current entry after each array of tables."""
        path: Key = ()
        for part in key[:-1]:
            path = (*path, part)
            if path in self.counts:
                path = (*path, str(self.counts[path]))
        return (*path, key[-1])

    def _imply(self, path: Key, places: list[tuple[int, int]]) -> None:
        """Give every table around a dotted key the place of its name in it, where it has none."""
        for at, (begin, end) in enumerate(places[:-1]):
            around = path[: len(path) - len(places) + at + 1]
            self.implied.setdefault(around, self._position(begin, end, begin, end))

    def _pair(self, table: Key) -> None:
        """``key = value``."""
        start = self._skip(_BLANK)
        key, places = self._key()
        begin, end = places[-1]
        self._skip(_BLANK)
        self.at += 1  # the equals sign
        value = self._skip(_BLANK)
        path = (*table, *key)
        self._imply(path, places)
        self._value(None if path in self.found else path)
        position = self._position(begin, end, value, self.at)
        if (first := self.found.setdefault(path, position)) is not position:
            self.repeated.append(Repeat(path, first, position, start, self.at))

    def _value(self, path: Key | None) -> None:
        """Step over a value; an inline table's keys are found below ``path``."""
        if self._here("{"):
            self._inline_table(path)
        elif self._here("["):
            self._array()
        elif (string := _STRING.match(self.text, self.at)) is not None:
            self.at = string.end()
        else:
            scalar = _SCALAR.match(self.text, self.at)
            self.at += len(scalar[0].rstrip()) if scalar else 0

    def _inline_table(self, path: Key | None) -> None:
        self.at += 1
        while self._skip(_SKIP) < len(self.text) and not self._here("}"):
            before = self.at
            if path is None:
                self._anonymous_pair()
            else:
                self._pair(path)
            self._separator(before)
        self.at += 1

    def _anonymous_pair(self) -> None:
        """A pair of an inline table inside an array, which has no path."""
        self._key()
        self._skip(_BLANK)
        self.at += 1
        self._skip(_BLANK)
        self._value(None)

    def _array(self) -> None:
        self.at += 1
        while self._skip(_SKIP) < len(self.text) and not self._here("]"):
            before = self.at
            self._value(None)
            self._separator(before)
        self.at += 1

    def _separator(self, before: int) -> None:
        """Step over a comma; on text that is no TOML, at least over something."""
        self._skip(_SKIP)
        if self._here(",") or self.at == before:
            self.at += 1

    def _key(self) -> tuple[Key, list[tuple[int, int]]]:
        """A dotted key: its parts, and where each of them begins and ends."""
        parts: list[str] = []
        places: list[tuple[int, int]] = []
        while True:
            begin = self._skip(_BLANK)
            parts.append(self._key_part())
            places.append((begin, self.at))
            self._skip(_BLANK)
            if not self._here("."):
                self.at = places[-1][1]
                return tuple(parts), places
            self.at += 1

    def _key_part(self) -> str:
        for pattern in (_BARE, _BASIC, _LITERAL):
            if (match := pattern.match(self.text, self.at)) is not None:
                self.at = match.end()
                if pattern is _BASIC:
                    return _ESCAPE.sub(_unescape, match[1])
                return match[1] if pattern is _LITERAL else match[0]
        self.at += 1  # no TOML: go on somewhere
        return ""

    def _here(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def _position(self, begin: int, end: int, value: int, value_end: int) -> Position:
        line = bisect.bisect_right(self.starts, begin)
        start = self.starts[line - 1]
        first_line = self.text[value:value_end].partition("\n")[0].rstrip()
        return Position(line, begin - start + 1, end - begin, value - start + 1, max(len(first_line), 1))


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if code[0] in "uU" and len(code) > 1 else _ESCAPES.get(code, code)
