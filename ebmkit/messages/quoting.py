"""A user's text as a message repeats it: whole where it is short, its two ends where it is not."""

from __future__ import annotations

__all__ = ["quoted", "shortened"]

_WIDTH = 60
"""Of a value in a message: two of them and the sentence around them are still read at a glance."""


def quoted(value: object) -> str:
    """A value as Python writes it, its middle left out where it is long.

    Examples:
        >>> quoted("adam")
        "'adam'"
        >>> len(quoted("a" * 3000))
        60
    """
    return shortened(repr(value))


def shortened(text: str, width: int = _WIDTH) -> str:
    """A text of at most ``width`` characters, its middle left out where it has more.

    Examples:
        >>> shortened("--set revision.step_size=0.01", 20)
        '--set revisi…ze=0.01'
    """
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 5
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
