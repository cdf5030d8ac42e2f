"""Colours of messages on a terminal: nothing else of a message changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TextIO

__all__ = ["coloured", "wants_colour"]

_RED, _YELLOW, _BLUE, _CYAN = "1;31", "1;33", "1;34", "1;36"

_PARTS: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (re.compile(r"^error(\[\w+\])?:"), _RED),
    (re.compile(r"^(note|warning):"), _YELLOW),
    (re.compile(r"^ *-->"), _BLUE),
    (re.compile(r"(?<=\| ) *\^+.*$"), _RED),
    (re.compile(r"= help:"), _CYAN),
)
"""What is coloured in each line, the first that is found alone."""


def wants_colour(stream: TextIO) -> bool:
    """Whether what is printed there should be coloured: as rich, which prints everything else, decides it.

    That is on a terminal that has colours, unless ``NO_COLOR`` (https://no-color.org) forbids it;
    ``FORCE_COLOR`` asks for it in a file or a pipe too. Either counts unless it is empty.
    """
    from rich.console import Console  # not needed where nothing is wrong

    console = Console(file=stream)
    return console.color_system is not None and not console.no_color


def coloured(message: str, stream: TextIO) -> str:
    r"""A message with its marks in colour, where the stream should have any.

    Examples:
        >>> import io
        >>> coloured("error: no such file", io.StringIO())
        'error: no such file'
    """
    if not wants_colour(stream):
        return message
    return "\n".join(map(_line, message.split("\n")))


def _line(line: str) -> str:
    for pattern, colour in _PARTS:
        if found := pattern.search(line):
            return f"{line[: found.start()]}\x1b[{colour}m{found[0]}\x1b[0m{line[found.end() :]}"
    return line
