"""What a misspelt name was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable

__all__ = ["did_you_mean", "edits", "nearest"]

_ALIKE = 0.6


def edits(one: str, other: str) -> int:
    """How many characters to insert, delete, replace or swap with their neighbour.

    The optimal string alignment distance: no part is edited twice. Case counts for nothing, and
    ``-`` is ``_``.

    Examples:
        >>> edits("stepsize", "step_size"), edits("setps", "steps"), edits("Step-Size", "step_size")
        (1, 1, 0)
    """
    one, other = _plain(one), _plain(other)
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, a in enumerate(one, 1):
        current = [row]
        for column, b in enumerate(other, 1):
            cost = min(above[column] + 1, current[-1] + 1, above[column - 1] + (a != b))
            if row > 1 and column > 1 and a == other[column - 2] and one[row - 2] == b:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, above = above, current
    return above[-1]


def nearest(name: str, names: Iterable[str], *, taken: Container[str] = ()) -> str | None:
    """The name that was probably meant: a few edits away, or alike on the whole; None where none is.

    Args:
        name: what was written.
        names: what could have been meant.
        taken: those that were written already: of two names as near, the other one was meant.

    Examples:
        >>> nearest("rl", ["lr", "lr_span", "betas"])
        'lr'
        >>> nearest("frobnicate", ["lr", "betas"]) is None
        True
    """
    names = list(names)
    near = _nearest(name, names)
    free = _nearest(name, [each for each in names if each not in taken]) if near in taken else None
    return free if near and free and edits(name, free) <= edits(name, near) else near


def _nearest(name: str, names: list[str]) -> str | None:
    # Neither rule below finds a name a third as long, and takes seconds over thousands of characters.
    candidates = [each for each in names if len(name) <= 3 * len(each) + 3]
    ranked = sorted(candidates, key=lambda each: (edits(name, each), -_ratio(name, each)))
    if ranked and edits(name, ranked[0]) <= max(1, len(name) // 3) < max(len(name), len(ranked[0])):
        return ranked[0]
    alike = max(candidates, key=lambda each: _ratio(name, each), default=None)
    return alike if alike is not None and _ratio(name, alike) >= _ALIKE else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """``did you mean 'step_size'?``, or nothing where no name is near."""
    near = nearest(name, names)
    return f"did you mean {near!r}?" if near else ""


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, _plain(one), _plain(other)).ratio()


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
